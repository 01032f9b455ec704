"""The pointer of a registry: a file `current` with names of versions, one a line, the one that serves first.

A reader has the old pointer or the new one, never half of one: it is replaced by a rename. Who may move it, and what is checked before,
is `versions.py`; who follows it is `live.py`.
"""

import os
import re
from pathlib import Path

from artifacts.card import ArtifactError

POINTER = "current"
NAME = re.compile(r"v-[0-9a-f]{12}")

Stamp = tuple[int, int] | None
"""Inode and date of a pointer, or None where there is none."""


def current(root: Path) -> Path:
    """The directory that serves: what the pointer names, or `root` itself where it holds no pointer."""
    names = versions(root)
    return root / names[0] if names else root


def versions(root: Path) -> list[str]:
    """Names that the pointer holds, the one that serves first; none where there is no pointer. Raises ArtifactError for anything else."""
    try:
        names = (root / POINTER).read_text(encoding="utf-8").split()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{root / POINTER}: is not text ({error}); write the name of a version into it, as in {root}/v-*") from error
    for name in names or [""]:
        if not NAME.fullmatch(name):
            raise ArtifactError(f"{root / POINTER}: {name!r} is no name of a version; write one of {root}/v-* into it")
    return names


def point(root: Path, names: list[str]) -> None:
    """Replace the pointer, durably once this returns."""
    partial = root / f"{POINTER}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        stream.write("\n".join(names) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, root / POINTER)
    descriptor = os.open(root, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the rename itself is on disk
    finally:
        os.close(descriptor)


def stamp(root: Path) -> Stamp:
    """What changes whenever the pointer is replaced, also by one that says the same."""
    try:
        seen = (root / POINTER).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return seen.st_ino, seen.st_mtime_ns
