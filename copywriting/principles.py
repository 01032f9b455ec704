"""Principles of persuasion and the evidence each one needs before copy may use it.

The first six are Cialdini's (Influence, 1984); `value` is a real price advantage and `benefit` what a feature does for its user.
Persuasion stays honest: `supported` returns only principles whose evidence is a fact of this product now.
"""

from collections.abc import Collection

PRINCIPLES = ("scarcity", "social_proof", "authority", "reciprocity", "liking", "commitment", "value", "benefit")

EVIDENCE: dict[str, tuple[str, ...]] = {
    "scarcity": ("stock", "offer.ends"),
    "social_proof": ("rating_count",),
    "authority": ("certificate",),
    "reciprocity": ("gift",),
    "value": ("discount", "saving"),
}
"""Principle → slots of which at least one must exist. A principle that is not listed needs no evidence."""


def supported(slot_names: Collection[str]) -> tuple[str, ...]:
    """The principles that these available slots can prove, in the order of `PRINCIPLES`."""
    return tuple(p for p in PRINCIPLES if p not in EVIDENCE or any(slot in slot_names for slot in EVIDENCE[p]))
