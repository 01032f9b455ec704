"""A merchant's photo archive into the shop's media/ directory."""

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from retrieval.sources import SourceError


def extract(archive: Path, members: set[str], media: Path) -> set[str]:
    """Copy the named files of a tar (plain or compressed) to `media`, by their base name. Returns those found there.

    Only regular files are written, and only under the names asked for: an archive can't place a file elsewhere.
    """
    media.mkdir(parents=True, exist_ok=True)
    found = set()
    with _opened(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            content = tar.extractfile(member) if name in members and member.isfile() else None
            if content is None:
                continue
            with content, (media / PurePosixPath(name).name).open("wb") as copy:
                shutil.copyfileobj(content, copy)
            found.add(name)
    return found


def _opened(archive: Path) -> tarfile.TarFile:
    """The archive, for the caller to close."""
    try:
        return tarfile.open(archive)
    except (OSError, tarfile.TarError) as error:
        raise SourceError(f"{archive}: not a readable tar ({error}); correct the mapping's media.tar") from error
