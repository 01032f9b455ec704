"""The trials of a sweep on Ray Tune: each is a run of its own through `train.job`, and ASHA ends those that fall behind.

Ray Train no longer runs inside a Trainable of Ray Tune. A trial is a function on the head node that starts a TorchTrainer; the workers are
placed beside it, and `TuneReportCallback` brings what they report at checkpoints. The function itself takes no CPU, so a trial takes what
its workers do, and as many run at once as the cluster has room for. Ray Tune's own restore goes on with a sweep that was interrupted;
a trial in the middle goes on from its last checkpoint, and ASHA, whose memory Ray Tune does not keep, compares those that still run.

A trial that is stopped early leaves its placement group and its controller: the group is removed here; the controller stays, doing nothing,
until the sweep ends. That is why a trial of which a worker dies has failed, whatever `max_failures` says.
"""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.fs
import ray
import ray.train
from ray import tune
from ray.tune.experiment import Trial as RayTrial
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.result import AUTO_RESULT_KEYS
from ray.tune.schedulers import ASHAScheduler

from train import job
from train.run import cluster, worker
from train.run.publish import MODEL
from train.run.settings import ConfigError, TrainConfig
from train.sweeps.trial_table import Goal, Trial, TrialTable

TUNE = "tune"
"""Where below a sweep Ray Tune keeps its state."""
_KEEP_ONE_IN = 3  # at the 1st, 3rd, 9th … checkpoint, of those that came so far
_LONGEST = 3**9  # checkpoints; a trial ends with its epochs, not here
# a group of bundles can't be empty, and a share of a CPU would keep the last worker from its place; every cluster has this on its head
_DRIVER = {"node:__internal_head__": 0.001}
_ENDED = ("TERMINATED", "ERROR")


@dataclass(frozen=True, slots=True)
class Work:
    """What every trial of a sweep runs, as addresses that workers can import, and the storage of its runs."""

    loop: str
    kind: str
    runs: str


class _Watcher(tune.Callback):  # type: ignore[misc]
    """Brings what Ray Tune notices to the table."""

    # of the class: Ray pickles the callback for a sweep that goes on, and a terminal can't be pickled
    table: ClassVar[TrialTable]
    goal: ClassVar[Goal]
    runs: ClassVar[str]
    unmet: ClassVar[str]  # what a run reports that doesn't report the metric
    places: ClassVar[dict[str, str]]  # the placement group of each trial: a trial that is stopped early leaves it behind

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        self.table.change(_name(trial), state="running")

    def on_trial_result(self, iteration: int, trials: list[RayTrial], trial: RayTrial, result: dict[str, Any], **info: Any) -> None:
        if worker.PLACE in result:
            self.places[_name(trial)] = result[worker.PLACE]
        found = [name for name, value in result.items() if isinstance(value, float) and name not in (*AUTO_RESULT_KEYS, "step")]
        if found and self.goal.metric not in result:
            type(self).unmet = ", ".join(name for name in found if not name.startswith("before_"))
            raise tune.TuneError("stopped: every trial would be run for nothing")
        self.table.change(_name(trial), state="running", metric=_number(result.get(self.goal.metric)), seconds=result.get("time_total_s"))

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        self._clear(trial)
        self.table.change(_name(trial), state="stopped early" if _finished(f"{self.runs}/{_name(trial)}") is None else "done")

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: Any) -> None:
        self._clear(trial)
        self.table.change(_name(trial), state="failed")

    def _clear(self, trial: RayTrial) -> None:
        if place := self.places.pop(_name(trial), None):
            cluster.give_up([place])


def _name(trial: RayTrial) -> str:
    return str(trial.config["trial"]["name"])


def _trial(config: dict[str, Any]) -> None:
    """What Ray Tune runs for each trial."""
    one = config["trial"]
    # a controller that outlives its trial must not start workers again when their places are taken away
    settings = worker.resolve(one["kind"]).model_validate({**one["config"], "max_failures": 0})
    job.train(worker.resolve(one["loop"]), settings, run=one["name"], callbacks=[TuneReportCallback()])


