"""The generator's engine and its successor: a version that is published takes over while the one before it goes on writing.

A new engine starts beside the old one in a thread, writes a draft, and only then takes over: requests that come after it are its own, those
in flight and streams end on the old engine, which is shut down when the last of them has. One that does not come up is refused, and the
old one serves on. So two engines are in memory for as long as one starts. Drafts are cached by each engine for itself.

Where two don't fit: name the version's own directory in the config, and let Ray Serve replace the replicas (serve/config/gpu.yaml).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from artifacts.live import Live
from serve.exchange import DraftQuery, Drafts, Serving

_LOG = logging.getLogger(__name__)
LAST_REQUEST_S = 90.0
"""How long the engine that was replaced is kept for requests in flight: longer than the longest deadline."""
WARM_UP_S = 300.0

Result = TypeVar("Result")


class Engine(Protocol):
    """What is needed of `serve.engine.Engine`."""

    version: str
    given_up: int

    async def warm_up(self) -> None:
        """Write a first draft; raises where that fails."""
        ...

    async def draft(self, query: DraftQuery) -> Drafts:
        """n texts for each prompt."""
        ...

    def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        """The first draft as it grows, then what `draft` returns."""
        ...

    async def check_health(self) -> None:
        """Raises once the engine is gone."""
        ...

    def shutdown(self) -> None:
        """Stop its processes."""
        ...


@dataclass(eq=False, slots=True)
class _InUse:
    """An engine and how many requests it works for. Counted in the event loop alone."""

    engine: Engine
    requests: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class LiveEngine:
    """The engine of the version that serves. `start` makes one of a model's directory (or hub id), in a thread of its own."""

    _live: Live[_InUse]

    def __init__(self, start: Callable[[str], Engine], last_request_s: float) -> None:
        self._start, self._last_request_s = start, last_request_s
        self._loop = asyncio.get_running_loop()
        self._given_up = 0

    @classmethod
    async def opened(
        cls, model: str, start: Callable[[str], Engine], *, every_s: float = 1.0, last_request_s: float = LAST_REQUEST_S
    ) -> Self:
        """Start the engine of the version that serves, and follow its registry where `model` is one. Raises what starting raises."""
        live = cls(start, last_request_s)
        live._live = await asyncio.to_thread(Live, Path(model), live._started, every_s=every_s, retire=live._retired)
        live._live.follow()
        return live

    async def draft(self, query: DraftQuery) -> Drafts:
        """n drafts with unfilled slots, and the version that wrote them."""
        with self._in_use() as engine:
            return _told(await engine.draft(_fitting(query, engine)), query, engine)

    async def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        """The first draft as it grows, then what `draft` returns; all of it by one engine."""
        with self._in_use() as engine:
            async with aclosing(engine.stream(_fitting(query, engine))) as events:
                async for event in events:
                    yield _told(event, query, engine) if isinstance(event, Drafts) else event

    @property
    def given_up(self) -> int:
        """Prompts that were aborted because nobody waited for them any more, of every engine so far."""
        return self._given_up + self._live.get().engine.given_up

    async def check_health(self) -> None:
        """Raises once the engine that serves is gone. One that is starting, or that was replaced, is nobody's ill health."""
        await self._live.get().engine.check_health()

    def serving(self) -> Serving:
        """Which version serves, and why another does not."""
        return Serving(self._live.get().engine.version, self._live.refused)

    def shutdown(self) -> None:
        """Stop the engine, and no other takes over."""
        self._live.close()
        self._live.get().engine.shutdown()

    @contextmanager
    def _in_use(self) -> Iterator[Engine]:
        """The engine that serves now; it is kept until the block ends."""
        held = self._live.get()
        held.requests += 1
        held.idle.clear()
        try:
            yield held.engine
        finally:
            held.requests -= 1
            if not held.requests:
                held.idle.set()

    def _started(self, directory: Path) -> _InUse:
        """In a thread: an engine that has written."""
        engine = self._start(str(directory))
        try:
            self._in_loop(asyncio.wait_for(engine.warm_up(), WARM_UP_S))
        except BaseException:
            engine.shutdown()
            raise
        held = _InUse(engine)
        held.idle.set()
        return held

    def _retired(self, held: _InUse) -> None:
        """In a thread: shut an engine down once its last request has ended."""
        self._in_loop(self._ended(held))
        held.engine.shutdown()

    async def _ended(self, held: _InUse) -> None:
        # In the loop: a request that was given this engine before the swap has been counted by now.
        try:
            await asyncio.wait_for(held.idle.wait(), self._last_request_s)
        except TimeoutError:
            _LOG.error(
                "generator %s: %d requests are cut off %.0f s after it was replaced",
                held.engine.version,
                held.requests,
                self._last_request_s,
            )
        self._given_up += held.engine.given_up

    def _in_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _fitting(query: DraftQuery, engine: Engine) -> DraftQuery:
    """The query without an adapter that was trained on another version."""
    return replace(query, adapter=None) if query.adapter and query.adapter.misfit(engine.version) else query


def _told(drafts: Drafts, query: DraftQuery, engine: Engine) -> Drafts:
    fault = query.adapter.misfit(engine.version) if query.adapter else ""
    return replace(drafts, version=engine.version, faults=(fault,) if fault else ())
