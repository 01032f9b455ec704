"""An engine and its successor under requests that don't stop: `serve/succession.py`, with engines that are real objects but no model."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from artifacts.card import write_card
from artifacts.source import version_of
from artifacts.versions import current, promote, publish, rollback
from serve.exchange import Adapter, DraftQuery, Drafts
from serve.succession import LiveEngine

EVERY_S = 0.01
QUERY = DraftQuery(("<|a|>",), "root ::= [a-z]+", 1, 3, None)


class FakeEngine:
    """Writes its model's note, a letter at a time; fails once it is shut down."""

    def __init__(self, model: str) -> None:
        self.note = (Path(model) / "note").read_text()
        if self.note == "no engine":
            raise RuntimeError("engine core initialisation failed")
        self.version, self.given_up, self.shut, self.queries, self.pace = version_of(model), 1, False, list[DraftQuery](), asyncio.Event()
        self.pace.set()

    async def warm_up(self) -> None:
        if self.note == "silent":
            raise ValueError("writes nothing")

    async def draft(self, query: DraftQuery) -> Drafts:
        self.queries.append(query)
        await self.pace.wait()
        await self.check_health()
        return Drafts((self.note,))

    async def stream(self, query: DraftQuery) -> AsyncGenerator[str | Drafts, None]:
        for letter in self.note:
            await self.pace.wait()
            await self.check_health()
            yield letter
        yield Drafts((self.note,))

    async def check_health(self) -> None:
        await asyncio.sleep(0)
        if self.shut:
            raise RuntimeError("engine is dead")

    def shutdown(self) -> None:
        self.shut = True


@pytest.fixture
def engines() -> list[FakeEngine]:
    """Every engine that came up, in turn."""
    return []


def put(tmp_path: Path, note: str) -> Path:
    directory = tmp_path / "new"
    directory.mkdir()
    (directory / "note").write_text(note)
    write_card(directory, kind="generator", name=note, command="train it", seed=0)
    return publish(tmp_path / "root", directory, "generator")


@pytest_asyncio.fixture
async def live(tmp_path: Path, engines: list[FakeEngine]):
    def start(model: str) -> FakeEngine:
        engines.append(FakeEngine(model))
        return engines[-1]

    put(tmp_path, "one")
    live = await LiveEngine.opened(str(tmp_path / "root"), start, every_s=EVERY_S, last_request_s=0.3)
    yield live
    live.shutdown()


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


async def test_no_request_fails_while_a_version_is_published_and_rolled_back(tmp_path, live, engines):
    done, wrote = asyncio.Event(), list[tuple[str, str]]()

    async def ask() -> None:
        while not done.is_set():
            drafts = await live.draft(QUERY)
            wrote.append((drafts.version, drafts.texts[0]))

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    first = live.serving().version
    second = put(tmp_path, "two").name.removeprefix("v-")
    await until(lambda: wrote and wrote[-1] == (second, "two"))
    rollback(tmp_path / "root", "generator")
    await until(lambda: wrote[-1] == (first, "one"))
    done.set()
    await asyncio.gather(*asking)
    assert set(wrote) == {(first, "one"), (second, "two")}
    await until(lambda: [engine.shut for engine in engines] == [True, True, False])
    assert live.given_up == 3, "of every engine so far"


async def test_requests_and_streams_end_on_the_engine_that_they_began_with(tmp_path, live, engines):
    old = engines[0]
    old.pace.clear()
    drafting = asyncio.create_task(live.draft(QUERY))
    stream = live.stream(QUERY)
    growing = asyncio.create_task(anext(stream))
    await until(lambda: old.queries)
    put(tmp_path, "two")
    await until(lambda: len(engines) == 2 and live.serving().version == engines[1].version)
    assert (await live.draft(QUERY)).texts == ("two",)
    assert not old.shut, "two requests are still its own"
    old.pace.set()
    assert (await drafting).version == old.version
    assert [await growing, *[event async for event in stream]] == ["o", "n", "e", Drafts(("one",), version=old.version)]
    await until(lambda: old.shut)


async def test_a_request_that_never_ends_does_not_keep_the_old_engine_for_ever(tmp_path, live, engines, caplog):
    engines[0].pace.clear()
    stuck = asyncio.create_task(live.draft(QUERY))
    await until(lambda: engines[0].queries)
    put(tmp_path, "two")
    await until(lambda: engines[0].shut)
    assert "1 requests are cut off" in caplog.text
    engines[0].pace.set()
    with pytest.raises(RuntimeError, match="dead"):
        await stuck


@pytest.mark.parametrize(("note", "reason"), [("no engine", "RuntimeError: engine core"), ("silent", "ValueError: writes nothing")])
async def test_an_engine_that_does_not_come_up_or_does_not_write_is_refused_and_shut_down(tmp_path, live, engines, caplog, note, reason):
    bad = put(tmp_path, note)
    await until(lambda: live.serving().refused)
    assert live.serving().refused.startswith(f"{bad.name} is refused ({reason}")
    assert (await live.draft(QUERY)).texts == ("one",)
    await live.check_health()
    assert all(engine.shut for engine in engines[1:])
    assert len(caplog.records) == 1, "said once"
    rollback(tmp_path / "root", "generator")
    await until(lambda: not live.serving().refused)
    promote(tmp_path / "root", bad.name)
    await until(lambda: live.serving().refused)


async def test_health_is_that_of_the_engine_that_serves(tmp_path, live, engines):
    put(tmp_path, "two")
    await until(lambda: len(engines) == 2 and live.serving().version == engines[1].version)
    await until(lambda: engines[0].shut)
    await live.check_health()
    engines[1].shut = True
    with pytest.raises(RuntimeError, match="dead"):
        await live.check_health()


async def test_an_adapter_of_another_version_is_left_out_and_the_drafts_say_so(tmp_path, live, engines):
    fits = Adapter("almanac", "1", "voices/almanac/v-1", base=live.serving().version)
    drafts = await live.draft(replace(QUERY, adapter=fits))
    assert (engines[0].queries[-1].adapter, drafts.faults) == (fits, ())
    put(tmp_path, "two")
    await until(lambda: len(engines) == 2 and live.serving().version == engines[1].version)
    drafts = await live.draft(replace(QUERY, adapter=fits))
    assert engines[1].queries[-1].adapter is None
    (fault,) = drafts.faults
    assert fault == f"voice almanac: its adapter was trained on generator {fits.base}, {drafts.version} serves; its guide alone is followed"
    *_, last = [event async for event in live.stream(replace(QUERY, adapter=fits))]
    assert last.faults == drafts.faults


async def test_after_shutdown_no_other_engine_takes_over(tmp_path, live, engines):
    live.shutdown()
    put(tmp_path, "two")
    await asyncio.sleep(10 * EVERY_S)
    assert [engine.note for engine in engines] == ["one"]
    assert engines[0].shut
    assert current(tmp_path / "root").name.removeprefix("v-") != live.serving().version
