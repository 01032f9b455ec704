"""Candidates worth choosing from: each draft is asked to persuade by another principle, to begin otherwise, to be shorter or fuller.

How a piece begins and how full it is can be read off any piece, so training labels its examples with it and a prompt can ask for it. Near
duplicates are told apart by what share of their character trigrams they have in common.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from copywriting.brief import Brief
from copywriting.slots import SLOTS, slots_in

Opening = Literal["question", "product", "fact", "address", "scene"]
Structure = Literal["brief", "full"]
OPENINGS: tuple[Opening, ...] = get_args(Opening)
STRUCTURES: tuple[Structure, ...] = get_args(Structure)
_FULL_SHARE = 0.5
_NEAR = 0.6
"""Two texts with this share of their trigrams in common are one text to a reader."""
_NUMERIC = frozenset(slot for slot, held in SLOTS.items() if held.type in ("money", "rate", "terms", "day", "count", "rating"))
_ADDRESS = {
    "zh": re.compile(r"你|您|咱|我们|\{shopper"),
    "en": re.compile(r"\b(?:you|your|yours|you're|you'll|you've|we|we're|we've|our|us|let's)\b|\{shopper", re.IGNORECASE),
}
_ENDS = "。！？!?.\n；;"


def opening_of(template: str, language: str) -> Opening:
    """How a piece begins: with a question, its product, a value, its reader, or a scene."""
    first = template.split("\n", 1)[0]
    for place, character in enumerate(template):
        if character in _ENDS and not (character == "." and template[place + 1 : place + 2].isalpha()):
            first = template[: place + 1]
            break
    if first.rstrip("\n").endswith(("？", "?")):
        return "question"
    slots = slots_in(first)
    if first.startswith(("{name}", "{brand}")):
        return "product"
    if any(slot in _NUMERIC for slot in slots):
        return "fact"
    return "address" if _ADDRESS[language].search(first) else "scene"


def structure_of(template: str, limit: int, length: int) -> Structure:
    """Does a piece of this length use more than half of what its channel allows?"""
    return "full" if length > limit * _FULL_SHARE else "brief"


def variations(brief: Brief, count: int, seed: int = 0) -> tuple[Brief, ...]:
    """`count` briefs that ask for different pieces: principles, openings and structures are dealt out, none again before all had a turn."""
    deal = random.Random(f"{seed}/{brief.channel.name}/{brief.vertical}/{brief.kind}")
    principles: list[str | None] = [*deal.sample(brief.principles, len(brief.principles))] or [None]
    openings: list[Opening] = deal.sample(OPENINGS, len(OPENINGS))
    structures: list[Structure] = deal.sample(STRUCTURES, len(STRUCTURES))
    return tuple(
        replace(
            brief,
            principles=(principle,) if (principle := principles[i % len(principles)]) else (),
            opening=openings[i % len(openings)],
            structure=structures[i % len(structures)] if len(brief.channel.parts) > 1 else None,
        )
        for i in range(count)
    )


def trigrams(text: str) -> frozenset[str]:
    """The character trigrams of a text; a text of one or two characters is its own."""
    return frozenset(text[i : i + 3] for i in range(max(1, len(text) - 2)))


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of trigrams in common (Jaccard), 0 to 1."""
    return len(one & other) / len(one | other)


def near_duplicates(texts: Sequence[str]) -> frozenset[int]:
    """Indices of texts that a reader would call one with an earlier text."""
    kept: list[frozenset[str]] = []
    found = set()
    for i, text in enumerate(texts):
        grams = trigrams(text)
        if any(overlap(grams, other) >= _NEAR for other in kept):
            found.add(i)
        else:
            kept.append(grams)
    return frozenset(found)
