"""The trials of a sweep as a table: in the terminal while they run, and as `sweep.md` and `sweep.json` once they have.

In a terminal the table is drawn anew as it changes; elsewhere each change is a line. Knows neither Ray nor torch.
"""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

Mode = Literal["min", "max"]
State = Literal["waiting", "running", "done", "stopped early", "failed", "refused"]


@dataclass(slots=True)
class Trial:
    """One trial: what it tries, and what became of it. `metric` is the last one measured, `seconds` run until then."""

    name: str
    settings: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    """The whole config as JSON has it; empty where it was refused."""
    state: State = "waiting"
    metric: float | None = None
    seconds: float = 0.0
    reason: str = ""
    """Why it failed or was refused."""

    def told(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{key} = {short(value)}" for key, value in self.settings.items())


@dataclass(frozen=True, slots=True)
class Goal:
    """What a sweep looks for: the smallest or the largest value of a held-out metric."""

    metric: str
    mode: Mode

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """Best first. Those that reached their end stand before those that were stopped, and those without a metric last."""
        sign = 1 if self.mode == "min" else -1
        return sorted(trials, key=lambda one: (one.metric is None, one.state != "done", sign * (one.metric or 0.0)))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of those that reached their end: only they left a model. None where none did."""
        return next((one for one in self.ranked(trials) if one.state == "done" and one.metric is not None), None)


def short(value: object) -> str:
    """A value as a table shows it."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


class TrialTable:
    """Shows trials as they change. Use as a context manager."""

    def __init__(self, sweep: str, trials: Sequence[Trial], goal: Goal, stream: TextIO | None = None) -> None:
        self.trials = {one.name: one for one in trials}
        self._sweep = sweep
        self._goal = goal
        self._console = Console(file=stream or sys.stderr)
        self._said = ""
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> "TrialTable":
        if self._live:
            self._live.start()
            self._live.update(self.drawn(), refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def change(self, name: str, *, state: State, metric: float | None = None, seconds: float | None = None) -> None:
        """Note what became of a trial, and show it."""
        trial = self.trials[name]
        trial.state = state
        trial.metric = trial.metric if metric is None else metric
        trial.seconds = trial.seconds if seconds is None else seconds
        if self._live:
            self._live.update(self.drawn(), refresh=True)
            return
        line = f"{name} {state} · {trial.told()}" + ("" if trial.metric is None else f" · {self._goal.metric} {trial.metric:.4f}")
        if line != self._said:
            self._said = line
            self.say(line)

    def say(self, line: str) -> None:
        """One line above the table."""
        self._console.print(f"{self._sweep}: {line}", highlight=False, markup=False, soft_wrap=True)

    def drawn(self) -> Table:
        """The table as it stands."""
        table = Table(title=self._sweep)
        for column in _columns(self._goal):
            table.add_column(column)
        for one in self._goal.ranked(list(self.trials.values())):
            table.add_row(*_row(one))
        return table


def _columns(goal: Goal) -> tuple[str, ...]:
    return ("trial", "settings", goal.metric, "seconds", "state")


def _row(one: Trial) -> tuple[str, ...]:
    metric = "" if one.metric is None else f"{one.metric:.4f}"
    return (one.name, one.told(), metric, f"{one.seconds:.0f}", one.state + (f": {one.reason}" if one.reason else ""))


def command_of(command: Sequence[str], settings: Mapping[str, Any], out: Path) -> str:
    """The plain run with these settings; `command` is all of it but them and --out."""
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={_scalar(value)}")]
    return shlex.join([*command, *chosen, "--out", str(out)])


def _scalar(value: object) -> str:
    """As YAML reads it back: JSON is YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def write_tables(directory: Path, trials: Sequence[Trial], goal: Goal, commands: Mapping[str, str]) -> Path:
    """`sweep.json` and `sweep.md`, best first; `commands` has one for each trial's name. Returns the page."""
    ranked = goal.ranked(trials)
    best = goal.best(trials)
    told = [{key: value for key, value in asdict(one).items() if key != "config"} | {"command": commands[one.name]} for one in ranked]
    found = {"metric": goal.metric, "mode": goal.mode, "best": best.name if best else None, "trials": told}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "sweep.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    order = "smallest" if goal.mode == "min" else "largest"
    lines = [
        f"# Sweep {directory.name}",
        "",
        f"{len(ranked)} trials, {order} `{goal.metric}` first; those that reached their end lead.",
        "",
    ]
    lines += [_line(_columns(goal)), _line(["---"] * 5), *(_line(_row(one)) for one in ranked)]
    if best:
        lines += ["", f"Best: {best.name}. The same run again:", "", f"    {commands[best.name]}"]
    page = directory / "sweep.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
