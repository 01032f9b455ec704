"""Rows deleted from an index that is read-only: kept in a file beside its directory, until the next build leaves them out.

    var/index/products.faiss  →  var/index.products.removed.npz

Beside the directory and not in it, because the card lists every file of a directory. The file names the SHA-256 of the index that it
belongs to, so what was deleted from an older build never hides rows of a newer one. Several processes may delete at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artifacts.card import CARD, read_card, sha256_of

Rows = NDArray[np.int64]


def file_of(index: Path) -> Path:
    """Where the deleted rows of an index file are kept."""
    directory = index.resolve().parent
    return directory.with_name(f"{directory.name}.{index.stem}.removed.npz")


def stamp(index: Path) -> tuple[int, int] | None:
    """Inode and time of the file of deleted rows: another value means other contents. None where there is none."""
    try:
        seen = file_of(index).stat()
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns


def identity(index: Path) -> str:
    """SHA-256 of an index file: what its card says, computed where there is no card."""
    if (index.parent / CARD).is_file():
        return read_card(index.parent).files.get(index.name) or sha256_of(index)
    return sha256_of(index)


def load(index: Path) -> Rows:
    """Deleted rows of an index file, ascending; none where the file is absent or belongs to another build."""
    path = file_of(index)
    if not path.is_file():
        return np.empty(0, np.int64)
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["index"]) != identity(index):
            return np.empty(0, np.int64)
        rows: Rows = kept["rows"].astype(np.int64)
        return rows


def add(index: Path, rows: Rows) -> Rows:
    """Add deleted rows and return all of them. On disk, synced, before it returns."""
    path = file_of(index)
    with _locked(path.with_suffix(".lock")):
        merged = np.union1d(load(index), rows).astype(np.int64)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.savez(stream, rows=merged, index=np.array(identity(index)))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    return merged


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
