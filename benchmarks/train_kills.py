"""Runs that are killed again and again, beside runs that are not: `python -m benchmarks.train_kills [--kills 20] [--only KIND]`.

For each training command a small run of the project's own data, once undisturbed and once with `--kills` times kill -9: of a worker, of Ray
Train's controller, and of the command itself, which is then started again with --resume. Half of the kills come at a random moment of
training, the other half soon after the kill before, so that starts and restores are hit as well. Both runs count their epochs, not seconds.

same_model        whether both runs left the same files, bit by bit; else both runs' held-out figures
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
from random import Random
from statistics import fmean

import psutil
from rich.progress import Progress

from artifacts.card import Card, read_card
from benchmarks.record import Figures, record
from copywriting import copybook
from copywriting.prompt import compact
from demo.stage import VAR
from train.reports.history import TRAINING
from train.texts.examples import Shelf
from train.texts.fillers import flat_statement

WORK = VAR / "benchmarks" / "kills"
SEED = 5
_EVERY_S, _SELDOM_S = 3.0, 60.0
_PAIRS = VAR / "training" / "copybook_pairs.jsonl"
_TARGETS = ("worker", "worker", "worker", "controller", "command")
_NAMES = {"worker": "ray::RayTrainWo", "controller": "ray::TrainContr"}  # the kernel keeps 15 letters
_COMMON = {
    "workers": 2, "threads_per_worker": 1, "max_failures": 200, "report_every_s": 0.25, "precision": "fp32",
    "max_seconds": "null",
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "generator": (
        "generator.yaml",
        {"epochs": 12, "batch_size": 4, "hidden_size": 128, "layers": 2, "intermediate_size": 256, "heads": 4, "kv_heads": 2},
    ),
    "alignment": ("alignment.yaml", {"epochs": 4, "data": _PAIRS}),
    "sentiment": ("sentiment.yaml", {"epochs": 6}),
    "persuasion": ("persuasion.yaml", {"epochs": 8}),
    "clip": ("clip.yaml", {"epochs": 6}),
}
"""Of each kind a run that is long enough for twenty kills."""


@dataclass(slots=True)
class Run:
    """A command that trains, started again as often as it is killed, a checkpoint every `every_s` seconds. `begins` are (time, step) of
    every start of its training loop."""

    kind: str
    directory: Path
    name: str = ""
    every_s: float = _EVERY_S
    begins: list[tuple[float, int]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin, or go on."""
        config, settings = KINDS[self.kind]
        chosen = {
            **_COMMON,
            "checkpoint_every_s": self.every_s,
            **settings,
            "out": self.directory / "out",
            "storage": self.directory / "runs",
        }
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


def write_pairs() -> None:
    """Pairs for alignment: a piece of the copybook for a brief is preferred to a flat statement of the catalogue's facts."""
    random = Random(SEED)
    pieces = random.sample(copybook.load(Path("demo/copybook")), 800)
    shelf, rows = Shelf(pieces), []
    for number in range(len(pieces)):
        one = shelf.example(number, random)
        rows.append({"prompt": compact(one.brief), "chosen": one.copy, "rejected": flat_statement(one.brief.language, random)})
    _PAIRS.parent.mkdir(parents=True, exist_ok=True)
    _PAIRS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


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
    """The card of a run that nobody kills; that it saves more seldom must change nothing."""
    run = Run(kind, WORK / kind / "undisturbed", every_s=_SELDOM_S)
    run.start()
    assert run.process is not None
    if run.process.wait():
        raise SystemExit(f"the undisturbed run of {kind} failed; see {run.directory}")
    return read_card(run.directory / "out")


def disturbed(kind: str, kills: int, advance: Callable[[], None]) -> tuple[Card, Run, list[Blow]]:
    """The run, killed so many times, or until it came to its end between two kills."""
    run, blows, chance = Run(kind, WORK / kind / "disturbed"), list[Blow](), Random(SEED)
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
    lost, older, pauses = [], 0, _pauses(run, blows)
    for blow in blows:
        if after := [step for at, step in run.begins if at > blow.at]:
            older += after[0] < blow.saved
            lost.append(max(0, blow.step - after[0]))
    saves = [int(report["step"]) for report in run.reports() if report.keys() - {*TRAINING, "step", "done"}]
    gaps = [later - sooner for sooner, later in pairwise(saves) if later > sooner]
    return {
        f"{kind}_kills": len(blows),
        f"{kind}_same_model": "yes" if card.files == calm.files else _differences(calm, card),
        f"{kind}_older": older,
        f"{kind}_steps": int(card.metrics["step"]),
        f"{kind}_steps_lost": round(fmean(lost), 2) if lost else 0,
        f"{kind}_steps_lost_most": max(lost, default=0),
        f"{kind}_interval": max(gaps, default=0),
        f"{kind}_seconds_to_go_on": round(fmean(pauses), 1) if pauses else 0,
    }


def _pauses(run: Run, blows: list[Blow]) -> list[float]:
    """Seconds from each kill to the next start of the training loop."""
    return [min(at for at, _ in run.begins if at > blow.at) - blow.at for blow in blows if run.begins[-1][0] > blow.at]


def _differences(calm: Card, card: Card) -> str:
    names = [name for name in calm.metrics if name in card.metrics and not name.startswith("before_")]
    return "; ".join(f"{name} {calm.metrics[name]:.4f} → {card.metrics[name]:.4f}" for name in names)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", choices=sorted(KINDS), action="append")
    options = parser.parse_args()
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")  # a checkpoint waits until Ray Train asks for it: else two seconds
    shutil.rmtree(WORK, ignore_errors=True)
    kinds = options.only or list(KINDS)
    if "alignment" in kinds:
        write_pairs()
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
