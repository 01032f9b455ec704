"""A canvas in product units: shapes draw themselves in a 100 × 100 square, whatever the size, zoom or focus of the picture.

A fill is the name of a tone, an RGB colour, or HOLE, which cuts through to the background. The tone `body` is the product's own
material: its colour with its pattern. Drawing is done `OVERSAMPLING` times larger than the picture; `demo.pictures` scales it down,
which is the anti-aliasing.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from demo.drawing.patterns import texture

OVERSAMPLING = 3

Colour = tuple[int, int, int]
HOLE = (0, 0, 0, 0)
Point = tuple[float, float]
Fill = str | Colour | tuple[int, int, int, int]

TONES: dict[str, Colour] = {
    "ink": (38, 41, 50),
    "metal": (170, 177, 188),
    "steel": (118, 126, 140),
    "paper": (250, 247, 240),
    "wood": (181, 134, 88),
    "gold": (214, 170, 74),
    "glass": (206, 226, 234),
    "leaf": (92, 148, 84),
    "skin": (240, 196, 176),
}
"""Colours of parts that are not the product's own material."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Frame:
    """What of the product's square is seen: `scale` is the square's side as a share of the picture's, `focus` the point (in
    product units) that lies at `centre` (as shares of the picture)."""

    scale: float
    focus: Point = (50.0, 50.0)
    centre: Point = (0.5, 0.5)


class Canvas:
    """A transparent layer that one product is drawn on. `side` is in pixels of the finished picture."""

    def __init__(self, side: int, colour: Colour, pattern: str, frame: Frame) -> None:
        self.pixels = side * OVERSAMPLING
        self.unit = self.pixels * frame.scale / 100
        self.origin = tuple(self.pixels * c - self.unit * f for c, f in zip(frame.centre, frame.focus, strict=True))
        self.layer = Image.new("RGBA", (self.pixels, self.pixels))
        self._draw = ImageDraw.Draw(self.layer)
        self._texture = texture(pattern, colour, self.pixels, self.unit, (self.origin[0], self.origin[1]))
        self._tones = TONES | {"plain": colour, "dark": mix(colour, (18, 20, 34), 0.34), "light": mix(colour, (255, 255, 255), 0.42)}

    def polygon(self, *points: Point, fill: Fill = "body") -> None:
        """A polygon with straight edges."""
        self._paint(lambda draw, ink: draw.polygon(self._place(points), fill=ink), fill)

    def blob(self, *points: Point, fill: Fill = "body") -> None:
        """A closed smooth curve through the points (Catmull-Rom)."""
        self.polygon(*_smooth(points), fill=fill)

    def box(self, x0: float, y0: float, x1: float, y1: float, radius: float = 0.0, fill: Fill = "body") -> None:
        """A rectangle with rounded corners."""
        corners = self._place([(x0, y0), (x1, y1)])
        self._paint(lambda draw, ink: draw.rounded_rectangle(corners, radius=radius * self.unit, fill=ink), fill)

    def oval(self, x0: float, y0: float, x1: float, y1: float, fill: Fill = "body") -> None:
        """An ellipse in its bounding box."""
        corners = self._place([(x0, y0), (x1, y1)])
        self._paint(lambda draw, ink: draw.ellipse(corners, fill=ink), fill)

    def disc(self, x: float, y: float, radius: float, fill: Fill = "body") -> None:
        """A circle around a point."""
        self.oval(x - radius, y - radius, x + radius, y + radius, fill)

    def line(self, *points: Point, width: float = 2.0, fill: Fill = "dark") -> None:
        """An open line with round ends and joints."""
        placed, pixels = self._place(points), max(1, round(width * self.unit))

        def strokes(draw: ImageDraw.ImageDraw, ink: Fill | int) -> None:
            draw.line(placed, fill=ink, width=pixels, joint="curve")
            for x, y in (placed[0], placed[-1]):
                draw.ellipse((x - pixels / 2, y - pixels / 2, x + pixels / 2, y + pixels / 2), fill=ink)

        self._paint(strokes, fill)

    def curve(self, *points: Point, width: float = 2.0, fill: Fill = "dark") -> None:
        """An open smooth line through the points."""
        self.line(*_smooth(points, closed=False), width=width, fill=fill)

    def arc(self, x0: float, y0: float, x1: float, y1: float, start: float, end: float, width: float = 2.0, fill: Fill = "dark") -> None:
        """A part of an ellipse's rim, from `start` to `end` degrees, clockwise from three o'clock."""
        angles = (math.radians(start + (end - start) * step / 24) for step in range(25))
        rim = [((x0 + x1) / 2 + (x1 - x0) / 2 * math.cos(a), (y0 + y1) / 2 + (y1 - y0) / 2 * math.sin(a)) for a in angles]
        self.line(*rim, width=width, fill=fill)

    def outlined(self, width: float = 1.1) -> Image.Image:
        """The layer with a dark rim around the silhouette, so that a white product stands out from a white wall."""
        reach = max(1, round(width * self.unit / 2))
        alpha = self.layer.getchannel("A")
        rim = Image.new("RGBA", self.layer.size, (*self._tones["dark"], 0))
        rim.putalpha(alpha.filter(ImageFilter.BoxBlur(reach)).point(lambda a: 235 if a > 6 else 0))
        rim.alpha_composite(self.layer)
        return rim

    def _place(self, points: Sequence[Point]) -> list[Point]:
        return [(self.origin[0] + x * self.unit, self.origin[1] + y * self.unit) for x, y in points]

    def _paint(self, stroke: Callable[[ImageDraw.ImageDraw, Fill | int], None], fill: Fill) -> None:
        if fill != "body":
            stroke(self._draw, self._tones[fill] if isinstance(fill, str) else fill)
            return
        mask = Image.new("L", self.layer.size)
        stroke(ImageDraw.Draw(mask), 255)
        self.layer.paste(self._texture, mask=mask)


Shape = Callable[[Canvas], None]
"""Draws one kind of product inside the 100 × 100 square."""


def mirrored(*points: Point) -> list[Point]:
    """The points, then their mirror images about the middle (x = 50) in reverse: a symmetric outline from its left half."""
    return [*points, *((100 - x, y) for x, y in reversed(points))]


def _smooth(points: Sequence[Point], steps: int = 12, closed: bool = True) -> list[Point]:
    """Points of a Catmull-Rom spline through `points`."""
    count = len(points)

    def at(index: int) -> Point:
        return points[index % count] if closed else points[min(max(index, 0), count - 1)]

    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        a, b, c, d = at(i - 1), at(i), at(i + 1), at(i + 2)
        for step in range(steps):
            t = step / steps
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) / 2 for axis in (0, 1))
            curve.append((x, y))
    return curve if closed else [*curve, points[-1]]
