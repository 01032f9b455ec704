"""What a replica holds of a registry: `artifacts/live.py`, where a thread of its own follows it."""

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from artifacts.card import verify, write_card
from artifacts.versions import Live, current, promote, publish, rollback

EVERY_S = 0.01


@dataclass(eq=False)
class Model:
    """What stands for an opened version: the text that its file holds."""

    text: str
    retired: threading.Event = field(default_factory=threading.Event)


def opened(directory: Path) -> Model:
    verify(directory, "sentiment")
    text = (directory / "text").read_text()
    if text == "bad":
        raise KeyError("labels")
    return Model(text)


def made(tmp_path: Path, text: str) -> Path:
    directory = tmp_path / f"new-{text}"
    directory.mkdir(parents=True)
    (directory / "text").write_text(text)
    write_card(directory, kind="sentiment", name=text, command="train it", seed=0)
    return directory


def published(tmp_path: Path, *texts: str) -> Path:
    for text in texts:
        publish(tmp_path / "root", made(tmp_path, text), "sentiment")
    return tmp_path / "root"


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> bool:
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return bool(condition())


def test_a_follower_takes_over_what_is_published_and_what_is_rolled_back_without_being_asked(tmp_path):
    root = published(tmp_path, "one")
    live = Live(root, opened, every_s=EVERY_S).follow()
    published(tmp_path, "two")
    assert until(lambda: live.version == current(root).name)
    assert live.get().text == "two"
    rollback(root, "sentiment")
    assert until(lambda: live.get().text == "one")
    live.close()


def test_nobody_waits_while_a_version_opens(tmp_path):
    opening, go = threading.Event(), threading.Event()

    def slowly(directory: Path) -> Model:
        model = opened(directory)
        if model.text == "two":
            opening.set()
            go.wait(10)
        return model

    live = Live(published(tmp_path, "one"), slowly, every_s=EVERY_S).follow()
    published(tmp_path, "two")
    assert opening.wait(10)
    assert live.get().text == "one"
    go.set()
    assert until(lambda: live.get().text == "two")
    live.close()


def test_what_was_rolled_back_while_it_opened_never_serves_and_is_retired(tmp_path):
    opening, go, served, retired = threading.Event(), threading.Event(), set[str](), list[str]()

    def slowly(directory: Path) -> Model:
        model = opened(directory)
        if model.text == "two":
            opening.set()
            go.wait(10)
        return model

    root = published(tmp_path, "one")
    live = Live(root, slowly, every_s=EVERY_S, retire=lambda model: retired.append(model.text)).follow()
    published(tmp_path, "two")
    assert opening.wait(10)
    rollback(root, "sentiment")
    go.set()
    while not retired:
        served.add(live.get().text)
    time.sleep(10 * EVERY_S)
    assert (retired, served | {live.get().text}) == (["two"], {"one"})
    live.close()


def test_what_was_replaced_is_retired_after_its_successor_serves(tmp_path):
    serving_then = []
    live = Live(
        published(tmp_path, "one"), opened, every_s=EVERY_S, retire=lambda model: serving_then.append((model.text, live.get().text))
    )
    live.follow()
    published(tmp_path, "two")
    assert until(lambda: serving_then)
    assert serving_then == [("one", "two")]
    live.close()


def test_a_version_that_does_not_open_is_refused_whatever_it_raises_and_tried_again_when_it_is_promoted(tmp_path, caplog):
    tried, healed = list[str](), threading.Event()

    def opener(directory: Path) -> Model:
        tried.append(directory.name)
        return Model("healed") if healed.is_set() else opened(directory)

    root = published(tmp_path, "one")
    live = Live(root, opener, every_s=EVERY_S).follow()
    published(tmp_path, "bad")
    bad = current(root)
    assert until(lambda: live.refused)
    time.sleep(10 * EVERY_S)
    assert (live.get().text, tried.count(bad.name)) == ("one", 1)
    assert live.refused == f"{bad.name} is refused (KeyError: 'labels')"
    assert [record.getMessage() for record in caplog.records] == [f"{live.version} goes on serving: {live.refused}"]
    healed.set()
    promote(root, bad.name)
    assert until(lambda: live.get().text == "healed")
    assert live.refused == ""
    live.close()


def test_files_that_can_not_be_read_just_now_are_tried_again_less_and_less_often(tmp_path):
    now, tries = [0.0], list[float]()

    def opener(directory: Path) -> Model:
        if directory.name == first.name:
            return opened(directory)
        tries.append(now[0])
        if len(tries) < 5:
            raise OSError("the share is away")
        return opened(directory)

    first = current(published(tmp_path, "one"))
    live = Live(tmp_path / "root", opener, clock=lambda: now[0])
    published(tmp_path, "two")
    while live.get().text == "one" and now[0] < 100:
        now[0] += 1.0
    assert tries == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert live.refused == ""


def test_a_replica_that_starts_while_the_current_version_is_bad_serves_the_one_before(tmp_path, caplog):
    root = published(tmp_path, "one", "bad")
    live = Live(root, opened)
    assert live.get().text == "one"
    assert live.refused.startswith(f"{current(root).name} is refused (KeyError")
    assert len(caplog.records) == 1
    with pytest.raises(KeyError, match="labels"):
        Live(published(tmp_path / "alone", "bad"), opened)


def test_a_model_that_is_no_registry_is_opened_once_as_it_is_named():
    seen = []
    live = Live(Path("someone/large"), lambda directory: seen.append(str(directory)), every_s=0.0)
    live.get()
    live.get()
    assert seen == ["someone/large"]


def test_after_closing_no_version_takes_over(tmp_path):
    live = Live(published(tmp_path, "one"), opened, every_s=EVERY_S).follow()
    live.close()
    published(tmp_path, "two")
    time.sleep(10 * EVERY_S)
    assert live.get().text == "one"


def test_a_follower_ends_with_what_it_follows_for(tmp_path):
    live = Live(published(tmp_path, "one"), opened, every_s=EVERY_S).follow()
    thread = live._follower
    assert thread is not None
    del live
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_refresh_that_fails_does_not_end_the_following(tmp_path, caplog):
    failures = iter([OSError("the share is away")])

    def refresh(model: Model) -> None:
        for failure in failures:
            raise failure

    live = Live(published(tmp_path, "one"), opened, refresh, every_s=EVERY_S).follow()
    assert until(lambda: caplog.records)
    published(tmp_path, "two")
    assert until(lambda: live.get().text == "two")
    live.close()


def test_a_replica_that_starts_while_a_share_is_away_takes_the_current_version_once_it_is_back(tmp_path):
    failures = iter([OSError("the share is away")])

    def opener(directory: Path) -> Model:
        if directory == current(root):
            for failure in failures:
                raise failure
        return opened(directory)

    root = published(tmp_path, "one", "two")
    live = Live(root, opener, every_s=0.0)
    assert live.get().text == "two"
    assert live.refused == ""
