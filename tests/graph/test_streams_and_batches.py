"""Over HTTP, against the whole graph: answers that are read while they are written, and many requests in one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from copywriting.slots import SLOTS
from serve.launch import Server

pytestmark = pytest.mark.ray
GIVEN_UP = """
import sys
import ray
from ray import serve
ray.init(sys.argv[1], namespace="serve", logging_level="ERROR", log_to_driver=False)
print(serve.get_deployment_handle("Generator", "suasion").given_up.remote().result(timeout_s=30))
"""


def cluster_of(graph: Server) -> str:
    """Where the graph's own cluster is, among others that this machine may run."""
    (store,) = (process for process in psutil.Process(graph.pid).children(recursive=True) if process.name() == "gcs_server")
    options = dict(option.lstrip("-").split("=", 1) for option in store.cmdline() if "=" in option)
    port = Path(options["session-dir"], f"gcs_server_port_{options['node-id']}").read_text().strip()
    return f"{options['node-ip-address']}:{port}"


def events_of(response: httpx.Response) -> list[tuple[str, Any]]:
    """(event, data) of each server-sent event; the last has no name."""
    found = []
    for block in response.read().decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event", ""), fields["data"] if fields["data"] == "[DONE]" else json.loads(fields["data"])))
    return found


@pytest.mark.parametrize(
    "body",
    [
        {"product_id": "fashion-outerwear-1", "channel": "product_page", "locale": "zh-CN", "n": 1, "seed": 5},
        {"product_id": "food-tea-1", "channel": "email", "locale": "en-GB", "n": 4, "seed": 6},
        {"product_id": "finance-funds-1", "channel": "social", "locale": "en-GB", "n": 1, "seed": 7},
    ],
)
def test_what_was_streamed_is_the_chosen_text_of_the_answer(graph: Server, body: dict[str, Any]) -> None:
    with httpx.stream("POST", f"{graph.url}/v1/copy", json={**body, "stream": True, "deadline_ms": 30_000}, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-request-id"]
        events = events_of(response)
    assert [name for name, _ in events][-2:] == ["answer", ""]
    text = ""
    for name, data in events[:-2]:
        text = data["text"] if name == "replace" else text + data["text"]
        assert not any(f"{{{slot}}}" in text for slot in SLOTS)
    answer = events[-2][1]
    assert text == answer["choices"][0]["text"]
    again = httpx.post(f"{graph.url}/v1/copy", json={**body, "deadline_ms": 30_000}, timeout=60).json()
    assert [choice["text"] for choice in again["choices"]] == [choice["text"] for choice in answer["choices"]]


def test_a_request_that_fails_before_any_text_has_its_status(graph: Server) -> None:
    response = httpx.post(f"{graph.url}/v1/copy", json={"channel": "sms", "product_id": "no-such", "stream": True}, timeout=60)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_readers_who_leave_free_the_generator(graph: Server) -> None:
    def given_up() -> int:
        environment = os.environ | {"RAY_AUTH_MODE": "token" if (Path.home() / ".ray" / "auth_token").is_file() else "disabled"}
        command = [sys.executable, "-c", GIVEN_UP, cluster_of(graph)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    before = given_up()
    for seed in range(8):
        body = {"product_id": "home-bedding-1", "channel": "email", "locale": "en-US", "n": 8, "seed": 900 + seed, "stream": True}
        with httpx.stream("POST", f"{graph.url}/v1/copy", json=body, timeout=60) as response:
            next(response.iter_bytes())  # the first sentence; seven other drafts are still being written
    until = time.monotonic() + 20
    while given_up() == before and time.monotonic() < until:
        pass
    assert given_up() > before
    assert httpx.post(f"{graph.url}/v1/copy", json={"channel": "sms", "product_id": "food-tea-1"}, timeout=60).status_code == 200


def lines(count: int) -> list[bytes]:
    channels, locales = ("sms", "push", "banner", "article_title"), ("zh-CN", "en-GB")
    bodies: list[dict[str, Any]] = [
        {"product_id": "food-tea-1", "channel": channels[number % 4], "locale": locales[number % 2], "n": 1, "seed": number}
        for number in range(count)
    ]
    bodies[1] = {"channel": "fax"}
    return [json.dumps({"custom_id": f"line-{number}", "body": body}).encode() for number, body in enumerate(bodies)]


def test_a_batch_has_a_line_for_each_line(graph: Server) -> None:
    response = httpx.post(f"{graph.url}/v1/copy/batch", content=b"\n".join(lines(24)), timeout=120)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    replies = [json.loads(line) for line in response.text.splitlines()]
    assert [reply["custom_id"] for reply in replies] == [f"line-{number}" for number in range(24)]
    assert [reply["status"] for reply in replies] == [200, 422, *[200] * 22]
    assert all(reply["body"]["choices"][0]["text"] for reply in replies if reply["status"] == 200)
    empty = httpx.post(f"{graph.url}/v1/copy/batch", content=b"\n")
    assert (empty.status_code, empty.json()["errors"][0]["detail"]) == (422, "holds no lines")


def test_an_offline_job_that_was_cut_off_goes_on_with_what_is_missing(graph: Server, tmp_path: Path) -> None:
    requests, answers = tmp_path / "requests.jsonl", tmp_path / "answers"
    requests.write_bytes(b"\n".join(lines(30)))
    command = [sys.executable, "-m", "serve.batch", str(requests), str(answers), "--url", graph.url, "--part-lines", "10"]

    def run() -> dict[str, int]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))

    first = run()
    assert first == {"lines": 30, "answered": 29, "degraded": first["degraded"], "refused": 1}
    kept = {path.name: path.stat().st_mtime_ns for path in answers.glob("part-*.jsonl")}
    assert sorted(kept) == ["part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]
    (answers / "part-00001.jsonl").unlink()
    (answers / "part-00001.jsonl.partial").write_text("cut off in the middle")
    assert run()["lines"] == 30
    assert {path.name for path in answers.iterdir()} == {*kept, "manifest.json"}
    assert (answers / "part-00000.jsonl").stat().st_mtime_ns == kept["part-00000.jsonl"]
    replies = [json.loads(line) for name in sorted(kept) for line in (answers / name).read_text().splitlines()]
    assert [reply["custom_id"] for reply in replies] == [f"line-{number}" for number in range(30)]
