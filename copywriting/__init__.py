"""The domain in pure Python: briefs, facts, slots, prompts, channels, occasions, principles, claims. No Ray, no torch."""
