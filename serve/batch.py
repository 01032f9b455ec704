"""Files of requests, answered offline by a running graph: `python -m serve.batch REQUESTS.jsonl ANSWERS [--url URL | --config CONFIG]`.

REQUESTS has a line for each request, ANSWERS becomes a directory with a line for each line (`batch_lines.py` shows both), in parts:

    ANSWERS/manifest.json   ANSWERS/part-00000.jsonl   ANSWERS/part-00001.jsonl …

Parts are tasks of Ray Data, spread over its cluster; each posts its lines to the graph, which scales by its own signals. A part is written
under another name and renamed once it is whole, so the same command, run again after whatever happened, goes on with the parts that are
missing. `--config` starts a graph for the time of the job; `--url` names one that runs.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from serve.batch_lines import NDJSON
from serve.config import ROOT
from serve.launch import LaunchError, running

MANIFEST = "manifest.json"
PART_LINES = 500
POST_LINES = 100
TRIES = 6
BUSY = (429, 502, 503, 504)
TIMEOUT_S = 600.0


class BatchError(RuntimeError):
    """The job can't begin or go on. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the parts are parts of: a job goes on only with the same requests, cut the same way."""

    requests: str
    sha256: str
    lines: int
    part_lines: int


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of the requests: `lines` of them from byte `start` on."""

    number: int
    start: int
    lines: int

    @property
    def name(self) -> str:
        """Its file among the answers."""
        return f"part-{self.number:05}.jsonl"


def cut(requests: Path, part_lines: int) -> tuple[Manifest, list[Part]]:
    """Read the requests once: their hash, and where each part begins. Blank lines are passed over. Raises BatchError for an empty file."""
    digest = hashlib.sha256()
    parts: list[Part] = []
    lines = start = position = held = 0
    with requests.open("rb") as stream:
        for line in stream:
            digest.update(line)
            position += len(line)
            if not line.strip():
                continue
            if held == part_lines:
                parts.append(Part(len(parts), start, held))
                start, held = position - len(line), 0
            held, lines = held + 1, lines + 1
    if not lines:
        raise BatchError(f"{requests}: holds no lines; write one request a line, see serve/batch_lines.py")
    parts.append(Part(len(parts), start, held))
    return Manifest(requests.name, digest.hexdigest(), lines, part_lines), parts


def begin(answers: Path, manifest: Manifest) -> None:
    """Make the directory of the answers, or see that it is of this very job. Raises BatchError where it is of another."""
    path = answers / MANIFEST
    if path.is_file():
        held = json.loads(path.read_text(encoding="utf-8"))
        if held != asdict(manifest):
            raise BatchError(f"{path}: belongs to other requests or another --part-lines ({held}); name another directory, or remove it")
        return
    if answers.is_dir() and any(answers.iterdir()):
        raise BatchError(f"{answers}: is not empty and holds no {MANIFEST}; name another directory")
    answers.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(asdict(manifest), indent=2).encode())


def answer_part(row: dict[str, Any], *, requests: str, answers: str, url: str) -> dict[str, int]:
    """One task: post the lines of a part and write what comes back. Returns how many lines ended how."""
    part = Part(**row)
    lines = _lines(Path(requests), part)
    replies = _replies(url, lines)
    for wait in (1.0, 3.0, 9.0):  # lines that came while the graph was busy are worth another try
        busy = [number for number, reply in enumerate(replies) if reply["status"] in BUSY]
        if not busy:
            break
        time.sleep(wait)
        for number, reply in zip(busy, _replies(url, [lines[number] for number in busy]), strict=True):
            replies[number] = reply
    _write(Path(answers) / part.name, b"".join(json.dumps(reply, ensure_ascii=False).encode() + b"\n" for reply in replies))
    return tally(replies)


def tally(replies: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many lines ended how."""
    good = [reply["body"] for reply in replies if reply["status"] == 200]
    return {"lines": len(replies), "answered": len(good), "degraded": sum(bool(body["degraded"]) for body in good)}


