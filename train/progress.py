"""What a training run shows in the terminal: the phase it is in, then a bar with step, loss, tokens per second and time left.

Where the output is not a terminal it prints a line now and then instead. Also writes `metrics.jsonl`. Knows neither Ray nor torch.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Record = Mapping[str, Any]
"""Either `{"phase": text}` or a report: `done` (0 to 1), `step`, `loss`, `tokens_per_s` and any metrics."""

_PLAIN_EVERY_S = 5.0
_SHOWN = ("step", "loss", "tokens_per_s")


class ProgressDisplay:
    """Shows records as they come and appends reports to `metrics_file`, one JSON object per line. Use as a context manager."""

    def __init__(self, run: str, metrics_file: Path, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr)
        self._run = run
        self._metrics_file = metrics_file
        self._printed_at = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}"))
        self._bar = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console, disable=not self._console.is_terminal
        )
        self._task = self._bar.add_task(run, total=1.0, note="")

    def __enter__(self) -> "ProgressDisplay":
        self._metrics_file.parent.mkdir(parents=True, exist_ok=True)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, record: Record) -> None:
        """Show one record; keep it where it is a report."""
        if "phase" in record:
            self._bar.update(self._task, note=record["phase"])
            self._print(f"{self._run}: {record['phase']}", force=True)
            return
        with self._metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(dict(record), ensure_ascii=False) + "\n")
        note = " · ".join(f"{key} {_short(record[key])}" for key in _SHOWN if key in record)
        done = float(record.get("done", 0.0))
        self._bar.update(self._task, completed=done, note=note)
        self._print(f"{self._run}: {done:4.0%} · {note}", force=done >= 1.0)

    def _print(self, line: str, *, force: bool) -> None:
        if self._console.is_terminal:
            return
        if force or time.monotonic() - self._printed_at >= _PLAIN_EVERY_S:
            self._printed_at = time.monotonic()
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value)
