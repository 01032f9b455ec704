"""Where the reports of a run go besides the terminal: TensorBoard always, Weights & Biases and MLflow where the config names them.

    trackers: [wandb, mlflow]            # in a run's YAML, or --set trackers=wandb,mlflow
    tensorboard --logdir var/runs        # all runs side by side; their files lie in <storage>/<run>/tensorboard

wandb    offline below the run, unless WANDB_API_KEY or WANDB_MODE says otherwise; `wandb sync` sends it later. WANDB_PROJECT counts.
mlflow   a file store below the run, unless MLFLOW_TRACKING_URI names a server or a database. MLFLOW_EXPERIMENT_NAME counts.

Trackers live in the driver, each in a thread of its own, so that none of them holds up training. Knows neither Ray nor the loop.
"""

import importlib
import importlib.util
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from train.run.progress import ProgressDisplay, Record
from train.run.settings import ConfigError

_PROJECT = "suasion"
_PLACE = ("step", "done")


@dataclass(frozen=True, slots=True)
class Diary:
    """What a tracker is told of the run at its start: its name, the directory that is its own, and its config."""

    run: str
    directory: Path
    config: Mapping[str, Any]


class Tracker(Protocol):
    """Made from a `Diary` when the run starts."""

    def log(self, record: Mapping[str, float], step: int) -> None:
        """Keep the figures of one report."""

    def finish(self, summary: Mapping[str, float]) -> None:
        """Keep the final metrics and close; an empty summary is a run that did not reach its end."""


class TensorBoard:
    """Event files below the run."""

    def __init__(self, diary: Diary) -> None:
        from torch.utils.tensorboard import SummaryWriter  # workers import this module, too, and have no use for it

        self._writer: Any = SummaryWriter(str(diary.directory / "tensorboard"), flush_secs=10)
        self._writer.add_text("config", _table(diary.config))

    def log(self, record: Mapping[str, float], step: int) -> None:
        """One scalar each."""
        for name, value in record.items():
            self._writer.add_scalar(name, value, step)

    def finish(self, summary: Mapping[str, float]) -> None:
        """The final metrics as a table."""
        if summary:
            self._writer.add_text("metrics", _table(summary))
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases with the name of ours."""

    def __init__(self, diary: Diary) -> None:
        mode = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # by default it sends its own crash reports
        wandb: Any = importlib.import_module("wandb")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=diary.run,
            dir=diary.directory,
            config=dict(diary.config),
            mode=mode,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
            **({"id": diary.run, "resume": "allow"} if mode == "online" else {}),
        )
        self._run.define_metric("*", step_metric="step")  # its own step only rises; a run that goes on from a checkpoint steps back

    def log(self, record: Mapping[str, float], step: int) -> None:
        """One row."""
        self._run.log({**record, "step": step})

    def finish(self, summary: Mapping[str, float]) -> None:
        """The final metrics become the run's summary."""
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=0 if summary else 1)


class MLflow:
    """A run of MLflow with the name of ours."""

    def __init__(self, diary: Diary) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # the one store that mlflow-skinny has; a database needs all of mlflow
        mlflow: Any = importlib.import_module("mlflow")
        self._entities: Any = importlib.import_module("mlflow.entities")
        self._client = mlflow.MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or str(diary.directory / "mlflow"))
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        self._run = self._client.create_run(experiment, run_name=diary.run).info.run_id
        params = [self._entities.Param(key, str(value)) for key, value in diary.config.items()]
        self._client.log_batch(self._run, params=params)

    def log(self, record: Mapping[str, float], step: int) -> None:
        """One batch of metrics."""
        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [self._entities.Metric(name, value, now, step) for name, value in record.items()])

    def finish(self, summary: Mapping[str, float]) -> None:
        """The final metrics are metrics called `final_…`."""
        for name, value in summary.items():
            self._client.log_metric(self._run, f"final_{name}", value)
        self._client.set_terminated(self._run, "FINISHED" if summary else "FAILED")


TRACKERS: dict[str, Callable[[Diary], Tracker]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases, "mlflow": MLflow}
"""By the names of the config; TensorBoard is not named there, it is always on."""
_PIP = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow-skinny"}


def chosen(names: Sequence[str], installed: Callable[[str], object] = importlib.util.find_spec) -> dict[str, Callable[[Diary], Tracker]]:
    """TensorBoard and the trackers named. Raises ConfigError for one whose package is not installed."""
    for name in ("tensorboard", *names):
        if not installed(name):
            remedy = "" if name == "tensorboard" else f", or take {name} out of `trackers`"
            raise ConfigError(f"trackers = {list(names)}: package {name!r} is not installed; run `pip install {_PIP[name]}`{remedy}")
    return {name: TRACKERS[name] for name in ("tensorboard", *names)}


def _table(rows: Mapping[str, Any]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | `{value}` |" for key, value in rows.items())])


class Tracking:
    """Shows a run's records in the display and hands its reports to every tracker. Use as a context manager."""

    def __init__(
        self, makers: Mapping[str, Callable[[Diary], Tracker]], diary: Diary, display: ProgressDisplay, patience_s: float = 60
    ) -> None:
        self._display = display
        self._desks = [_Desk(name, partial(make, diary), display) for name, make in makers.items()]
        self._patience_s = patience_s
        self._finished = False

    def __enter__(self) -> "Tracking":
        for desk in self._desks:
            desk.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            self.finish({})

    def show(self, record: Record) -> None:
        """Show one record; a report goes to the trackers, too."""
        self._display.show(record)
        if "phase" not in record:
            figures = {key: float(value) for key, value in record.items() if isinstance(value, int | float) and key not in _PLACE}
            for desk in self._desks:
                desk.entries.put((figures, int(record.get("step", 0))))

    def finish(self, summary: Mapping[str, float]) -> None:
        """Close the trackers with the final metrics. Those that take longer than the patience are left behind, and said so."""
        self._finished = True
        for desk in self._desks:
            desk.entries.put((summary, None))
        until = time.monotonic() + self._patience_s
        for desk in self._desks:
            desk.join(max(0.0, until - time.monotonic()))
            if desk.is_alive():
                self._display.show({"phase": f"{desk.name} is still sending after {self._patience_s:g} s; it is left behind"})


class _Desk(threading.Thread):
    """One tracker and the reports that wait for it, in order; the last one has no step."""

    def __init__(self, name: str, make: Callable[[], Tracker], display: ProgressDisplay) -> None:
        super().__init__(name=name, daemon=True)
        self.entries: queue.SimpleQueue[tuple[Mapping[str, float], int | None]] = queue.SimpleQueue()
        self._make = make
        self._display = display

    def run(self) -> None:
        try:
            self._follow(self._make())
        except Exception as error:  # a network or a server fails in ways that no list holds, and the run is worth more than its diary
            reason = " ".join(str(error).split()) or type(error).__name__
            self._display.show({"phase": f"{self.name} stopped ({reason}); the run goes on without it"})

    def _follow(self, tracker: Tracker) -> None:
        while True:
            figures, step = self.entries.get()
            if step is None:
                return tracker.finish(figures)
            tracker.log(figures, step)
