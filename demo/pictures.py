"""Pictures of the sample shop's products, drawn by code: no photograph, no licence to ask for, the same bytes from the same seed.

`render_product` writes three views of one product: the front in a studio, a close-up of its material, the product in a setting.
Real shops bring their own photographs; nothing but the demo and the small CLIP's training set uses this.
`python -m demo.pictures OUT` draws a contact sheet of the sixty kinds.
"""

import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

from copywriting.taxonomy import VERTICALS
from demo.drawing import SHAPES
from demo.drawing.canvas import OVERSAMPLING, Canvas, Frame, Point
from demo.drawing.patterns import PATTERNS
from demo.drawing.settings import SUITS, scene, studio

SIDE = 224
VIEWS = ("front", "detail", "scene")
_MOST_TILT = 4.0  # degrees
_PALETTE_SIZE = 128  # flat drawings lose nothing visible at 128 colours, and the files are a third of true colour's

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (208, 44, 48),
    "orange": (240, 130, 36),
    "yellow": (246, 206, 58),
    "green": (58, 150, 74),
    "teal": (22, 142, 142),
    "blue": (50, 120, 214),
    "navy": (28, 42, 92),
    "purple": (128, 70, 168),
    "pink": (240, 142, 174),
    "brown": (124, 78, 46),
    "black": (34, 34, 38),
    "grey": (138, 142, 150),
    "white": (252, 252, 252),
    "cream": (244, 228, 190),
}
"""Colour name → the sRGB that a product of that colour is drawn in, before a small shift per product."""

_FOCUS: dict[str, Point] = {
    "shoes": (40, 64),
    "makeup": (42, 52),
    "lighting": (50, 36),
    "kitchenware": (42, 56),
    "cycling": (70, 42),
    "ride_ons": (36, 58),
    "insurance": (46, 40),
    "pensions": (50, 48),
    "travel_accessories": (34, 36),
    "dog_food": (48, 62),
    "cat_food": (48, 70),
    "grooming": (40, 42),
    "headphones": (26, 60),
    "smartwatches": (50, 70),
    "swimming": (34, 56),
    "bedding": (50, 58),
    "nursery": (46, 46),
    "bath": (46, 56),
    "strollers": (42, 44),
    "running": (44, 58),
    "yoga": (52, 58),
    "tea": (54, 56),
    "decor": (48, 62),
    "chargers": (46, 54),
    "picture_books": (30, 66),
}
"""Kind → what its close-up looks at, in product units, where that is not a little above the middle."""

VERTICAL_OF = {kind: vertical for vertical, kinds in VERTICALS.items() for kind in kinds}
"""Kind → its vertical."""


def draw(shape: str, colour: str, pattern: str, view: str, seed: int, side: int = SIDE) -> Image.Image:
    """One RGB picture of `side` × `side` pixels. `shape` is a kind of the taxonomy, `view` one of VIEWS; `seed` names the product,
    so its views share a tint. Raises ValueError naming an unknown word and the known ones."""
    words = (("shape", shape, SHAPES), ("colour", colour, COLOURS), ("pattern", pattern, PATTERNS), ("view", view, VIEWS))
    for name, value, known in words:
        if value not in known:
            raise ValueError(f"{name} = {value!r}: unknown; use one of {list(known)}")
    rng = random.Random(f"{seed} {view}")
    canvas = Canvas(side, _tint(COLOURS[colour], seed), pattern, _frame(shape, view, rng))
    SHAPES[shape](canvas)
    product = canvas.outlined()
    if view != "detail":
        product = _tilted(product, rng.uniform(-_MOST_TILT, _MOST_TILT))
    pixels = side * OVERSAMPLING
    if view == "scene":
        product = ImageChops.offset(product, 0, round(pixels * rng.uniform(0.86, 0.92)) - _foot(product))
        picture = scene(setting_of(shape, seed), pixels, rng)
    else:
        picture = studio(pixels, rng)
    picture.paste((70, 70, 84), (0, round(pixels * 0.012)), _shadow(product))
    picture.paste(product, mask=product)
    return picture.resize((side, side), Image.Resampling.BOX)


def render_product(shape: str, colour: str, pattern: str, directory: Path, stem: str, seed: int) -> list[Path]:
    """Write `<stem>-front.png`, `<stem>-detail.png` and `<stem>-scene.png` into `directory`; returns their paths in that order."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for view in VIEWS:
        path = directory / f"{stem}-{view}.png"
        picture = draw(shape, colour, pattern, view, seed).quantize(_PALETTE_SIZE, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        picture.save(path, optimize=True)
        paths.append(path)
    return paths


def setting_of(shape: str, seed: int) -> str:
    """Which of `demo.drawing.settings.SETTINGS` the scene of a product shows."""
    return random.Random(f"{seed} setting").choice(SUITS[VERTICAL_OF[shape]])


def _tilted(product: Image.Image, degrees: float) -> Image.Image:
    """Turned about the middle of the canvas: the part that holds something alone, which gives the same in two thirds of the time."""
    left, top, right, bottom = product.getbbox() or (0, 0, 0, 0)
    reach = round(max(product.size) * math.tan(math.radians(_MOST_TILT)))  # no pixel moves further
    box = (max(0, left - reach), max(0, top - reach), min(product.width, right + reach), min(product.height, bottom + reach))
    centre = (product.width / 2 - box[0], product.height / 2 - box[1])
    tilted = Image.new("RGBA", product.size)
    tilted.paste(product.crop(box).rotate(degrees, Image.Resampling.BICUBIC, center=centre), box)
    return tilted


def _tint(colour: tuple[int, int, int], seed: int) -> tuple[int, int, int]:
    """The colour, shifted a little: two red products are not the same red."""
    rng = random.Random(f"{seed} tint")
    red, green, blue = (min(255, max(0, channel + rng.randint(-9, 9))) for channel in colour)
    return red, green, blue


def _frame(shape: str, view: str, rng: random.Random) -> Frame:
    if view == "detail":
        return Frame(scale=rng.uniform(1.75, 2.0), focus=_FOCUS.get(shape, (48.0, 46.0)))
    if view == "scene":
        return Frame(rng.uniform(0.58, 0.68), (50.0, 50.0), (rng.uniform(0.42, 0.58), 0.5))
    return Frame(rng.uniform(0.82, 0.92), (50.0, 50.0), (rng.uniform(0.48, 0.52), rng.uniform(0.48, 0.52)))


def _foot(product: Image.Image) -> int:
    """The lowest row of pixels that the product covers: what stands on a setting's floor."""
    return (product.getbbox() or (0, 0, 0, product.height))[3]


def _shadow(product: Image.Image) -> Image.Image:
    """A soft faint copy of the silhouette. Blurred on a small copy: the same look at a tenth of the time."""
    small = product.getchannel("A").resize((product.width // 6, product.height // 6), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.GaussianBlur(small.width * 0.012)).point(lambda alpha: round(alpha * 0.28))
    return soft.resize(product.size, Image.Resampling.BILINEAR)


def contact_sheet(view: str, side: int = 112, columns: int = 10) -> Image.Image:
    """Every kind once, in changing colours and patterns: to look at."""
    sheet = Image.new("RGB", (side * columns, side * -(-len(SHAPES) // columns)))
    colours, patterns = list(COLOURS), list(PATTERNS)
    for i, shape in enumerate(SHAPES):
        picture = draw(shape, colours[i * 5 % len(colours)], patterns[i % len(patterns)], view, i, side)
        sheet.paste(picture, (i % columns * side, i // columns * side))
    return sheet


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each in VIEWS:
        contact_sheet(each).save(target / f"{each}.png")
