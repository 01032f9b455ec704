"""Trained models become live in the graph, and go back, under requests that don't stop: none fails, and each says what served it."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from artifacts.card import write_card
from artifacts.versions import current, publish, rollback
from serve.config import ROOT
from serve.launch import Server

pytestmark = pytest.mark.ray
PATIENCE_S = 300.0


class Asking:
    """Two clients that ask without a pause, by turns for an answer and for a stream. What went wrong is kept."""

    def __init__(self, url: str) -> None:
        self._url, self._done, self._seeds = url, threading.Event(), count(1)
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Until `stop`."""
        while not self._done.is_set():
            seed = next(self._seeds)
            body = {"product_id": "food-tea-1", "channel": "sms", "locale": "en-GB", "n": 1, "seed": seed, "deadline_ms": 60_000}
            try:
                self._keep(self._streamed(body) if seed % 2 else self._asked(body))
            except Exception as error:  # whatever it is, the request has failed
                self.failures.append(repr(error))

    def stop(self) -> None:
        """After the requests in flight."""
        self._done.set()

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until an answer that comes from now on is so."""
        seen, end = len(self.answers), time.monotonic() + PATIENCE_S
        while not any(map(condition, self.answers[seen:])):
            assert not self.failures and time.monotonic() < end, (self.failures, self.answers[-1]["versions"])
            time.sleep(0.05)

    def _asked(self, body: dict[str, Any]) -> dict[str, Any]:
        response = httpx.post(f"{self._url}/v1/copy", json=body, timeout=90)
        response.raise_for_status()
        return dict(response.json())

    def _streamed(self, body: dict[str, Any]) -> dict[str, Any]:
        response = httpx.post(f"{self._url}/v1/copy", json={**body, "stream": True}, timeout=90)
        response.raise_for_status()
        *_, answer, done = response.text.strip().split("\n\n")
        assert done == "data: [DONE]", response.text
        return dict(json.loads(answer.split("data: ", 1)[1]))

    def _keep(self, answer: dict[str, Any]) -> None:
        missing = [entry for entry in answer["degraded"] if entry != "generator: no draft passed the check"]
        self.failures += missing
        self.answers.append(answer)


@contextmanager
def asking(graph: Server) -> Iterator[Asking]:
    client = Asking(graph.url)
    threads = [threading.Thread(target=client.run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield client
    finally:
        client.stop()
        for thread in threads:
            thread.join()


def another(kind: str, directory: Path, labels: dict[str, str] | None = None) -> Path:
    """The shipped model, written in other bytes, and with other labels where they are given."""
    shutil.copytree(ROOT / "models" / kind, directory)
    written = directory / ("response.json" if kind == "response" else "tokenizer_config.json")
    written.write_text(json.dumps(json.loads(written.read_text()), indent=7))
    config = directory / "config.json"
    if labels:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"id2label": labels}))
    write_card(directory, kind=kind, name="another", command="pytest", seed=0)
    return directory


@pytest.mark.parametrize("kind", ["sentiment", "clip", "response", "generator"])
def test_a_model_is_published_and_rolled_back_without_a_failed_request(graph: Server, registries: Path, tmp_path: Path, kind: str) -> None:
    root = registries / kind
    first = current(root).name.removeprefix("v-")
    with asking(graph) as client:
        client.until(lambda answer: answer["versions"][kind] == first)
        second = publish(root, another(kind, tmp_path / kind), kind).name.removeprefix("v-")
        client.until(lambda answer: answer["versions"][kind] == second)
        rollback(root, kind)
        client.until(lambda answer: answer["versions"][kind] == first)
    assert client.failures == []
    served = [answer["versions"][kind] for answer in client.answers]
    assert set(served) == {first, second}
    assert (served[0], served[-1]) == (first, first)


def ready(graph: Server) -> dict[str, Any]:
    return dict(httpx.get(f"{graph.url}/readyz", timeout=10).json())


def test_a_model_that_the_graph_can_not_use_is_refused_and_the_operator_told(graph: Server, registries: Path, tmp_path: Path) -> None:
    root = registries / "sentiment"
    serving = current(root).name.removeprefix("v-")
    bad = publish(root, another("sentiment", tmp_path / "bad", {"0": "calm", "1": "cross", "2": "merry"}), "sentiment")
    end = time.monotonic() + PATIENCE_S
    while not ready(graph)["refused"] and time.monotonic() < end:
        time.sleep(0.2)
    told = ready(graph)
    assert told["refused"]["sentiment"].startswith(f"{bad.name} is refused (ValueError: sentiment model")
    assert "['calm', 'cross', 'merry']" in told["refused"]["sentiment"]
    assert (told["status"], told["versions"]["sentiment"]) == ("ready", serving)
    assert told["versions"].keys() == {"index", "generator", "persuasion", "sentiment", "clip", "response"}
    with asking(graph) as client:
        client.until(lambda answer: answer["versions"]["sentiment"] == serving)
    assert client.failures == []
    rollback(root, "sentiment")
    while ready(graph)["refused"] and time.monotonic() < end:
        time.sleep(0.2)
    assert ready(graph)["refused"] == {}
