"""Augmentation of labelled texts: small changes that leave the label as it is, drawn anew in every epoch. Off by default.

    augment: {delete: 0.1, swap: 0.1, marks: 0.2, width: 0.1, case: 0.2}          # in a classifier's YAML
    augment: {paraphrase: 0.3}                                                    # persuasion, from the copybook

Each setting is the share of texts that a kind of noise changes. Words (Chinese: characters) are left out or change places with the next
one (Wei and Zou 2019, without its synonyms), marks go or change their width, digits and letters become wide or narrow, case changes.
Nothing is made up: there are no synonyms from a word list, which would not know what a shop means by a word.

Slot shuffling is elsewhere and on: the persuasion scorer fills a piece's slots anew in every epoch (train/texts/judged_copy.py) unless
`slots: false`; the generator gets another brief for a piece in every epoch (train/texts/examples.py).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from pydantic import BaseModel, ConfigDict, Field

from copywriting.copybook import Piece

_SHARE = 0.1  # of a text's words that a deletion or swap touches, at least one
_UNIT = re.compile(r"\s*[\u3400-\u9fff]|\s*[^\s\u3400-\u9fff]+")
_MARKS = {"，": ",", "。": ".", "！": "!", "？": "?", "；": ";", "：": ":", "（": "(", "）": ")"}
_OTHER_WIDTH = _MARKS | {narrow: wide for wide, narrow in _MARKS.items()}
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code).isalnum()}


class Noise(BaseModel):
    """How often each kind of noise changes a training text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delete: float = Field(default=0.0, ge=0, le=1)
    swap: float = Field(default=0.0, ge=0, le=1)
    marks: float = Field(default=0.0, ge=0, le=1)
    width: float = Field(default=0.0, ge=0, le=1)
    case: float = Field(default=0.0, ge=0, le=1)


class CopyNoise(Noise):
    """Besides, what can be done with copy of which the template is known."""

    slots: bool = True
    """Whether a piece is made into an example anew in every epoch: other values in its slots, or flat or damaged."""
    paraphrase: float = Field(default=0.0, ge=0, le=1)
    """How often one part of a piece (headline, body, call) is taken from a sister piece with the same tags and principles."""


def noisy(text: str, noise: Noise, random: Random) -> str:
    """The text with the noise that is drawn for it; never empty."""
    for name, change in _KINDS.items():
        share = getattr(noise, name)
        if share and random.random() < share:
            text = change(text, random) or text
    return text


def _delete(text: str, random: Random) -> str:
    units = _UNIT.findall(text)
    gone = set(random.sample(range(len(units)), min(len(units) - 1, max(1, int(len(units) * _SHARE))))) if len(units) > 1 else set()
    return "".join(unit for number, unit in enumerate(units) if number not in gone).strip()


def _swap(text: str, random: Random) -> str:
    units = _UNIT.findall(text)
    for _ in range(max(1, int(len(units) * _SHARE)) if len(units) > 1 else 0):
        at = random.randrange(len(units) - 1)
        first, second = units[at], units[at + 1]
        # the white space before each place stays where it is
        units[at], units[at + 1] = _lead(first) + second.lstrip(), _lead(second) + first.lstrip()
    return "".join(units)


def _lead(unit: str) -> str:
    return unit[: len(unit) - len(unit.lstrip())]


def _marks(text: str, random: Random) -> str:
    gone = random.random() < 0.5
    return "".join("" if gone and each in _OTHER_WIDTH else _OTHER_WIDTH.get(each, each) for each in text)


def _width(text: str, random: Random) -> str:
    return text.translate(_WIDE) if random.random() < 0.5 else unicodedata.normalize("NFKC", text)


def _case(text: str, random: Random) -> str:
    return random.choice((str.lower, str.upper, str.capitalize))(text)


_KINDS: dict[str, Callable[[str, Random], str]] = {"delete": _delete, "swap": _swap, "marks": _marks, "width": _width, "case": _case}
"""Name of a setting → what it does."""


class Sisters:
    """Pieces that may lend each other their parts: same language, channel, vertical, occasion, kind, intent and principles."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._alike: dict[tuple[object, ...], list[Piece]] = defaultdict(list)
        for piece in pieces:
            self._alike[_tags(piece)].append(piece)

    def paraphrase(self, piece: Piece, random: Random) -> Piece:
        """The piece with one part of a sister's; as it is where it has one part only, or no sister."""
        others = [other for other in self._alike[_tags(piece)] if other.parts != piece.parts]
        if not others or len(piece.parts) < 2:
            return piece
        place, parts = random.randrange(len(piece.parts)), list(piece.parts)
        parts[place] = random.choice(others).parts[place]
        return replace(piece, parts=tuple(parts))


def _tags(piece: Piece) -> tuple[object, ...]:
    return piece.language, piece.channel, piece.vertical, piece.occasion, piece.kind, piece.intent, frozenset(piece.principles)
