"""Runs that are killed again and again, beside runs that are not: `python -m benchmarks.train_kills [--kills 20] [--only KIND]`.

For each training command a small run of the project's own data, once undisturbed and once with `--kills` times kill -9: of a worker, of Ray
Train's controller, and of the command itself, which is then started again with --resume. Half of the kills come at a random moment of
training, the other half soon after the kill before, so that starts and restores are hit as well. Both runs count their epochs, not seconds.

same_model        whether both runs left the same weights and tokenizer, bit by bit; else both runs' held-out figures
older             kills after which the run went on from a checkpoint older than the last one that it had reported: must be 0
steps_lost        steps that had been reported and were taken again, mean and most; `interval` is the longest of a checkpoint, in steps
seconds_to_go_on  from a kill to the next start of the training loop, mean: noticing, starting again, reading the checkpoint
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import psutil
from rich.progress import Progress

from artifacts.card import Card, read_card
from benchmarks.record import Figures, record
from demo.stage import VAR
from train.reports.history import TRAINING

WORK = VAR / "benchmarks" / "kills"
SEED = 5
_EVERY_S = 3.0
_TARGETS = ("worker", "worker", "worker", "controller", "command")
_NAMES = {"worker": "ray::RayTrainWo", "controller": "ray::TrainContr"}  # the kernel keeps 15 letters
_COMMON = {
    "workers": 2, "threads_per_worker": 1, "max_failures": 200, "checkpoint_every_s": _EVERY_S, "report_every_s": 0.25, "precision": "fp32",
    "max_seconds": "null",
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "generator": ("generator.yaml", {"epochs": 20, "hidden_size": 128, "layers": 2, "intermediate_size": 256, "heads": 4, "kv_heads": 2}),
    "sentiment": ("sentiment.yaml", {"epochs": 4}),
    "persuasion": ("persuasion.yaml", {"epochs": 4}),
    "clip": ("clip.yaml", {"epochs": 4}),
}


@dataclass(slots=True)
class Run:
    """A command that trains, as often started again as it is killed. `begins` are (time, step) of every start of its training loop."""

    kind: str
    directory: Path
    name: str = ""
    begins: list[tuple[float, int]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin, or go on."""
        config, settings = KINDS[self.kind]
        chosen = {**_COMMON, **settings, "out": self.directory / "out", "storage": self.directory / "runs"}
        command = [sys.executable, "-m", f"train.{self.kind}", "--config", f"train/configs/{config}"]
        command += [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        command += ["--resume", self.name] if self.name else []
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.match(r"(\S+): training on \d+ examples(?: from step (\d+))?", line):
                self.name = found[1]
                self.begins.append((time.time(), int(found[2] or 0)))
            elif line.startswith("error"):
                print(line, end="", flush=True)

    def reports(self) -> list[dict[str, float]]:
        """What it has reported so far."""
        path = self.directory / "runs" / self.name / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if self.name and path.is_file() else []
        return [report for report in map(_parsed, lines) if "step" in report]

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self, target: str) -> bool:
        """kill -9; False where there is no such process at the moment."""
        assert self.process is not None
        if target == "command":
            self.process.kill()
            self.process.wait()
            return True
        try:
            found = [each for each in psutil.Process(self.process.pid).children(recursive=True) if each.name() == _NAMES[target]]
            os.kill(random.choice(found).pid, signal.SIGKILL)
        except (IndexError, ProcessLookupError, psutil.NoSuchProcess):
            return False
        return True


def _parsed(line: str) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(line)
    except json.JSONDecodeError:  # cut short by a kill
        return {}
    return found


@dataclass(frozen=True, slots=True)
class Blow:
    """A kill: when, whether it was timed to hit the training, the last step reported before it and the last one with a checkpoint."""

    at: float
    timed: bool
    step: int
    saved: int


def undisturbed(kind: str) -> Card:
    """The card of a run that nobody kills."""
    run = Run(kind, WORK / kind / "undisturbed")
    run.start()
    assert run.process is not None
    if run.process.wait():
        raise SystemExit(f"the undisturbed run of {kind} failed; see {run.directory}")
    return read_card(run.directory / "out")


