"""Review texts in Chinese and English, composed from hand-written clauses in `demo/reviewbook/*.yaml`.

Two uses: shoppers' reviews in the sample shop, and labelled sentences that the sentiment scorer learns from. A text says what its
label says, by whole clauses: negation ("no complaints at all"), contrast ("although it's late, it was worth the wait") and plain
facts are all in the book, so that no single word gives the label away.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from copywriting.taxonomy import VERTICALS

Polarity = Literal["negative", "neutral", "positive"]
POLARITIES: tuple[Polarity, ...] = ("negative", "neutral", "positive")
LANGUAGES = ("zh", "en")
REVIEWBOOK = Path(__file__).parent / "reviewbook"

_OPENER = 0.16
_EXCLAMATION = 0.14  # in every polarity alike, so that the mark itself says nothing
_TRIES = 40
_VERTICAL_OF = {kind: vertical for vertical, kinds in VERTICALS.items() for kind in kinds}
_SERVICES = {*VERTICALS["finance"], "city_breaks", "hotels", "rail_passes"}


@dataclass(frozen=True, slots=True)
class Aspect:
    """What may be said of one side of a product. `suits` holds verticals and kinds; empty suits all. A minor one is forgiven."""

    suits: frozenset[str]
    minor: bool
    clauses: Mapping[Polarity, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reviewbook:
    """The clauses of one language that suit one kind of product."""

    language: str
    openers: tuple[str, ...]
    contrasts: tuple[str, ...]
    facts: tuple[str, ...]
    opinions: Mapping[Polarity, tuple[str, ...]]
    aspects: tuple[Aspect, ...]


@cache
def reviewbook(language: str, kind: str) -> Reviewbook:
    """What may be said in "zh" or "en" of a product of this kind."""
    known = _read(language)
    shelves = ("any",) if kind in _SERVICES else ("any", "goods")
    aspects = (
        Aspect(frozenset(entry.get("for", ())), name in known["minor"], {polarity: tuple(entry[polarity]) for polarity in POLARITIES})
        for name, entry in known["aspects"].items()
    )
    return Reviewbook(
        language=language,
        openers=tuple(known["openers"]),
        contrasts=tuple(known["contrasts"]),
        facts=_shelved(known["facts"], shelves),
        opinions={polarity: _shelved(known["opinions"][polarity], shelves) for polarity in POLARITIES},
        aspects=tuple(aspect for aspect in aspects if not aspect.suits or aspect.suits & {kind, _VERTICAL_OF[kind]}),
    )


@cache
def _read(language: str) -> dict[str, Any]:
    known: dict[str, Any] = yaml.safe_load((REVIEWBOOK / f"{language}.yaml").read_text(encoding="utf-8"))
    return known


def _shelved(clauses: Mapping[str, Sequence[str]], shelves: Sequence[str]) -> tuple[str, ...]:
    return tuple(clause for shelf in shelves for clause in clauses[shelf])


def polarity_of(stars: int) -> Polarity:
    """1 and 2 stars are negative, 3 neutral, 4 and 5 positive."""
    return "negative" if stars <= 2 else "neutral" if stars == 3 else "positive"


def review(language: str, kind: str, stars: int, rng: random.Random) -> str:
    """What a buyer of this kind writes who gives 1 to 5 stars. At 2 and 4 stars the other side may be heard too."""
    return _composed(reviewbook(language, kind), polarity_of(stars), stars in (2, 3, 4), rng)


def labelled_sentences(seed: int, count: int) -> list[tuple[str, str, str]]:
    """`count` distinct (language, text, label): both languages and the three labels in equal shares, shuffled. Raises ValueError
    when the book is exhausted."""
    rng = random.Random(f"{seed} sentences")
    sentences: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    for i in range(count):
        language, label = LANGUAGES[i % 2], POLARITIES[i // 2 % 3]
        text = _unseen(language, label, seen, rng)
        seen.add(text)
        sentences.append((language, text, label))
    rng.shuffle(sentences)
    return sentences


def _unseen(language: str, label: Polarity, seen: set[str], rng: random.Random) -> str:
    for _ in range(_TRIES):
        book = reviewbook(language, rng.choice(tuple(_VERTICAL_OF)))
        text = _composed(book, label, rng.random() < 0.5, rng)
        if text not in seen:
            return text
    raise ValueError(f"count: the review book gave {len(seen)} distinct sentences, then {_TRIES} known ones; ask for fewer")


class _Writer:
    """Draws the clauses of one review, no aspect twice."""

    def __init__(self, book: Reviewbook, label: Polarity, rng: random.Random) -> None:
        self._book, self._label, self._rng = book, label, rng
        self._aspects = rng.sample(book.aspects, len(book.aspects))

    def opinion(self) -> str:
        return self._rng.choice(self._book.opinions[self._label])

    def aspect(self) -> str:
        return self._of(self._aspects.pop(), self._label)

    def fact(self) -> str:
        return self._rng.choice(self._book.facts)

    def contrast(self) -> str:
        """The other side first, of something minor, then this label's side: what comes after "but" is what the writer means."""
        conceded = next(aspect for aspect in self._aspects if aspect.minor)
        self._aspects.remove(conceded)
        first, second = self._sides()
        return self._rng.choice(self._book.contrasts).format(a=self._of(conceded, first), b=self._of(self._aspects.pop(), second))

    def opened(self, clause: str) -> str:
        """The clause behind a filler such as "honestly", now and then."""
        if clause in self._book.facts or self._rng.random() > _OPENER:
            return clause
        return self._rng.choice(self._book.openers) + ("，" if self._book.language == "zh" else ", ") + clause

    def _sides(self) -> tuple[Polarity, Polarity]:
        if self._label == "neutral":
            return ("positive", "negative") if self._rng.random() < 0.5 else ("negative", "positive")
        return ("negative" if self._label == "positive" else "positive", self._label)

    def _of(self, aspect: Aspect, polarity: Polarity) -> str:
        return self._rng.choice(aspect.clauses[polarity])


