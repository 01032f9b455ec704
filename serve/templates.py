"""What the pipeline takes from the copybook: pieces for the places that no draft fills, and which drafts recite it out of place."""

import random
from collections.abc import Sequence

from copywriting.brief import Brief
from copywriting.copybook import Piece, fits
from copywriting.echoes import Echoes
from copywriting.lexicon import aspects
from copywriting.occasions import tag_of


class Templates:
    """The copybook, by language and channel."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._shelves: dict[tuple[str, str], list[Piece]] = {}
        for piece in pieces:
            self._shelves.setdefault((piece.language, piece.channel), []).append(piece)
        self._echoes = Echoes(pieces)

    def misplaced(self, draft: str, brief: Brief) -> str | None:
        """A sentence of a draft that was written for something else, and what; None where there is none."""
        return self._echoes.misplaced(draft, brief)

    def suitable(self, brief: Brief, seed: int) -> tuple[str, ...]:
        """All templates whose slots the brief has, best suited first; ties are broken by the seed."""
        shelf = self._shelves.get((brief.language, brief.channel.name), [])
        fitting = [piece for piece in shelf if "name" in piece.slots and fits(piece, brief)]
        random.Random(seed).shuffle(fitting)
        fitting.sort(key=lambda piece: -_suitability(piece, brief))
        return tuple(piece.template for piece in fitting)


def _suitability(piece: Piece, brief: Brief) -> float:
    return (
        2.0 * (piece.vertical == brief.vertical)
        + 1.0 * (piece.kind == brief.kind and piece.kind is not None)
        + 1.0 * (piece.tone == brief.tone)
        + 1.0 * (piece.occasion == tag_of(brief.occasion))
        + 0.5 * sum(bool(piece.slots & aspects()[aspect].answers) for aspect in brief.doubts)
        + 0.5 * len(set(piece.principles) & set(brief.principles))
    )
