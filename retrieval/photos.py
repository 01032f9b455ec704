"""A merchant's photo archive into the shop's media/ directory."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from retrieval.sources import SourceError


def extract(archive: Path, members: set[str], media: Path) -> set[str]:
    """Copy the named files of a tar (plain or compressed) to `media`, by their base name. Returns those found there.

    Only regular files are written, and only under the names asked for: an archive can't place a file elsewhere. Raises SourceError for
    an archive that can't be read to its end.
    """
    media.mkdir(parents=True, exist_ok=True)
    found = set()
    for name, content in _contents(archive, members):
        (media / PurePosixPath(name).name).write_bytes(content)
        found.add(name)
    return found


def _contents(archive: Path, members: set[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each member asked for."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                content = tar.extractfile(member) if name in members and member.isfile() else None
                if content:
                    yield name, content.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{archive}: not a readable tar ({error}); correct the mapping's media.tar, or copy the archive again") from error
