"""The words of `aspects.yaml` as one matcher per language: which aspect of a product a text names, and what it says of it.

Only finds words. What a clause means, with its negations, is in `copywriting/aspects.py`; morphology beyond a stem's `*` is not here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from copywriting.channels import Language
from copywriting.product import Product

SOURCE = Path(__file__).with_name("aspects.yaml")
_SIGNS = {"liked": 1, "good": 1, "doubted": -1, "bad": -1}
_DEGREE = re.compile("^(?:太|有点|偏|很|挺)|了$")
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Aspect:
    """A side of a product that buyers judge. Empty `suits` suits every product; `answers` are slots whose fact answers a doubt."""

    name: str
    label: str
    suits: frozenset[str]
    answers: frozenset[str]

    def concerns(self, product: Product) -> bool:
        """Does a product of this vertical and kind have this side?"""
        return not self.suits or bool(self.suits & {product.vertical, product.kind})


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the lexicon where it stands: aspect → sign where it speaks for itself (`own`) and beside a term (`beside`); `general`
    is its sign of whatever is named near it; `terms` are the aspects it names."""

    start: int
    end: int
    terms: tuple[str, ...]
    own: Mapping[str, int]
    beside: Mapping[str, int]
    general: int


@dataclass(frozen=True, slots=True)
class _Entry:
    terms: tuple[str, ...]
    own: Mapping[str, int]
    beside: Mapping[str, int]
    general: int


@cache
def _document() -> dict[str, Any]:
    # BaseLoader reads every word as text: YAML takes "off", "no" and "true" for booleans.
    document: dict[str, Any] = yaml.load(SOURCE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return document


@cache
def aspects() -> dict[str, Aspect]:
    """Every aspect by name, in the order of the file."""
    return {
        name: Aspect(name, entry["label"], frozenset(entry.get("suits", ())), frozenset(entry["answers"]))
        for name, entry in _document()["aspects"].items()
    }


def language_in(text: str) -> Language:
    """`zh` where a text has Chinese characters, else `en`."""
    return "zh" if _HAN.search(text) else "en"


class Lexicon:
    """One language's words. `not_`, `not_not`, `wish`, `very`, `little` and `but` are the patterns of its function words."""

    def __init__(self, language: Language) -> None:
        words = _document()["words"][language]
        self._language = language
        self._entries: dict[str, _Entry] = {}
        stems: dict[str, list[tuple[str, str | None]]] = {}
        for name, entry in _document()["aspects"].items():
            for role, phrases in entry[language].items():
                for phrase in phrases:
                    stems.setdefault(phrase, []).append((role, name))
        for role in ("good", "bad", "neutral"):
            for phrase in words[role]:
                stems.setdefault(phrase, []).append((role, None))
        if language == "zh":
            _inherit(stems)
        self._entries = {phrase: _entry(roles) for phrase, roles in stems.items()}
        self._matcher = self._any_of([*stems, *words["not_not"]])
        self._stems = tuple(phrase[:-1] for phrase in stems if phrase.endswith("*"))
        self.negators, self.not_not = self._any_of(words["not"]), self._any_of(words["not_not"])
        self.wish, self.very, self.little, self.but = (self._any_of(words[role]) for role in ("wish", "very", "little", "but"))

    def words(self, text: str) -> Iterator[Word]:
        """Every word of the lexicon in lower-case text, longest first, left to right; neutral ones hide what they contain."""
        for match in self._matcher.finditer(text):
            entry = self._found(match.group())
            if entry is not None:
                yield Word(match.start(), match.end(), entry.terms, entry.own, entry.beside, entry.general)

    def _found(self, phrase: str) -> _Entry | None:
        if phrase in self._entries:
            return self._entries[phrase]
        stem = max((stem for stem in self._stems if phrase.startswith(stem)), key=len, default=None)
        return self._entries[f"{stem}*"] if stem is not None else None

    def _any_of(self, phrases: list[str]) -> re.Pattern[str]:
        begun: dict[str, list[str]] = {}
        for phrase in sorted(phrases, key=len, reverse=True):
            begun.setdefault(phrase[0], []).append(re.escape(phrase[1:]).replace(r"\*", r"\w*"))
        # By first letter: a position is then tried against a tenth of the words. Longest first matters only among those.
        either = "|".join(f"{re.escape(first)}(?:{'|'.join(rests)})" for first, rests in begun.items())
        return re.compile(either if self._language == "zh" else rf"(?<!\w)(?<!\w')(?:{either})(?!\w|'\w)")


def _inherit(stems: dict[str, list[tuple[str, str | None]]]) -> None:
    """太大 says of a size what it says of a noise: a word with its degree keeps what the bare word says beside a term."""
    for phrase, roles in stems.items():
        bare = _DEGREE.sub("", phrase)
        if bare != phrase and bare in stems:
            held = {aspect for _, aspect in roles}
            roles += [(role, aspect) for role, aspect in stems[bare] if role in ("good", "bad") and aspect and aspect not in held]


def _entry(roles: list[tuple[str, str | None]]) -> _Entry:
    def signs(*wanted: str) -> dict[str, int]:
        return {aspect: _SIGNS[role] for role, aspect in roles if role in wanted and aspect is not None}

    general = sum(_SIGNS[role] for role, aspect in roles if aspect is None and role in _SIGNS)
    terms = tuple(aspect for role, aspect in roles if role == "terms" and aspect is not None)
    return _Entry(terms, signs("liked", "doubted"), signs("good", "bad"), general)


@cache
def lexicon(language: Language) -> Lexicon:
    """The words of one language, read once."""
    return Lexicon(language)


def mentioned(text: str) -> frozenset[str]:
    """The aspects that a text speaks of, whatever it says of them."""
    found = lexicon(language_in(text)).words(text.lower().replace("’", "'"))
    return frozenset(aspect for word in found for aspect in (*word.terms, *word.own))
