"""Does a draft recite the copybook in the wrong place? A small model now and then gives tea copy to headphones, or a festival to a Monday.

Told by whole sentences: one that the copybook has, but only in pieces for other products, days or questions, is misplaced.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from copywriting.brief import Brief
from copywriting.copybook import Piece, suits
from copywriting.slots import literals

_ENDS = re.compile(r"[。！？!?；;\n]+|\.(?:\s|$)")


def sentences(template: str) -> list[str]:
    """The sentences of unfilled copy that have words besides slots, without their ends, in lower case."""
    parts = (part.strip().casefold() for part in _ENDS.split(template))
    return [part for part in parts if any(character.isalpha() for literal in literals(part) for character in literal)]


class Echoes:
    """Every sentence of a copybook, and the pieces that have it."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._homes: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            for sentence in sentences(piece.template):
                self._homes[sentence].append(piece)

    def misplaced(self, template: str, brief: Brief) -> str | None:
        """The first sentence that belongs to something else, with what that is; None where there is none."""
        for sentence in sentences(template):
            homes = self._homes.get(sentence, ())
            if homes and not any(suits(piece, brief) for piece in homes):
                home = homes[0]
                return f"{sentence!r} belongs to {home.vertical}{f'/{home.kind}' if home.kind else ''}, {home.intent or home.occasion}"
        return None
