"""The slot vocabulary and how a template with slots is read and filled.

A template is plain text with `{slot}` in it: `{name} is {discount} until {offer.ends}`. Drafts keep their slots until answer
time, so a cached draft never carries an old price. What each slot holds is decided in `facts.py`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SLOTS: dict[str, str] = {
    "name": "short product name",
    "brand": "brand name",
    "price": "what the shopper pays now, offer included, with its currency: ¥400, $59.00",
    "list_price": "the reference price, when higher than the price: ¥500",
    "discount": "the price advantage as a rate: 8折, 20% off",
    "saving": "the price advantage as an amount: ¥100",
    "offer.ends": "the last day of the running offer: 1月31日, 31 January",
    "gift": "what comes free with the product: 旅行装面霜, a travel-size cream",
    "stock": "units left, only when few: 7",
    "rating": "mean rating, only when good: 4.8分, 4.8 out of 5",
    "rating_count": "number of ratings, only when enough: 1,284",
    "certificate": "a certificate or award: OEKO-TEX Standard 100",
    "material": "main material or ingredient: 羊毛, wool",
    "color": "colour: 藏青色, navy",
    "origin": "place of origin: 杭州, Hangzhou",
    "feature": "first selling point as a noun phrase: 双层防风门襟, a double storm placket",
    "feature_2": "second selling point as a noun phrase",
    "occasion": "name of the day or season: 春节, Spring Festival",
    "shopper.name": "what the shopper wants to be called, with consent only",
    "shopper.city": "the shopper's city, with consent only",
    "recent": "name of a product that the shopper bought lately, with consent only",
}
"""Slot → what it is filled with."""

NOMINAL_WIDTH: dict[str, tuple[int, int]] = {
    "name": (10, 26),
    "brand": (4, 10),
    "price": (5, 8),
    "list_price": (5, 8),
    "discount": (4, 8),
    "saving": (4, 7),
    "offer.ends": (6, 12),
    "gift": (8, 22),
    "stock": (2, 2),
    "rating": (4, 12),
    "rating_count": (5, 5),
    "certificate": (10, 22),
    "material": (5, 14),
    "color": (4, 10),
    "origin": (4, 12),
    "feature": (10, 28),
    "feature_2": (10, 28),
    "occasion": (3, 15),
    "shopper.name": (3, 7),
    "shopper.city": (3, 9),
    "recent": (10, 26),
}
"""Slot → typical filled length in characters, (zh, en): what a writer must leave room for."""

_GAP = "\ue000"
_SLOT = re.compile(r"\{([a-z_]+(?:\.[a-z_]+|[0-9])?)\}")


@dataclass(frozen=True, slots=True)
class FilledSlot:
    """Where a slot's value stands in the filled text: `text[start:end]`, in characters."""

    slot: str
    start: int
    end: int


def slots_in(template: str) -> tuple[str, ...]:
    """Slot names in order of appearance, repeats kept."""
    return tuple(_SLOT.findall(template))


def literals(template: str) -> Iterator[str]:
    """The runs of plain text between slots, in order: what a writer or a model wrote itself."""
    for i, piece in enumerate(_SLOT.split(template)):
        if i % 2 == 0 and piece:
            yield piece


def with_gaps(template: str) -> str:
    """The template with a mark that is no letter, digit or punctuation in the place of each slot: its words in their neighbourhood."""
    return _SLOT.sub(_GAP, template)


def nominal_length(template: str, language: str) -> int:
    """Expected length in characters once filled."""
    column = 0 if language == "zh" else 1
    return sum(map(len, literals(template))) + sum(NOMINAL_WIDTH[slot][column] for slot in slots_in(template))


def fill(template: str, values: Mapping[str, str]) -> tuple[str, tuple[FilledSlot, ...]]:
    """Fill every slot. Returns the text and where each value stands in it; raises KeyError for a slot without a value."""
    text = ""
    spans: list[FilledSlot] = []
    for i, piece in enumerate(_SLOT.split(template)):
        if i % 2 == 0:
            text += piece
            continue
        spans.append(FilledSlot(piece, len(text), len(text) + len(values[piece])))
        text += values[piece]
    return text, tuple(spans)
