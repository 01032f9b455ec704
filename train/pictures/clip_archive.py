"""Pictures inside a .tar, read where they lie: nothing is unpacked, a picture is found by its place in the file.

    members(Path("images.tar"))                 # {"10000.jpg": (offset, size), …}
    open_member(Path("images.tar"), "10000.jpg")

The archive must not be compressed: a place in a compressed one can't be found without reading all before it.
"""

import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from PIL import Image

from multimodal.media import MediaError, open_image
from train.run.settings import ConfigError


@lru_cache(maxsize=4)
def members(archive: Path) -> Mapping[str, tuple[int, int]]:
    """Name → (offset, size) in bytes of every file in it. Raises ConfigError for what is no uncompressed tar."""
    try:
        with tarfile.open(archive, "r:") as held:
            return {entry.name.removeprefix("./"): (entry.offset_data, entry.size) for entry in held if entry.isreg()}
    except (tarfile.TarError, OSError) as error:
        raise ConfigError(
            f"images = {str(archive)!r}: not an uncompressed tar ({error}); give a directory of pictures, or a .tar without compression"
        ) from error


def open_member(archive: Path, name: str) -> Image.Image:
    """Decode one picture as `open_image` does. Raises MediaError naming archive and picture."""
    offset, size = members(archive)[name]
    with NamedTemporaryFile() as alone:  # open_image, which knows what is safe to decode, takes files
        with archive.open("rb") as held:
            held.seek(offset)
            alone.write(held.read(size))
        alone.flush()
        try:
            return open_image(Path(alone.name))
        except MediaError as error:
            raise MediaError(str(error).replace(alone.name, f"{archive}/{name}")) from error
