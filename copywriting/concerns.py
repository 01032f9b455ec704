"""What a shopper's own reviews say they will doubt or like in a product, and which facts of a piece of copy answer a doubt.

Only for a shopper who consents: `Shopper.events` is empty for anybody else. A review of the same kind of product weighs more than one of
another, a new one more than an old one. What leaves here are names of aspects, with where they were said, never words of a review.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from copywriting.aspects import Opinion, Stance, opinions_in
from copywriting.brief import Brief
from copywriting.check import Copy
from copywriting.lexicon import aspects, mentioned
from copywriting.product import Product
from copywriting.shopper import Event

AT_MOST = 3
LATEST, READ = 50, 2000
"""Reviews that are read, the newest, and characters of each: a request can't wait for a diary."""
HALF_LIFE_DAYS = 180.0
SAME_KIND, SAME_VERTICAL, ELSEWHERE = 1.0, 0.5, 0.2
FAINT = 0.1
"""A weighed sum below this is no concern: one strong word about another kind of thing a year ago."""
_TELLING = frozenset({"feature", "feature_2", "gift", "certificate", "material", "color"})
"""Slots whose text may speak of an aspect that the slot's name does not tell."""

Shelf = tuple[str, str | None]
"""Vertical and kind."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One aspect: `strength` in (0, 1), `count` opinions of this stance, and the strongest of them, at `[start:end]` of the shopper's
    review of `product_id`."""

    aspect: str
    stance: Stance
    strength: float
    count: int
    product_id: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Concerns:
    """What to answer and what to build on, strongest first, at most `AT_MOST` each."""

    doubts: tuple[Concern, ...] = ()
    likings: tuple[Concern, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A proved fact in a piece of copy that speaks to an aspect: to a doubt of the shopper's, or, of the price, to a competitor's
    promotion. `text` is what the copy says there."""

    aspect: str
    slot: str
    text: str
    rival: bool = False

    def __str__(self) -> str:
        asked = "a competitor's promotion" if self.rival else f"the doubt about {aspects()[self.aspect].label}"
        return f"answers {asked} with {self.text}"


@dataclass(frozen=True, slots=True)
class _Said:
    """An opinion, the review it is from, and its weight with the sign of its stance."""

    opinion: Opinion
    product_id: str | None
    weight: float


def concerns_of(events: Sequence[Event], product: Product, now: datetime, shelves: Mapping[str, Shelf] | None = None) -> Concerns:
    """What these reviews make of this product. `shelves` tells where reviewed products stand; one that it lacks counts as of another kind.
    An aspect is doubted or liked, not both: what weighs more."""
    said: dict[str, list[_Said]] = defaultdict(list)
    reviews = sorted((event for event in events if event.kind == "review" and event.text and event.at <= now), key=lambda event: event.at)
    for event in reviews[-LATEST:]:
        weight = _relevance(event.product_id, product, shelves or {}) * 0.5 ** ((now - event.at).days / HALF_LIFE_DAYS)
        for opinion in opinions_in((event.text or "")[:READ], event.value):
            if aspects()[opinion.aspect].concerns(product):
                sign = 1 if opinion.stance == "liked" else -1
                said[opinion.aspect].append(_Said(opinion, event.product_id, sign * opinion.strength * weight))
    found = [concern for aspect, opinions in said.items() if (concern := _concern(aspect, opinions))]
    found.sort(key=lambda concern: (-concern.strength, concern.aspect))
    return Concerns(
        tuple(concern for concern in found if concern.stance == "doubted")[:AT_MOST],
        tuple(concern for concern in found if concern.stance == "liked")[:AT_MOST],
    )


def _relevance(product_id: str | None, product: Product, shelves: Mapping[str, Shelf]) -> float:
    if product_id == product.product_id:
        return SAME_KIND
    vertical, kind = shelves.get(product_id or "", (None, None))
    if vertical != product.vertical:
        return ELSEWHERE
    return SAME_KIND if kind is not None and kind == product.kind else SAME_VERTICAL


def _concern(aspect: str, opinions: Sequence[_Said]) -> Concern | None:
    total = sum(said.weight for said in opinions)
    if abs(total) < FAINT:
        return None
    agreeing = [said for said in opinions if said.weight * total > 0]
    first = max(agreeing, key=lambda said: abs(said.weight))
    strength = abs(total) / (abs(total) + 1)  # the fifth complaint adds less than the first
    return Concern(aspect, first.opinion.stance, strength, len(agreeing), first.product_id, first.opinion.start, first.opinion.end)


def answers_in(copy: Copy, brief: Brief) -> tuple[Answer, ...]:
    """What a checked text answers: each doubt of the brief, and a competitor's promotion by an advantage in price of its own."""
    found = [answer for aspect in brief.doubts if (answer := _answer(copy, aspect, rival=False))]
    if brief.market and "price" not in brief.doubts and (answer := _answer(copy, "price", rival=True)):
        found.append(answer)
    return tuple(found)


def _answer(copy: Copy, aspect: str, rival: bool) -> Answer | None:
    """The first proved fact that does: by its slot, or by what the filled slot itself speaks of."""
    for claim in copy.claims:
        span = copy.text[claim.start : claim.end]
        if claim.slot in aspects()[aspect].answers or (claim.slot in _TELLING and aspect in mentioned(span)):
            return Answer(aspect, claim.slot, span, rival)
    return None
