"""The slot vocabulary and how a template with slots is read and filled.

A template is plain text with `{slot}` in it: `{name} is {discount} until {offer.ends}`. Drafts keep their slots until answer
time, so a cached draft never carries an old price. What each slot holds is decided in `facts.py`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

SlotType = Literal["name", "phrase", "money", "rate", "terms", "day", "count", "rating", "sentence"]
"""What a slot's value is, and so which claim it makes when filled."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot. `width` is its typical filled length in characters, (zh, en): what a writer must leave room for."""

    type: SlotType
    holds: str
    width: tuple[int, int]


SLOTS: dict[str, Slot] = {
    "name": Slot("name", "short product name", (10, 26)),
    "brand": Slot("name", "brand name", (4, 10)),
    "price": Slot("money", "what the shopper pays now, offer included, with its currency: ¥400, $59.00", (5, 8)),
    "list_price": Slot("money", "the reference price, when higher than the price: ¥500", (5, 8)),
    "discount": Slot("rate", "the price advantage as a rate: 8折, 20% off", (4, 8)),
    "saving": Slot("money", "the price advantage as an amount: ¥100", (4, 7)),
    "offer": Slot("terms", "terms of an offer on a larger order: 满300减50, buy 2, get 1 free", (8, 26)),
    "offer.ends": Slot("day", "the last day of the running offer: 1月31日, 31 January", (6, 12)),
    "gift": Slot("phrase", "what comes free with the product: 旅行装面霜, a travel-size cream", (8, 22)),
    "stock": Slot("count", "units left, only when few: 7", (2, 2)),
    "availability": Slot("phrase", "that it can be had now, only when stock is plentiful: 现货, in stock", (2, 8)),
    "rating": Slot("rating", "mean rating, only when good: 4.8分, 4.8 out of 5", (4, 12)),
    "rating_count": Slot("count", "number of ratings, only when enough: 1,284", (5, 5)),
    "certificate": Slot("phrase", "a certificate or award: OEKO-TEX Standard 100", (10, 22)),
    "material": Slot("phrase", "main material or ingredient: 羊毛, wool", (5, 14)),
    "color": Slot("phrase", "colour: 藏青色, navy", (4, 10)),
    "origin": Slot("phrase", "place of origin: 杭州, Hangzhou", (4, 12)),
    "feature": Slot("phrase", "first selling point as a noun phrase: 双层防风门襟, a double storm placket", (10, 28)),
    "feature_2": Slot("phrase", "second selling point as a noun phrase", (10, 28)),
    "also": Slot("name", "short name of another product, offered together with this one", (10, 26)),
    "also.price": Slot("money", "what that other product costs now", (5, 8)),
    "total": Slot("money", "what this and the other product cost together", (6, 9)),
    "answer": Slot("sentence", "whole sentences that answer the shopper's question, from the shop's own texts", (40, 90)),
    "occasion": Slot("name", "name of the day or season: 春节, Spring Festival", (3, 15)),
    "shopper.name": Slot("name", "what the shopper wants to be called, with consent only", (3, 7)),
    "shopper.city": Slot("name", "the shopper's city, with consent only", (3, 9)),
    "recent": Slot("name", "name of a product that the shopper bought lately, with consent only", (10, 26)),
}
"""Every slot that a writer may use, in the order in which briefs list them."""

CLAIM_KINDS: dict[str, str] = {
    "price": "price", "list_price": "price", "also.price": "price", "total": "price", "discount": "discount", "saving": "discount",
    "offer": "discount", "offer.ends": "date", "gift": "gift", "stock": "stock", "availability": "stock", "rating": "rating",
    "rating_count": "rating", "certificate": "certificate", "material": "material", "origin": "origin", "color": "specification",
    "feature": "function", "feature_2": "function", "answer": "answer",
}  # fmt: skip
"""Slot → the kind of claim that its value makes; the others name somebody or something."""

GAP = "\ue000"
"""Stands for a filled slot where words are read without values."""
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
    return _SLOT.sub(GAP, template)


def nominal_length(template: str, language: str) -> int:
    """Expected length in characters once filled."""
    column = 0 if language == "zh" else 1
    return sum(map(len, literals(template))) + sum(SLOTS[slot].width[column] for slot in slots_in(template))


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
