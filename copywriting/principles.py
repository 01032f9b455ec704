"""Principles of persuasion and the evidence each one needs before copy may use it.

The first seven are Cialdini's (Influence, 1984; unity: Pre-Suasion, 2016); `value` is a real price advantage and `benefit` what a feature
does for its user. Persuasion stays honest: `supported` returns only principles whose evidence is a fact of this product now. Caps for
people who are easily pressed are rules of law (`copywriting/law.py`).
"""

from collections.abc import Collection
from typing import Literal

PRINCIPLES = ("scarcity", "social_proof", "authority", "reciprocity", "liking", "commitment", "unity", "value", "benefit")

EVIDENCE: dict[str, tuple[str, ...]] = {
    "scarcity": ("stock", "offer.ends"),
    "social_proof": ("rating_count",),
    "authority": ("certificate",),
    "reciprocity": ("gift",),
    "unity": ("shopper.city", "recent"),
    "value": ("discount", "saving", "offer"),
}
"""Principle → slots of which at least one must exist. A principle that is not listed needs no evidence."""

Appeal = Literal["emotional", "logical", "ethical"]

APPEALS: dict[Appeal, tuple[str, ...]] = {
    "emotional": ("liking", "unity", "reciprocity"),
    "logical": ("value", "benefit", "scarcity"),
    "ethical": ("authority", "social_proof", "commitment"),
}
"""Aristotle's three (Rhetoric I.2): pathos speaks to feeling, logos to reasons, ethos to whom one may trust. Each principle is one's."""


def supported(slot_names: Collection[str]) -> tuple[str, ...]:
    """The principles that these available slots can prove, in the order of `PRINCIPLES`."""
    return tuple(p for p in PRINCIPLES if p not in EVIDENCE or any(slot in slot_names for slot in EVIDENCE[p]))


def appeals_of(principles: Collection[str]) -> tuple[Appeal, ...]:
    """The appeals that copy by these principles makes."""
    return tuple(appeal for appeal, own in APPEALS.items() if not set(own).isdisjoint(principles))