def _lines(requests: Path, part: Part) -> list[bytes]:
    lines: list[bytes] = []
    with requests.open("rb") as stream:
        stream.seek(part.start)
        while len(lines) < part.lines:
            if (line := stream.readline()).strip():
                lines.append(line.strip())
    return lines


def _replies(url: str, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [reply for at in range(0, len(lines), POST_LINES) for reply in _posted(url, lines[at : at + POST_LINES])]


def _posted(url: str, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """The reply to each line. A graph that is away for a while (a new version, a failed node) is waited for. Raises BatchError where it
    stays away, or answers something else."""
    fault = ""
    for attempt in range(TRIES):
        try:
            response = httpx.post(f"{url}/v1/copy/batch", content=b"\n".join(lines), headers={"Content-Type": NDJSON}, timeout=TIMEOUT_S)
            if response.status_code == 200:
                replies = [json.loads(line) for line in response.content.split(b"\n") if line]
                if len(replies) != len(lines):
                    raise httpx.RemoteProtocolError(f"{len(replies)} replies to {len(lines)} lines")
                return replies
            fault = f"status {response.status_code}: {response.text[:300]}"
            if response.status_code not in BUSY:
                break
        except (httpx.TransportError, json.JSONDecodeError) as error:
            fault = f"{type(error).__name__}: {error}"
        time.sleep(min(2.0**attempt, 20.0))
    raise BatchError(f"{url}: {fault}; run the same command again once it answers: what is written stays")


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def run(requests: Path, answers: Path, url: str, *, part_lines: int, at_once: int, progress: Progress) -> dict[str, int]:
    """Answer every part that is missing. Returns how many lines ended how, over all parts."""
    import ray

    manifest, parts = cut(requests, part_lines)
    begin(answers, manifest)
    missing = [part for part in parts if not (answers / part.name).is_file()]
    totals = Counter[str]()
    for path in (answers / part.name for part in parts if part not in missing):
        totals.update(tally([json.loads(line) for line in path.open(encoding="utf-8")]))
    bar = progress.add_task("answering", total=manifest.lines, completed=totals["lines"])
    if missing:
        ray.init(include_dashboard=False, logging_level="ERROR", log_to_driver=False, ignore_reinit_error=True)
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([asdict(part) for part in missing], override_num_blocks=len(missing))
        given = {"requests": str(requests.resolve()), "answers": str(answers.resolve()), "url": url}
        for done in rows.map(answer_part, fn_kwargs=given, num_cpus=0.05, concurrency=at_once).iter_rows():
            totals.update(done)
            progress.advance(bar, done["lines"])
    return dict(totals)


@contextmanager
def graph(url: str | None, config: Path | None) -> Iterator[str]:
    """The graph that answers: the one at `url`, or one of `config` for the time of the job."""
    if config is None:
        yield (url or "http://127.0.0.1:8000").rstrip("/")
        return
    with running(config, log=ROOT / "var" / "logs" / "batch-serve.log") as server:
        yield server.url


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m serve.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("requests", type=Path)
    parser.add_argument("answers", type=Path)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="a graph that runs (default: http://127.0.0.1:8000)")
    where.add_argument("--config", type=Path, help="a Serve config: start it for this job")
    parser.add_argument("--part-lines", type=int, default=PART_LINES, help="lines of one task and file (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=4, help="parts that are answered at the same time (default: %(default)s)")
    given = parser.parse_args(argv)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        if not given.requests.is_file():
            raise BatchError(f"requests: {given.requests} is no file; name a JSONL file, see serve/batch_lines.py")
        if not 1 <= given.part_lines <= 100_000 or given.at_once < 1:
            raise BatchError(f"--part-lines {given.part_lines}, --at-once {given.at_once}: use 1 to 100000 lines, and 1 or more at once")
        with graph(given.url, given.config) as url, Progress(*columns) as progress:
            totals = run(given.requests, given.answers, url, part_lines=given.part_lines, at_once=given.at_once, progress=progress)
    except (BatchError, LaunchError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(totals | {"refused": totals["lines"] - totals["answered"]}))


if __name__ == "__main__":
    main()
