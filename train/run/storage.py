"""Files of a checkpoint on a disk: written under another name, flushed to the device, then renamed. A crash leaves a file whole or none.

Object stores (s3://…) do that by themselves. That the files of a directory belong together is for the card's hashes to say.
"""

import os
import shutil
from pathlib import Path

PARTIAL = ".partial"


def keep(source: Path, target: Path) -> None:
    """Copy the files below `source` to the same places below `target`, which may hold others already (of another rank)."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            _copy(path, target / path.relative_to(source))
    for directory in [target, *(path for path in target.rglob("*") if path.is_dir()), target.parent]:
        _flush(directory)


def settle(directory: Path) -> None:
    """Flush every file below a directory, and the names that they have there, to the device."""
    for path in [*directory.rglob("*"), directory]:
        _flush(path)


def _copy(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}{PARTIAL}")
    with path.open("rb") as read, partial.open("wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    os.replace(partial, place)


def _flush(path: Path) -> None:
    """What a file holds, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
