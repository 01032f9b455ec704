"""Copy without a model: the copybook's own pieces that suit a brief, for when the generator does not answer in time."""

import random
from collections.abc import Sequence

from copywriting.brief import Brief
from copywriting.copybook import Piece
from copywriting.taxonomy import GENERAL


class Templates:
    """The copybook, by language and channel."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._shelves: dict[tuple[str, str], list[Piece]] = {}
        for piece in pieces:
            self._shelves.setdefault((piece.language, piece.channel), []).append(piece)

    def suitable(self, brief: Brief, seed: int) -> tuple[str, ...]:
        """All templates whose slots the brief has, best suited first; ties are broken by the seed."""
        shelf = self._shelves.get((brief.language, brief.channel.name), [])
        fitting = [piece for piece in shelf if _fits(piece, brief)]
        random.Random(seed).shuffle(fitting)
        fitting.sort(key=lambda piece: -_suitability(piece, brief))
        return tuple(piece.template for piece in fitting)


def _fits(piece: Piece, brief: Brief) -> bool:
    return (
        piece.vertical in (brief.vertical, GENERAL)
        and piece.kind in (None, brief.kind)
        and piece.occasion in ("everyday", brief.occasion)
        and piece.intent == brief.intent
        and piece.slots.issubset(brief.slots)
        and "name" in piece.slots
    )


def _suitability(piece: Piece, brief: Brief) -> float:
    return (
        2.0 * (piece.vertical == brief.vertical)
        + 1.0 * (piece.kind == brief.kind and piece.kind is not None)
        + 1.0 * (piece.tone == brief.tone)
        + 1.0 * (piece.occasion == brief.occasion)
        + 0.5 * len(set(piece.principles) & set(brief.principles))
    )
