"""How a run went, from its `metrics.jsonl`: training figures over steps, and held-out metrics at its checkpoints."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAINING = ("loss", "learning_rate", "tokens_per_s", "mfu")
_BEFORE = "before_"
_FAMILY = 3

Curve = list[tuple[int, float]]
"""(step, value), steps rising."""


@dataclass(frozen=True, slots=True)
class History:
    """`training` has a curve for each of TRAINING that was reported, `held_out` one for each metric, from step 0, before training."""

    training: Mapping[str, Curve]
    held_out: Mapping[str, Curve]

    def losses(self) -> dict[str, Curve]:
        """Held-out losses, which may stand beside the training loss."""
        return {name: curve for name, curve in self.held_out.items() if "loss" in name}

    def shares(self) -> dict[str, Curve]:
        """Held-out metrics between 0 and 1. A family of more than three (f1_scarcity, f1_value …) is left to the table."""
        shares = {name: curve for name, curve in self.held_out.items() if "loss" not in name and all(0 <= value <= 1 for _, value in curve)}
        families = Counter(name.split("_")[0] for name in shares)
        return {name: curve for name, curve in shares.items() if families[name.split("_")[0]] <= _FAMILY}


def read_history(metrics_file: Path) -> History:
    """What the file says. Where a run went back to a checkpoint, the steps that it took again replace the first ones."""
    reports: dict[int, dict[str, float]] = {}
    for report in _reports(metrics_file):
        step = int(report["step"])
        reports = {each: held for each, held in reports.items() if each <= step}
        reports[step] = reports.get(step, {}) | report
    metrics = list(dict.fromkeys(name for report in reports.values() for name in report if name not in (*TRAINING, "step", "done")))
    held_out: dict[str, Curve] = {}
    for name in (name for name in metrics if not name.startswith(_BEFORE)):
        before = [(0, value) for report in list(reports.values())[-1:] for value in _numbers([report], _BEFORE + name)]
        held_out[name] = before + _curve(reports, name)
    training = {name: _curve(reports, name) for name in TRAINING}
    return History({name: curve for name, curve in training.items() if curve}, held_out)


def _reports(metrics_file: Path) -> Iterator[dict[str, Any]]:
    for line in metrics_file.read_text(encoding="utf-8").splitlines() if metrics_file.is_file() else ():
        try:
            report = json.loads(line)
        except json.JSONDecodeError:  # a driver that was killed while it wrote
            continue
        if isinstance(report, dict) and "step" in report:
            yield report


def _curve(reports: Mapping[int, Mapping[str, float]], name: str) -> Curve:
    return [(step, value) for step, report in sorted(reports.items()) for value in _numbers([report], name)]


def _numbers(reports: Sequence[Mapping[str, float]], name: str) -> list[float]:
    found = [report[name] for report in reports if name in report]
    return [value for value in found if isinstance(value, int | float) and math.isfinite(value)]
