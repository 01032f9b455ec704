"""The six patterns, painted as a texture that a product's body is cut from. Periods are in product units, so a close-up is larger."""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
_PERIOD = 12.0
_DARK_SECOND = (92, 104, 128)


def second_colour(colour: Colour) -> Colour:
    """The pattern's colour: near white on most colours, a slate on those that are too light for it."""
    light = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 178
    target, share = (_DARK_SECOND, 0.62) if light else ((255, 255, 255), 0.74)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, target, strict=True))
    return red, green, blue


def texture(pattern: str, colour: Colour, pixels: int, unit: float, origin: tuple[float, float]) -> Image.Image:
    """A square of `pixels` filled with the pattern. It is anchored at `origin`, so that it moves with the product."""
    image = Image.new("RGB", (pixels, pixels), colour)
    PATTERNS[pattern](ImageDraw.Draw(image), second_colour(colour), pixels, unit * _PERIOD, origin)
    return image


_Paint = Callable[[ImageDraw.ImageDraw, Colour, int, float, tuple[float, float]], None]


def _plain(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    """Nothing but the colour."""


def _starts(pixels: int, period: float, origin: float) -> list[float]:
    """Where repeats of a period begin along one axis, from before the edge to after it."""
    first = origin % period - 2 * period
    return [first + period * i for i in range(math.ceil(pixels / period) + 4)]


def _stripes(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    for y in _starts(pixels, period, origin[1]):
        draw.rectangle((0, y, pixels, y + period * 0.42), fill=ink)


def _dots(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    radius = period * 0.25
    for row, y in enumerate(_starts(pixels, period * 0.8, origin[1])):
        for x in _starts(pixels, period, origin[0] + (row % 2) * period / 2):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _checks(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    half = period / 2
    for row, y in enumerate(_starts(pixels, half, origin[1])):
        for x in _starts(pixels, period, origin[0] + (row % 2) * half):
            draw.rectangle((x, y, x + half, y + half), fill=ink)


def _waves(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    xs = _starts(pixels, period / 12, origin[0])
    swings = [period * 0.26 * math.sin((x - origin[0]) / period * 1.25 * math.pi) for x in xs]
    for y in _starts(pixels, period, origin[1]):
        upper = [(x, y + swing) for x, swing in zip(xs, swings, strict=True)]
        draw.polygon([*upper, *((x, v + period * 0.34) for x, v in reversed(upper))], fill=ink)


def _leaves(draw: ImageDraw.ImageDraw, ink: Colour, pixels: int, period: float, origin: tuple[float, float]) -> None:
    step = period * 1.15
    for row, y in enumerate(_starts(pixels, step * 0.72, origin[1])):
        tilt = 0.7 if row % 2 else -0.7
        for x in _starts(pixels, step, origin[0] + (row % 2) * step / 2):
            draw.polygon(_leaf(x, y, period * 0.52, tilt), fill=ink)


def _leaf(x: float, y: float, length: float, tilt: float) -> list[tuple[float, float]]:
    """A pointed oval: two arcs between the tips."""
    points = []
    for i in range(16):
        along, side = (i / 4 - 1, 0.42) if i < 8 else (3 - i / 4, -0.42)
        across = side * (1 - along**2)
        right, down = along * math.sin(tilt) + across * math.cos(tilt), along * math.cos(tilt) - across * math.sin(tilt)
        points.append((x + length * right, y + length * down))
    return points


PATTERNS: dict[str, _Paint] = {
    "plain": _plain,
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "waves": _waves,
    "leaves": _leaves,
}
"""Pattern → how it is painted."""
