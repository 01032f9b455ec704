"""Language models that write copy: what they learn from, what of them learns, how they are judged."""
