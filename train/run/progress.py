"""What a training run shows in the terminal: the phase it is in, then a bar with step, loss, tokens per second, MFU and time left.

Where the output is not a terminal it prints a line now and then instead. Also writes `metrics.jsonl`. Knows neither Ray nor torch.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Record = Mapping[str, Any]
"""Either `{"phase": text}` or a report: `done` (0 to 1), `step`, `loss`, `tokens_per_s`, `learning_rate`, `mfu` (0 to 1, where the
processor's peak is known) and any held-out metrics."""

_PLAIN_EVERY_S = 5.0
_SHOWN = ("step", "loss", "tokens_per_s")


class ProgressDisplay:
    """Shows records as they come and appends reports to `metrics_file`, one JSON object per line. Use as a context manager.

    `clock` gives seconds that only rise."""

    def __init__(self, run: str, metrics_file: Path, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=stream or sys.stderr)
        self._run = run
        self._metrics_file = metrics_file
        self._clock = clock
        self._printed_at = float("-inf")
        self._began: tuple[float, float] | None = None  # when, and how much was done then: a resumed run begins in the middle
        self._done = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TaskProgressColumn(), TextColumn("{task.fields[note]}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console, disable=not self._console.is_terminal)
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
        done = float(record.get("done", 0.0))
        parts = [f"{key} {_short(record[key])}" for key in _SHOWN if key in record]
        parts += [f"MFU {record['mfu']:.1%}"] if "mfu" in record else []
        left = self._left(done)
        note = " · ".join(parts if left is None else [*parts, f"ETA {timedelta(seconds=round(left))}"])
        self._bar.update(self._task, completed=done, note=note)
        self._print(f"{self._run}: {done:4.0%} · {note}", force=done >= 1.0)

    def _left(self, done: float) -> float | None:
        """Seconds until the end at the pace since the first report; None at the first report and at the end."""
        now = self._clock()
        if self._began is None or done < self._done:  # a worker that died goes on from a checkpoint
            self._began = (now, done)
        self._done = done
        at, share = self._began
        return (now - at) / (done - share) * (1 - done) if share < done < 1 else None

    def _print(self, line: str, *, force: bool) -> None:
        if self._console.is_terminal:
            return
        if force or self._clock() - self._printed_at >= _PLAIN_EVERY_S:
            self._printed_at = self._clock()
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value)
