"""The version that serves, opened, and its successor once there is one: what a replica holds of a registry (`versions.py`).

    live = Live(root, opener).follow()      # a thread looks at the pointer once a second and opens what it names
    live.get()                              # for each request: the object that serves now

A version that does not open is refused and the one before it serves on; promoting it again has it tried again. A root without a pointer, or
a hub id, is opened once and never changes. What an object computes, and how many use one at once, are not here.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Self, TypeVar

from artifacts.pointer import POINTER, Stamp, current, stamp, versions

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 60.0
"""Between two tries of a version whose files can't be read just now."""

Opened = TypeVar("Opened")


class Live(Generic[Opened]):
    """A new version takes over between two requests.

    `opener` turns a directory into the object that serves, and verifies it. A version that does not open is refused, with the reason in
    `refused` and in the log, while the old one serves; where there is none yet, the newest of those that are kept and do open. `refresh` is
    called on the object at each look, for deletions; `retire` on an object that nobody is given any more, and no other version is opened
    until it returns."""

    def __init__(
        self,
        root: Path,
        opener: Callable[[Path], Opened],
        refresh: Callable[[Opened], None] | None = None,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        retire: Callable[[Opened], None] | None = None,
    ) -> None:
        self._root, self._opener, self._refresh, self._retire = root, opener, refresh, retire
        self._every_s, self._clock = every_s, clock
        self._looking, self._closed = threading.Lock(), threading.Event()
        self._follower: threading.Thread | None = None
        self._troubled: Stamp = None
        self._again_at, self._pause_s = 0.0, every_s
        self.refused = ""
        self._stamp = stamp(root)
        self._held = self._first()
        self._next_look = clock() + every_s

    @property
    def version(self) -> str:
        """Name of the directory that serves."""
        return self._held[0].name

    def get(self) -> Opened:
        """The object that serves now. Without a follower it looks at the pointer at most once in `every_s` seconds: one thread opens a new
        version while the others go on with the old one."""
        if self._follower is None and self._clock() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._next_look = self._clock() + self._every_s
                self._looking.release()
        return self._held[1]

    def follow(self) -> Self:
        """Look in a thread of its own from now on, so that no request waits while a version opens. It ends with this object."""
        arguments = (weakref.ref(self), self._closed, self._every_s)
        self._follower = threading.Thread(target=_follow, args=arguments, name=f"follow {self._root.name}", daemon=True)
        self._follower.start()
        return self

    def close(self) -> None:
        """No version takes over any more. What serves is the caller's to close; what is being opened just now is retired."""
        self._closed.set()

    def _first(self) -> tuple[Path, Opened]:
        """The current version, or the newest kept one that opens: a replica that starts while the current one is bad serves too."""
        current_one, *older = [self._root / name for name in versions(self._root)] or [self._root]
        try:
            return current_one, self._opener(current_one)
        except Exception as error:  # whatever it is, it is raised below where nothing older opens
            for directory in older:
                try:
                    opened = self._opener(directory)
                except Exception as another:
                    error.add_note(f"nor does {directory.name} open: {another}")
                    continue
                if isinstance(error, OSError):
                    self._stamp = None  # a disk or a network share may be back at the next look
                self._refuse(current_one.name, error, directory.name)
                return directory, opened
            raise

    def _look(self) -> None:
        seen = self._stamp
        try:
            seen = stamp(self._root)
            if seen != self._stamp and (seen != self._troubled or self._clock() >= self._again_at):
                self._swap(current(self._root), seen)
                return
        except OSError as error:  # a disk or a network share may be back: tried again, each time after twice as long
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) if seen == self._troubled else self._every_s
            self._troubled, self._again_at = seen, self._clock() + self._pause_s
            self._refuse(self._wanted(), error, self.version)
        except Exception as error:  # a bad directory stays bad, whatever it raised: not read again until the pointer moves
            self._stamp = seen
            self._refuse(self._wanted(), error, self.version)
        if self._refresh is not None:
            self._refresh(self._held[1])

    def _swap(self, directory: Path, seen: Stamp) -> None:
        before, serving = self._held
        opened = serving if directory == before else self._opener(directory)
        self._stamp, self._troubled = seen, None
        if opened is serving:
            self.refused = ""
        elif self._closed.is_set() or current(self._root) != directory:  # rolled back while it opened: the next look decides
            self._retired(opened)
        else:
            self._held = (directory, opened)  # one assignment: a reader has the old pair or the new one
            self.refused = ""
            _LOG.info("%s serves, %s is retired", directory.name, before.name)
            self._retired(serving)

    def _retired(self, opened: Opened) -> None:
        if self._retire is not None:
            self._retire(opened)

    def _wanted(self) -> str:
        """Name of the version that should serve, as far as that can be read."""
        try:
            return current(self._root).name
        except (OSError, ValueError):
            return POINTER

    def _refuse(self, wanted: str, error: Exception, serving: str) -> None:
        """Say it once, in the log of whoever serves."""
        reason = f"{wanted} is refused ({type(error).__name__}: {error})"
        if reason != self.refused:
            _LOG.error("%s goes on serving: %s", serving, reason)
        self.refused = reason


def _follow(followed: "weakref.ref[Live[Opened]]", closed: threading.Event, every_s: float) -> None:
    while not closed.wait(every_s) and (live := followed()) is not None:
        try:
            live._look()
        except Exception:  # of `refresh`: what serves goes on as it is, and the next look may do better
            _LOG.exception("%s is not refreshed", live.version)
        del live  # held only while it looks
