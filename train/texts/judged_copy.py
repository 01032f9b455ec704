"""What the persuasion scorer learns from: pieces of the copybook with their slots filled, flat statements beside them, and damaged copy.

A piece's own tags are its principles. Flat catalogue statements have none and do not persuade. Damaged copy (cut short, shuffled,
repeating, spliced from two pieces) does not persuade either; what damage does to the principles is not known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from copywriting.copybook import Piece
from copywriting.principles import PRINCIPLES
from copywriting.slots import fill
from train.texts.fillers import flat_statement, slot_values

LABELS = (*PRINCIPLES, "persuasive")
UNKNOWN = -1.0
_INTACT = 0.55  # share of intact copy; the rest is half flat statements, half damage


@dataclass(frozen=True, slots=True)
class Judged:
    """A filled text and a label for each of LABELS: 1, 0, or -1 where it is not known."""

    text: str
    labels: tuple[float, ...]


def make(pieces: Sequence[Piece], number: int, random: Random) -> Judged:
    """One example from piece `number`: intact, made flat, or damaged."""
    kind = random.random()
    if kind < _INTACT:
        return intact(pieces[number], random)
    return flat(pieces[number], random) if kind < (1 + _INTACT) / 2 else damaged(pieces, number, random)


def intact(piece: Piece, random: Random) -> Judged:
    """The piece as a shopper reads it."""
    return Judged(_filled(piece.template, piece, random), (*(float(name in piece.principles) for name in PRINCIPLES), 1.0))


def flat(piece: Piece, random: Random) -> Judged:
    """Catalogue facts in the piece's language: no principle, not persuasive."""
    template = " ".join(flat_statement(piece.language, random) for _ in range(random.choice((1, 1, 2))))
    return Judged(_filled(template, piece, random), (0.0,) * len(LABELS))


def damaged(pieces: Sequence[Piece], number: int, random: Random) -> Judged:
    """Copy that is no longer well formed: not persuasive, principles unknown."""
    piece = pieces[number]
    units = _units(_filled(piece.template, piece, random))
    how = random.choice((_cut, _shuffle, _repeat, _splice))
    others = [other for other in random.sample(list(pieces), min(40, len(pieces))) if other.language == piece.language] or [piece]
    other = random.choice(others)
    text = "".join(how(units, _units(_filled(other.template, other, random)), random)).strip()
    return Judged(text, (*((UNKNOWN,) * len(PRINCIPLES)), 0.0))


def _filled(template: str, piece: Piece, random: Random) -> str:
    return fill(template, slot_values(piece.language, piece.occasion, random))[0]


def _units(text: str) -> list[str]:
    """Words with the space before them, or single Chinese characters."""
    return re.findall(r"\s*[\u3400-\u9fff]|\s*[^\s\u3400-\u9fff]+", text) or [text]


def _cut(units: list[str], _other: list[str], random: Random) -> list[str]:
    kept = max(2, int(len(units) * random.uniform(0.3, 0.8)))
    last = units[kept - 1].rstrip(".!?。！？,，;；")  # a cut that ends a sentence would be no damage
    return [*units[: kept - 1], last]


def _shuffle(units: list[str], _other: list[str], random: Random) -> list[str]:
    begin = random.randrange(max(1, len(units) // 2))
    end = begin + max(6, int((len(units) - begin) * random.uniform(0.5, 1.0)))
    middle = units[begin:end]
    random.shuffle(middle)
    return [*units[:begin], *middle, *units[end:]]


def _repeat(units: list[str], _other: list[str], random: Random) -> list[str]:
    begin = random.randrange(max(1, len(units) - 3))
    phrase = units[begin : begin + random.randint(2, 6)]
    return [*units[:begin], *(phrase * random.randint(3, 5)), *units[begin + len(phrase) :]]


def _splice(units: list[str], other: list[str], random: Random) -> list[str]:
    return [*units[: int(len(units) * random.uniform(0.3, 0.7))], *other[int(len(other) * random.uniform(0.35, 0.7)) :]]


def examination(pieces: Sequence[Piece], seed: int) -> list[Judged]:
    """The held-out examples, always the same: each piece intact, and one flat or damaged text beside it."""
    found = []
    for number, piece in enumerate(pieces):
        random = Random(f"{seed}/judge/{piece.piece_id}")
        found += [intact(piece, random), flat(piece, random) if number % 2 else damaged(pieces, number, random)]
    return found
