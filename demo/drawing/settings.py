"""Where a product is seen: a plain studio wall, or a simple setting that suits its vertical. Each paints a whole background."""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Paint = Callable[[ImageDraw.ImageDraw, int, random.Random], None]

STUDIO: tuple[Colour, ...] = ((236, 238, 241), (243, 236, 226), (226, 235, 236), (240, 230, 233), (232, 236, 226), (224, 228, 238))
"""Plain studio walls: pale, so that each of the fourteen product colours stands out (white ones by their dark rim)."""


def studio(side: int, rng: random.Random) -> Image.Image:
    """One pale colour."""
    return Image.new("RGB", (side, side), rng.choice(STUDIO))


def scene(kind_of_setting: str, side: int, rng: random.Random) -> Image.Image:
    """One of `SETTINGS`, `side` pixels square."""
    image = Image.new("RGB", (side, side), (240, 240, 240))
    SETTINGS[kind_of_setting](ImageDraw.Draw(image), side, rng)
    return image


def _rows(draw: ImageDraw.ImageDraw, side: int, top: Colour, bottom: Colour, edge: float) -> None:
    draw.rectangle((0, 0, side, side * edge), fill=top)
    draw.rectangle((0, side * edge, side, side), fill=bottom)


def _shelf(draw: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """A wall shelf with books at one end."""
    _rows(draw, side, rng.choice([(214, 226, 222), (232, 220, 204), (218, 222, 234)]), (168, 122, 80), 0.86)
    draw.rectangle((0, side * 0.93, side, side), fill=(136, 96, 62))
    x = 0.02
    for colour in rng.sample([(150, 74, 66), (70, 104, 122), (196, 164, 96), (96, 116, 90), (120, 96, 134)], 3):
        draw.rectangle((side * x, side * rng.uniform(0.5, 0.62), side * (x + 0.055), side * 0.86), fill=colour)
        x += 0.06


def _room(draw: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """A room: wall, skirting, wooden floor, a window."""
    _rows(draw, side, rng.choice([(226, 216, 204), (206, 220, 226), (222, 212, 222)]), (190, 150, 108), 0.74)
    draw.rectangle((0, side * 0.71, side, side * 0.74), fill=(250, 248, 244))
    for i in range(1, 4):
        draw.line((0, side * (0.74 + i * 0.07), side, side * (0.74 + i * 0.07)), fill=(170, 130, 90), width=max(1, side // 200))
    draw.rectangle((side * 0.66, side * 0.07, side * 0.95, side * 0.42), fill=(250, 248, 244))
    for x0, x1 in ((0.68, 0.795), (0.815, 0.93)):
        draw.rectangle((side * x0, side * 0.09, side * x1, side * 0.4), fill=(176, 214, 238))


def _outdoors(draw: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """Sky, sun, hills and grass."""
    _rows(draw, side, (172, 214, 242), (140, 186, 112), 0.72)
    x = rng.choice([0.14, 0.84])
    draw.ellipse((side * (x - 0.07), side * 0.06, side * (x + 0.07), side * 0.2), fill=(254, 224, 120))
    for left, colour in ((-0.2, (118, 166, 110)), (0.45, (128, 176, 116))):
        draw.ellipse((side * left, side * 0.56, side * (left + 0.85), side * 0.95), fill=colour)
    draw.rectangle((0, side * 0.78, side, side), fill=(140, 186, 112))


def _table(draw: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """A kitchen table before a tiled wall."""
    _rows(draw, side, rng.choice([(224, 232, 232), (236, 228, 214)]), (200, 160, 116), 0.76)
    for i in range(1, 6):
        draw.line((0, side * i * 0.15, side, side * i * 0.15), fill=(208, 212, 210), width=max(1, side // 150))
        draw.line((side * i * 0.17, 0, side * i * 0.17, side * 0.76), fill=(208, 212, 210), width=max(1, side // 150))
    draw.rectangle((0, side * 0.76, side, side), fill=(200, 160, 116))
    draw.rectangle((0, side * 0.76, side, side * 0.79), fill=(174, 134, 92))


def _street(draw: ImageDraw.ImageDraw, side: int, rng: random.Random) -> None:
    """A street at dusk: house fronts and a pavement."""
    _rows(draw, side, (236, 206, 186), (150, 152, 160), 0.78)
    for x0, colour in ((0.0, (186, 150, 136)), (0.26, (164, 142, 146)), (0.7, (176, 144, 124))):
        top = rng.uniform(0.12, 0.3)
        draw.rectangle((side * x0, side * top, side * (x0 + 0.3), side * 0.78), fill=colour)
        for row in range(3):
            for column in range(2):
                x, y = x0 + 0.05 + column * 0.12, top + 0.07 + row * 0.15
                draw.rectangle((side * x, side * y, side * (x + 0.07), side * (y + 0.08)), fill=(244, 222, 170))
    draw.rectangle((0, side * 0.84, side, side), fill=(128, 130, 140))


SETTINGS: dict[str, Paint] = {"shelf": _shelf, "room": _room, "outdoors": _outdoors, "table": _table, "street": _street}
"""Setting → how it is painted."""

SUITS: dict[str, tuple[str, ...]] = {
    "fashion": ("room", "street"),
    "beauty": ("shelf", "table"),
    "home": ("room", "shelf"),
    "food": ("table", "outdoors"),
    "electronics": ("table", "room"),
    "sport": ("outdoors", "street"),
    "books": ("shelf", "table"),
    "toys": ("room", "outdoors"),
    "finance": ("room", "shelf"),
    "travel": ("street", "outdoors"),
    "pet": ("room", "outdoors"),
    "baby": ("room", "outdoors"),
}
"""Vertical → the settings that its scenes use."""
