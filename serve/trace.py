"""What one request has met on its way: its candidates, the time it took, what it had to do without."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from copywriting.check import Copy, Refusal
from serve.exchange import Drafts


@dataclass(frozen=True, slots=True)
class Candidate:
    """Checked copy and where it came from: `model` or `template`."""

    copy: Copy
    origin: str


@dataclass(slots=True)
class Trace:
    """What one request has met on its way: time spent in ms, stages missing, drafts used and refused."""

    deadline: float
    timings_ms: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    drafts: Drafts = field(default_factory=lambda: Drafts(()))
    refused: list[Refusal] = field(default_factory=list)
    """Drafts that may not leave."""
    alike: int = 0
    """Drafts left out because they say what another says."""
    unusable: list[Refusal] = field(default_factory=list)
    """Pieces of the copybook that do not do for this product and request."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the artefacts that served this request, by their kind."""
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def timed(self, name: str) -> Generator[None, None, None]:
        """Record how long a step takes, also when it fails; a step that is taken twice counts twice."""
        started = time.perf_counter()
        try:
            yield
        finally:
            took_ms = (time.perf_counter() - started) * 1000
            self.timings_ms[name] = round(self.timings_ms.get(name, 0.0) + took_ms, 2)

    def served(self, kind: str, version: str) -> None:
        """Record which version of an artefact served; one that is not told is left out."""
        if version:
            self.versions[kind] = version

    def did_without(self, what: str) -> None:
        """Record what the answer had to do without, once."""
        if what not in self.degraded:
            self.degraded.append(what)

    def reached(self, name: str) -> None:
        """Record how long after the request began something came first."""
        self.timings_ms.setdefault(name, round((time.perf_counter() - self.began) * 1000, 2))

    def remaining_s(self) -> float:
        """Seconds left until the deadline."""
        return self.deadline - time.monotonic()