_Plan = tuple[Callable[[_Writer], str], ...]
_OPINION, _ASPECT, _FACT, _CONTRAST = _Writer.opinion, _Writer.aspect, _Writer.fact, _Writer.contrast
_ONE_SIDED: tuple[_Plan, ...] = (
    (_OPINION,),
    (_ASPECT,),
    (_OPINION, _ASPECT),
    (_ASPECT, _OPINION),
    (_ASPECT, _ASPECT),
    (_FACT, _ASPECT, _OPINION),
    (_FACT, _OPINION),
    (_ASPECT, _ASPECT, _OPINION),
    (_OPINION, _ASPECT, _ASPECT),
)
_TWO_SIDED: tuple[_Plan, ...] = (
    (_CONTRAST, _OPINION),
    (_OPINION, _CONTRAST),
    (_FACT, _CONTRAST, _OPINION),
    (_CONTRAST, _ASPECT, _OPINION),
)
_FACTUAL: tuple[_Plan, ...] = ((_FACT,), (_FACT, _FACT), (_FACT, _ASPECT), (_ASPECT, _FACT))


def _composed(book: Reviewbook, label: Polarity, both_sides: bool, rng: random.Random) -> str:
    plans = _ONE_SIDED
    if both_sides and rng.random() < 0.5:
        plans = _TWO_SIDED
    elif label == "neutral" and rng.random() < 0.3:
        plans = _FACTUAL
    writer = _Writer(book, label, rng)
    clauses = [clause(writer) for clause in rng.choice(plans)]
    clauses[0] = writer.opened(clauses[0])
    distinct = list(dict.fromkeys(clauses))
    return _chinese(distinct, rng) if book.language == "zh" else _english(distinct, rng)


def _chinese(clauses: Sequence[str], rng: random.Random) -> str:
    joint = "，" if len(clauses) == 2 and rng.random() < 0.4 else "。"
    return joint.join(clauses) + _final("。", "！", rng)


def _english(clauses: Sequence[str], rng: random.Random) -> str:
    return ". ".join(clause[0].upper() + clause[1:] for clause in clauses) + _final(".", "!", rng)


def _final(plain: str, loud: str, rng: random.Random) -> str:
    if rng.random() < 0.12:
        return ""  # people forget the last mark
    return loud if rng.random() < _EXCLAMATION else plain


def clauses_of(language: str) -> dict[Polarity, frozenset[str]]:
    """Every opinion and aspect clause by polarity: what a check of a text's polarity looks for."""
    found: dict[Polarity, set[str]] = {polarity: set() for polarity in POLARITIES}
    for kind in _VERTICAL_OF:
        book = reviewbook(language, kind)
        for polarity, clauses in found.items():
            clauses.update(book.opinions[polarity], *(aspect.clauses[polarity] for aspect in book.aspects))
    return {polarity: frozenset(clauses) for polarity, clauses in found.items()}
