"""The offline batch: parts that are whole or absent, a job that goes on where it stopped, and a graph that comes and goes.

The graph is a small HTTP server here; `tests/graph` runs the job against the real one."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serve import batch
from serve.batch import BatchError, Part, answer_part, begin, cut


class Graph(ThreadingHTTPServer):
    """Answers every line with 200, those of `busy` with 503 that many times; `down` requests are refused as a whole."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.busy: dict[str, int] = {}
        self.down: list[int] = []
        self.posts: list[list[str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Graph

    def do_POST(self) -> None:
        ids = [json.loads(line)["custom_id"] for line in self.rfile.read(int(self.headers["Content-Length"])).split(b"\n")]
        self.server.posts.append(ids)
        status = self.server.down.pop() if self.server.down else 200
        replies = [{"custom_id": each, "status": self._status(each), "body": {"degraded": ["x"] if each == "3" else []}} for each in ids]
        content = b"".join(json.dumps(reply).encode() + b"\n" for reply in replies)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _status(self, custom_id: str) -> int:
        left = self.server.busy.get(custom_id, 0)
        self.server.busy[custom_id] = left - 1
        return 503 if left > 0 else 200

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    monkeypatch.setattr(batch.time, "sleep", lambda _: None)
    server = Graph()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join([json.dumps({"custom_id": str(n), "街": n}, ensure_ascii=False) + "\n" * (n % 2) for n in range(7)]) + "\n")
    return path


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_parts_begin_where_the_ones_before_end(requests):
    manifest, parts = cut(requests, 3)
    assert (manifest.lines, [part.lines for part in parts]) == (7, [3, 3, 1])
    content = requests.read_bytes()
    assert [json.loads(content[part.start :].split(b"\n")[0])["custom_id"] for part in parts] == ["0", "3", "6"]


def answer(graph: Graph, requests: Path, answers: Path, number: int = 0, size: int = 3) -> dict[str, int]:
    manifest, parts = cut(requests, size)
    begin(answers, manifest)
    part = parts[number]
    row = {"number": part.number, "start": part.start, "lines": part.lines}
    return answer_part(row, requests=str(requests), answers=str(answers), url=graph.url)


def test_a_part_has_a_line_for_each_line(graph, requests, tmp_path):
    assert answer(graph, requests, tmp_path / "out", 1) == {"lines": 3, "answered": 3, "degraded": 1}
    assert [row["custom_id"] for row in rows(tmp_path / "out" / "part-00001.jsonl")] == ["3", "4", "5"]


def test_lines_that_came_while_the_graph_was_busy_are_sent_again_and_only_they(graph, requests, tmp_path):
    graph.busy = {"1": 2}
    assert answer(graph, requests, tmp_path / "out")["answered"] == 3
    assert graph.posts == [["0", "1", "2"], ["1"], ["1"]]


def test_a_line_that_stays_refused_keeps_its_problem(graph, requests, tmp_path):
    graph.busy = {"1": 99}
    assert answer(graph, requests, tmp_path / "out") == {"lines": 3, "answered": 2, "degraded": 0}
    assert rows(tmp_path / "out" / "part-00000.jsonl")[1]["status"] == 503


def test_a_graph_that_is_away_for_a_while_is_waited_for(graph, requests, tmp_path):
    graph.down = [503, 502]
    assert answer(graph, requests, tmp_path / "out")["answered"] == 3


@pytest.mark.parametrize("down", [[404], [503] * batch.TRIES])
def test_a_graph_that_stays_away_leaves_no_half_part(graph, requests, tmp_path, down):
    graph.down = list(down)
    with pytest.raises(BatchError, match="what is written stays"):
        answer(graph, requests, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_long_parts_are_posted_piece_by_piece(graph, requests, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "POST_LINES", 2)
    answer(graph, requests, tmp_path / "out", size=5)
    assert graph.posts == [["0", "1"], ["2", "3"], ["4"]]


def test_answers_of_another_job_are_not_touched(requests, tmp_path):
    manifest, _ = cut(requests, 3)
    begin(tmp_path / "out", manifest)
    begin(tmp_path / "out", manifest)
    requests.write_text('{"custom_id": "other"}')
    with pytest.raises(BatchError, match="belongs to other requests"):
        begin(tmp_path / "out", cut(requests, 3)[0])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(BatchError, match="is not empty"):
        begin(tmp_path / "mine", manifest)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("\n\n", [], "holds no lines"),
        (None, [], "is no file"),
        ("{}", ["--part-lines", "0"], "--part-lines 0"),
        ("{}", ["--config", "absent.yaml"], "absent.yaml does not exist"),
    ],
)
def test_a_job_that_can_not_begin_says_why(tmp_path, content, arguments, message):
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=message):
        batch.main([str(path), str(tmp_path / "out"), *arguments])
    assert not (tmp_path / "out").exists()


def test_a_part_knows_its_file():
    assert Part(12, 0, 1).name == "part-00012.jsonl"