def disturbed(kind: str, kills: int, advance: Callable[[], None]) -> tuple[Card, Run, list[Blow]]:
    """The run, killed so many times, or until it came to its end between two kills."""
    run, blows, chance = Run(kind, WORK / kind / "disturbed"), list[Blow](), random.Random(SEED)
    run.start()
    while len(blows) < kills:
        timed = len(blows) % 2 == 0
        if timed and not _goes_on(run, blows[-1].step if blows else 0):
            break
        time.sleep(chance.uniform(0, 2 * _EVERY_S) if timed else chance.uniform(0, 12))
        if not run.alive:
            break
        reports, target = run.reports(), chance.choice(_TARGETS)
        if run.kill(target):
            steps = [int(report["step"]) for report in reports]
            saved = [int(report["step"]) for report in reports if report.keys() - {*TRAINING, "step", "done"}]
            blows.append(Blow(time.time(), timed, steps[-1] if steps else 0, saved[-1] if saved else 0))
            advance()
            if target == "command":
                run.start()
    assert run.process is not None
    if run.process.wait():
        raise SystemExit(f"the run of {kind} failed after {len(blows)} kills; see {run.directory}")
    return read_card(run.directory / "out"), run, blows


def _goes_on(run: Run, beyond: int) -> bool:
    """Wait until a step beyond this one is reported; False where the run ended before."""
    while run.alive:
        if (reports := run.reports()) and reports[-1]["step"] > beyond:
            return True
        time.sleep(0.1)
    return False


def told(kind: str, calm: Card, card: Card, run: Run, blows: list[Blow]) -> Figures:
    """The figures of a kind."""
    lost, older = [], 0
    for blow in blows:
        if after := [step for at, step in run.begins if at > blow.at]:
            older += after[0] < blow.saved
            lost.append(max(0, blow.step - after[0]))
    saves = [int(report["step"]) for report in run.reports() if report.keys() - {*TRAINING, "step", "done"}]
    gaps = [later - sooner for sooner, later in pairwise(saves) if later > sooner]
    return {
        f"{kind}_kills": len(blows),
        f"{kind}_same_model": "yes" if _weights(card) == _weights(calm) else _differences(calm, card),
        f"{kind}_older": older,
        f"{kind}_steps": int(card.metrics["step"]),
        f"{kind}_steps_lost": round(fmean(lost), 2) if lost else 0,
        f"{kind}_steps_lost_most": max(lost, default=0),
        f"{kind}_interval": max(gaps, default=0),
        f"{kind}_seconds_to_go_on": round(fmean(_pauses(run, blows)), 1),
    }


def _pauses(run: Run, blows: list[Blow]) -> list[float]:
    """Seconds from each kill to the next start of the training loop."""
    return [min(at for at, _ in run.begins if at > blow.at) - blow.at for blow in blows if run.begins[-1][0] > blow.at]


def _weights(card: Card) -> dict[str, str]:
    """Hashes of everything but the ONNX form, whose tracer numbers its nodes anew."""
    return {name: digest for name, digest in card.files.items() if not name.endswith(".onnx")}


def _differences(calm: Card, card: Card) -> str:
    names = [name for name in calm.metrics if name in card.metrics and not name.startswith("before_")]
    return "; ".join(f"{name} {calm.metrics[name]:.4f} → {card.metrics[name]:.4f}" for name in names)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", choices=sorted(KINDS), action="append")
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    kinds = options.only or list(KINDS)
    if "sentiment" in kinds and not (VAR / "training" / "sentiment.parquet").is_file():
        subprocess.run([sys.executable, "-m", "demo.training_data", str(VAR / "training")], check=True)
    if "clip" in kinds and not (VAR / "training" / "pictures").is_dir():
        subprocess.run([sys.executable, "-m", "demo.picture_set", str(VAR / "training" / "pictures")], check=True)
    with Progress() as bar:
        for kind in kinds:
            calm = undisturbed(kind)
            task = bar.add_task(f"{kind}: kills", total=options.kills)
            figures = told(kind, calm, *disturbed(kind, options.kills, partial(bar.advance, task)))
            command = f"python -m benchmarks.train_kills --kills {options.kills} --only {kind}"
            record(f"train_kills_{kind}", figures, seed=SEED, command=command)


if __name__ == "__main__":
    main()
