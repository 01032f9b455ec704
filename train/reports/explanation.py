"""Weights of a text's words, and how they are shown: coloured in a terminal, as HTML. Knows no model; they come from
`train/texts/attribution.py`."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

_AGAINST, _FOR = (214, 69, 65), (46, 139, 87)  # red, green


@dataclass(frozen=True, slots=True)
class Piece:
    """A word or a mark, of Chinese a token: `text[start:end]`, and by how much it moved the log-odds."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one text and one label. `score` is the log-odds that the weights explain, `baseline` that of a text that says nothing, `gap` what
    the weights lack to the difference of the two."""

    text: str
    label: str
    chance: float
    score: float
    baseline: float
    gap: float
    pieces: tuple[Piece, ...]

    def strongest(self, count: int) -> list[str]:
        """The pieces that spoke most for the label."""
        return [self.text[one.start : one.end] for one in sorted(self.pieces, key=lambda one: -one.weight)[:count]]

    def spans(self) -> Iterator[tuple[str, float]]:
        """The whole text in order: (part, its weight), 0 for what lies between pieces. Joined, the parts are the text."""
        at = 0
        for piece in self.pieces:
            yield self.text[at : piece.start], 0.0
            yield self.text[piece.start : piece.end], piece.weight
            at = piece.end
        yield self.text[at:], 0.0


def coloured(found: Explanation) -> Text:
    """For a terminal: green spoke for the label, red against it."""
    line = Text(f"{found.label} {found.chance:.2f}  ", style="bold")
    for part, weight, strength in _shades(found):
        red, green, blue = (round(255 - (255 - channel) * strength) for channel in (_FOR if weight > 0 else _AGAINST))
        line.append(part, style=f"black on rgb({red},{green},{blue})" if strength > 0.02 else "")
    return line


def page(found: Sequence[Explanation]) -> str:
    """An HTML document with all of them."""
    lines = "\n".join(f"<p><b>{html.escape(one.label)} {one.chance:.2f}</b> {marked(one)}</p>" for one in found)
    style = "body{font:18px/2 system-ui,sans-serif;max-width:50em;margin:2em auto}span{padding:.1em 0;border-radius:.2em}"
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>Token weights</title>\n<style>{style}</style>\n{lines}\n'


def marked(found: Explanation) -> str:
    """The text as HTML, escaped; the weight is told when pointed at."""
    cells = []
    for part, weight, strength in _shades(found):
        channels = ",".join(map(str, _FOR if weight > 0 else _AGAINST))
        said = html.escape(part)
        cells.append(f'<span title="{weight:+.3f}" style="background:rgba({channels},{strength:.2f})">{said}</span>' if weight else said)
    return "".join(cells)


def _shades(found: Explanation) -> Iterator[tuple[str, float, float]]:
    """(part, weight, strength of its colour from 0 to 0.8) for the whole text."""
    most = max(abs(piece.weight) for piece in found.pieces) or 1.0
    for part, weight in found.spans():
        yield part, weight, 0.8 * abs(weight) / most
