"""Opening product pictures safely: a missing, broken, oversized or unknown file is an error that names it, never a crash later on.

PNG and JPEG, as Pillow decodes them. Nothing is fetched over the network: a merchant's pictures are files.
"""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG")
MAX_PIXELS = 50_000_000
"""Width times height: above this a small file could unpack into gigabytes."""


class MediaError(ValueError):
    """A picture that can't be used. The message names the path, the reason and the remedy."""


def open_image(path: Path) -> Image.Image:
    """Decode one PNG or JPEG into RGB, upright as its EXIF says, transparency over white. Raises MediaError."""
    if not path.is_file():
        raise MediaError(f"{path}: no such picture; put the file there or correct the product's images")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise MediaError(f"{path}: {picture.width} × {picture.height} pixels; scale it down below {MAX_PIXELS:,} pixels")
            picture.load()
            return _as_rgb(ImageOps.exif_transpose(picture))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:  # SyntaxError: Pillow's for a broken PNG
        raise MediaError(f"{path}: not a readable PNG or JPEG ({error}); replace the file") from error


def _as_rgb(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    opaque = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")
