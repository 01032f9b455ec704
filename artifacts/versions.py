"""Versions of an index side by side, swapped under running searches: `python -m artifacts.versions INDEX {publish NEW | rollback | list}`.

    INDEX/v-3f2a…/   INDEX/v-90cd…/   INDEX/current      the pointer: names of versions, the one that serves first

`publish` checks every hash before the pointer moves; a directory that fails is refused and the old one goes on serving. The pointer is
replaced by a rename, so a reader sees the old one or the new one. Older versions stay, two of them, for `rollback` and for readers that
opened them; a mapped file outlives its name. A directory without a pointer is an index by itself, as `retrieval.build` writes it.
Which version is better, and copying between machines, are not here.
"""

import argparse
import fcntl
import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from artifacts.card import CARD, ArtifactError, verify

_LOG = logging.getLogger(__name__)
POINTER = "current"
KEPT = 2  # older versions beside the one that serves
_NAME = re.compile(r"v-[0-9a-f]{12}")

Opened = TypeVar("Opened")


def publish(root: Path, new: Path, kind: str = "index") -> Path:
    """Move the directory `new` in as a version and let it serve; returns where it is. Raises ArtifactError, with nothing changed, where a
    hash or the kind is wrong."""
    if (root / CARD).is_file():
        raise ArtifactError(
            f"{root}: is an index by itself and holds no versions; name a directory that is absent, empty or has a {POINTER!r}"
        )
    card = verify(new, kind)
    target = root / f"v-{card.version}"
    if not _NAME.fullmatch(target.name):
        raise ArtifactError(f"{new / CARD}: version = {card.version!r} is not twelve hexadecimal digits; make the directory again")
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        if target.is_dir():
            verify(target, kind)  # published before: what is there serves, if it is still whole
        else:
            _moved(new, target, kind)
        names = [target.name, *(name for name in versions(root) if name != target.name)][: 1 + KEPT]
        _point(root, names)
        _clear(root, names)
    return target


def rollback(root: Path, kind: str = "index") -> Path:
    """Let the version before the current one serve; returns where it is. What was current is removed at the next publication. Raises
    ArtifactError where there is none before it, or it is no longer whole."""
    with _locked(root):
        names = versions(root)[1:]
        if not names:
            raise ArtifactError(f"{root}: no version before the current one is kept; publish a good one")
        verify(root / names[0], kind)
        _point(root, names)
    return root / names[0]


def current(root: Path) -> Path:
    """The directory that serves: what the pointer names, or `root` itself where it holds no pointer."""
    names = versions(root)
    return root / names[0] if names else root


def versions(root: Path) -> list[str]:
    """Names that the pointer holds, the one that serves first; none where there is no pointer. Raises ArtifactError for anything else."""
    try:
        names = (root / POINTER).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{root / POINTER}: is not text ({error}); write the name of a version into it, as in {root}/v-*") from error
    for name in names or [""]:
        if not _NAME.fullmatch(name):
            raise ArtifactError(f"{root / POINTER}: {name!r} is no name of a version; write one of {root}/v-* into it")
    return names


class Live(Generic[Opened]):
    """The current version, opened: a replica asks `get` for each request and a new version takes over between two requests.

    `opener` turns a directory into the object that searches, and verifies it. A version that does not open is refused, with the reason in
    `refused` and in the log, while the old one serves. `refresh` is called on the object at each look, for deletions."""

    def __init__(
        self,
        root: Path,
        opener: Callable[[Path], Opened],
        refresh: Callable[[Opened], None] | None = None,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._opener, self._refresh, self._every_s, self._clock = root, opener, refresh, every_s, clock
        self._looking = threading.Lock()
        self._stamp = self._pointer_stamp()
        self._held = (current(root), opener(current(root)))
        self._next_look = clock() + every_s
        self.refused = ""

    @property
    def version(self) -> str:
        """Name of the directory that serves."""
        return self._held[0].name

    def get(self) -> Opened:
        """The object that serves now. At most once in `every_s` seconds it looks at the pointer's date; one thread opens a new version
        while the others go on with the old one."""
        if self._clock() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._next_look = self._clock() + self._every_s
                self._looking.release()
        return self._held[1]

    def _look(self) -> None:
        stamp = self._pointer_stamp()
        if stamp != self._stamp:
            self._swap(stamp)
        elif self._refresh is not None:
            self._refresh(self._held[1])

    def _swap(self, stamp: tuple[int, int] | None) -> None:
        try:
            directory = current(self._root)
            if directory != self._held[0]:
                self._held = (directory, self._opener(directory))  # one assignment: a reader has the old pair or the new one
            self._stamp, self.refused = stamp, ""
        except OSError as error:  # a disk or a network share may be back at the next look
            self._refuse(error)
        except (ValueError, RuntimeError) as error:  # a bad directory stays bad: no second reading of its files until the pointer moves
            self._stamp = stamp
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """Say it once, in the log of whoever serves."""
        if str(error) != self.refused:
            _LOG.error("%s goes on serving: %s", self.version, error)
        self.refused = str(error)

    def _pointer_stamp(self) -> tuple[int, int] | None:
        try:
            seen = (self._root / POINTER).stat()
        except FileNotFoundError:
            return None
        return seen.st_ino, seen.st_mtime_ns


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One publisher at a time, over processes."""
    with (root / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _moved(new: Path, target: Path, kind: str) -> None:
    """Rename on one file system; between two, copy under another name, check and rename, so that no half version has a name."""
    if new.stat().st_dev == target.parent.stat().st_dev:
        new.rename(target)
        return
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(new, partial)
    verify(partial, kind)
    partial.rename(target)


def _point(root: Path, names: list[str]) -> None:
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


def _clear(root: Path, names: list[str]) -> None:
    """Remove what the pointer no longer names: only after it moved."""
    for path in root.glob("v-*"):
        if path.name.split(".")[0] not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m artifacts.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("publish").add_argument("new", type=Path)
    commands.add_parser("rollback")
    commands.add_parser("list")
    given = parser.parse_args()
    try:
        if given.command == "publish":
            print(publish(given.root, given.new))
        elif given.command == "rollback":
            print(rollback(given.root))
        else:
            print("\n".join(versions(given.root)))
    except ArtifactError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