def run_trials(work: Work, configs: Sequence[TrainConfig], table: TrialTable, goal: Goal, *, resume: bool) -> None:
    """Run the trials of the table, or go on with them; `configs` are those of the trials that can run. Their states, metrics and reasons
    are in the table's trials afterwards. Raises ConfigError for a metric that the runs don't report, TrainingError where it was stopped."""
    cluster.connect(max(configs, key=lambda one: one.workers * one.threads_per_worker))
    for name, level in {"ray.tune": logging.CRITICAL, "ray.train": logging.WARNING}.items():  # the table says what they would
        logging.getLogger(name).setLevel(level)
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output ignores verbose=0
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # _Watcher checks, and knows what there is instead
    _Watcher.table, _Watcher.goal, _Watcher.runs, _Watcher.unmet, _Watcher.places = table, goal, work.runs, "", {}
    begun = resume and _begun(f"{work.runs}/{TUNE}")
    if begun:
        _note_outcomes(work, table, goal)
    tuner = _restored(work) if begun else _tuner(work, [one for one in table.trials.values() if one.config], goal, _together(configs))
    try:
        tuner.fit()
    except tune.TuneError as error:
        if _Watcher.unmet:
            raise ConfigError(f"--metric {goal.metric!r}: the runs don't report it; name one of {_Watcher.unmet}") from error
        raise
    if waiting := _note_outcomes(work, table, goal):
        name = Path(work.runs).name
        raise job.TrainingError(f"sweep {name}: stopped with {waiting} trials to go; go on with --resume {name}")


def _together(configs: Sequence[TrainConfig]) -> int:
    """How many trials the cluster has room for."""
    resources = ray.cluster_resources()
    rooms = [resources.get("CPU", 0) // (one.workers * one.threads_per_worker) for one in configs]
    rooms += [resources.get("GPU", 0) // one.workers for one in configs if cluster.use_gpu(one)]
    return max(1, int(min(rooms)))


def _trainable() -> Any:
    return tune.with_resources(_trial, tune.PlacementGroupFactory([_DRIVER]))


def _tuner(work: Work, trials: Sequence[Trial], goal: Goal, together: int) -> tune.Tuner:
    each = [{"name": one.name, "config": dict(one.config), "loop": work.loop, "kind": work.kind} for one in trials]
    asha = ASHAScheduler(time_attr="training_iteration", max_t=_LONGEST, reduction_factor=_KEEP_ONE_IN, stop_last_trials=False)
    return tune.Tuner(
        _trainable(),
        param_space={"trial": tune.grid_search(each)},
        tune_config=tune.TuneConfig(
            metric=goal.metric,
            mode=goal.mode,
            scheduler=asha,
            max_concurrent_trials=together,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(name=TUNE, storage_path=work.runs, verbose=0, callbacks=[_Watcher()]),
    )


def _begun(place: str) -> bool:
    """Whether Ray Tune has put down the state of any trial; a sweep that was stopped before begins anew."""
    storage, root = pyarrow.fs.FileSystem.from_uri(place)
    entries = storage.get_file_info(pyarrow.fs.FileSelector(root, allow_not_found=True))
    return any(entry.base_name.startswith("experiment_state") for entry in entries)


def _restored(work: Work) -> tune.Tuner:
    return tune.Tuner.restore(f"{work.runs}/{TUNE}", trainable=_trainable())


def _note_outcomes(work: Work, table: TrialTable, goal: Goal) -> int:
    """Put down what became of every trial: from Ray Tune whether it ended, from its last checkpoint whether it left a model. Returns how
    many have not ended."""
    waiting = len([one for one in table.trials.values() if one.config])
    for found in tune.ExperimentAnalysis(f"{work.runs}/{TUNE}").trials:
        one = table.trials[_name(found)]
        last = found.last_result or {}
        one.seconds, one.metric = float(last.get("time_total_s", 0.0)), _number(last.get(goal.metric))
        waiting -= found.status in _ENDED
        if found.status == "ERROR":
            one.state, one.reason = "failed", _reason(found, one.name)
        elif found.status == "TERMINATED":
            _note_end(one, _finished(f"{work.runs}/{one.name}"), goal)
    return waiting


def _note_end(one: Trial, metrics: Mapping[str, Any] | None, goal: Goal) -> None:
    one.state = "stopped early" if metrics is None else "done"
    if metrics is not None:
        one.metric = _number(metrics.get(goal.metric))
        one.state, one.reason = ("failed", f"{goal.metric} is no number at the end") if one.metric is None else (one.state, "")


def _finished(run: str) -> Mapping[str, Any] | None:
    """The metrics of a run's last checkpoint where that holds a model; None where the run was stopped before its end."""
    result = ray.train.Result.from_path(run)
    if result.checkpoint is None:
        return None
    info = result.checkpoint.filesystem.get_file_info(f"{result.checkpoint.path}/{MODEL}")
    return dict(result.metrics or {}) if info.type == pyarrow.fs.FileType.Directory else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _reason(found: RayTrial, name: str) -> str:
    """Why a trial failed, in one line and without the traceback."""
    error = found.get_pickled_error()
    cause = str(getattr(error, "cause", None) or error or found.get_error() or "its process died")
    return cause.strip().splitlines()[0].removeprefix(f"run {name}: ")
