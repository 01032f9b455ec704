"""The only place that starts a TorchTrainer. Beside it only `train/run/cluster.py`, `train/run/worker.py` and
`train/run/board.py` touch Ray, and `train/writing/stream.py` Ray Data.

`launch` runs a loop on every worker, shows its progress here, and leaves a model directory with a card. The loop is a plain
function of its config; inside it, `train.run.loop.fit` and the functions of train/run/worker.py are all it needs:

    class ClipConfig(TrainConfig):                       # train/run/settings.py: the fields that every run has
        pictures: InputPath

    def loop(config: ClipConfig) -> None:                # runs on each worker
        model, data = ...
        fit(config, model, Recipe(count=len(data), batch=..., loss=..., evaluate=..., export=...))      # train/run/loop.py

    if __name__ == "__main__":
        run_command(main)                                # main: read_command_line(…), then launch(loop, config, kind="clip", …)

With `workers = 0` the loop runs in this process instead, without a cluster, and leaves the same model as one worker does.

A run that was interrupted goes on with `--resume RUN`. Where a worker, its machine or Ray Train's controller dies, the run goes on by
itself from the last intact checkpoint, `max_failures` times.
"""

import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig, ScalingConfig
from ray.train.v2._internal.execution.local_mode.torch import has_torchrun_env

from artifacts.card import ArtifactError, Card, check_output
from train.reports.exhibits import REPORT, read_exhibits
from train.run import cluster, worker
from train.run.board import relay
from train.run.progress import ProgressDisplay
from train.run.publish import MODEL, described, publish
from train.run.settings import C, ConfigError, TrainConfig, data_hash
from train.run.trackers import Diary, Tracking, chosen

_OUT_OF_MEMORY = (
    "OutOfMemory",
    "out of memory",
    "can't allocate memory",
    "MemoryError",
)  # torch on a GPU, CUDA, torch on a CPU, Python; Ray's own error is the first
_MEMORY = (
    "It had too little memory: compute the batch in parts (--set accumulate=4), keep fewer activations "
    "(--set recompute_activations=true){} or lower batch_size"
)
_SHARDS = ", shard the model (--set parallel=fsdp)"


class TrainingError(RuntimeError):
    """A run that failed. The message names the run, the reason and how to go on."""


def run_command(main: Callable[[], None]) -> None:
    """Run a command. What its user can mend is printed without a traceback, and the exit status is 1."""
    try:
        main()
    except (ConfigError, TrainingError, ArtifactError) as error:
        sys.exit(f"error: {error}")


def launch(loop: Callable[[C], None], config: C, *, kind: str, data: Sequence[Path], resume: str | None = None) -> Card:
    """Run `loop(config)` on every worker and move what it exported to `config.out`, card last; a report of the run lies beside its metrics.

    `kind` is the card's; `data` are the files to hash into it. Raises ConfigError for settings that can't work here, ArtifactError for
    an `out` that must not be replaced, both before anything starts, and TrainingError where the run failed.
    """
    check_output(config.out, kind)
    run = resume or f"{config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if resume and not worker.is_begun(config.runs, run):
        raise ConfigError(f"--resume {resume!r}: no such run under {config.runs}; name one of its directories or leave --resume out")
    with _shown(config, run) as display:
        result = _train(loop, config, run, display, tries=1 + config.max_failures)
        with _stoppable(run):
            display.show({"phase": f"writing {config.out}"})
            card = _publish(result, config, kind=kind, run=run, hashed=data_hash(data))
            display.show({"phase": f"report: {config.local_runs / run / REPORT}"})
            display.finish(card.metrics)
            return card


def train(loop: Callable[[C], None], config: C, *, run: str, callbacks: Sequence[ray.train.UserCallback] = ()) -> None:
    """As `launch`, but what the loop exported stays in the last checkpoint of the run, for `publish_run`. A run of this name goes on; where
    its controller dies it ends with a TrainingError, and its placement group is left."""
    with _shown(config, run) as display:
        display.finish(_figures(_train(loop, config, run, display, callbacks=callbacks)))


def publish_run(config: TrainConfig, *, kind: str, data: Sequence[Path], run: str) -> Card:
    """Move to `config.out` what a run of `train` exported. Raises TrainingError where it did not reach its end."""
    return _publish(Result.from_path(f"{config.runs}/{run}"), config, kind=kind, run=run, hashed=data_hash(data))


@contextmanager
def _shown(config: TrainConfig, run: str) -> Iterator[Tracking]:
    makers = chosen(config.trackers)
    local = config.local_runs / run
    with ProgressDisplay(run, local / "metrics.jsonl") as bar, Tracking(makers, Diary(run, local, described(config)), bar) as display:
        yield display


def _train(
    loop: Callable[[C], None],
    config: C,
    run: str,
    display: Tracking,
    *,
    tries: int = 1,
    callbacks: Sequence[ray.train.UserCallback] = (),
) -> Result:
    """The run, from its last checkpoint again where its controller dies. Workers that die are Ray Train's to replace."""
    if not config.workers:
        return _fit_alone(loop, config, run, display)
    display.show({"phase": "starting Ray"})
    cluster.connect(config)
    on_gpu = cluster.use_gpu(config)
    with relay(f"progress-{run}-{uuid.uuid4().hex[:6]}", display.show) as board:
        for _ in range(tries):
            display.show({"phase": f"starting {config.workers} worker(s) on {'GPU' if on_gpu else 'CPU'}"})
            held = cluster.places()
            try:
                return _fit(loop, config, run=run, use_gpu=on_gpu, board=board, callbacks=callbacks)
            except ray.exceptions.RayActorError:
                if tries > 1:  # else other runs of this driver hold places, too
                    cluster.give_up(cluster.places() - held)
                display.show({"phase": "the controller of the run died"})
    raise TrainingError(f"run {run}: its controller died {tries} time(s); {_go_on(run)}")


def _fit(
    loop: Callable[[C], None], config: C, *, run: str, use_gpu: bool, board: str, callbacks: Sequence[ray.train.UserCallback]
) -> Result:
    """A run on the cluster. A group of workers that can't start within `start_timeout_s` is an error instead of a wait without end."""
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(config.start_timeout_s)
    scaling = ScalingConfig(
        num_workers=(config.min_workers, config.workers) if config.min_workers else config.workers,
        elastic_resize_monitor_interval_s=config.checkpoint_every_s,
        use_gpu=use_gpu,
        resources_per_worker={"CPU": config.threads_per_worker} | ({"GPU": 1} if use_gpu else {}),
    )
    how = RunConfig(
        name=run,
        storage_path=config.runs,
        checkpoint_config=CheckpointConfig(num_to_keep=worker.KEPT),
        failure_config=FailureConfig(max_failures=config.max_failures, controller_failure_limit=config.max_failures),
        callbacks=list(callbacks),
    )
    try:
        return _trainer(loop, config, scaling, how, board).fit()
    except ray.train.TrainingFailedError as error:
        raise TrainingError(_reason(error, config, run)) from error
    except (KeyboardInterrupt, SystemExit) as stop:  # Ray Train ends the process when it is interrupted
        raise TrainingError(_stopped(run)) from stop


def _fit_alone(loop: Callable[[C], None], config: C, run: str, display: Tracking) -> Result:
    """A run in this process: Ray Train's local mode, which starts no Ray."""
    if has_torchrun_env() and os.environ["WORLD_SIZE"] != "1":
        raise ConfigError(
            f"workers = 0 with WORLD_SIZE = {os.environ['WORLD_SIZE']}: torchrun's processes would train apart; start the command without "
            f"torchrun and pass --set workers={os.environ['WORLD_SIZE']}"
        )
    gpu = torch.cuda.is_available()
    if config.device == "cuda" and not gpu:
        raise ConfigError("device = 'cuda': this machine has no GPU that torch can use; pass --set device=cpu")
    device = torch.device("cuda" if gpu and config.device != "cpu" else "cpu")
    display.show({"phase": f"starting in this process on {'GPU' if device.type == 'cuda' else 'CPU'}"})
    with worker.alone(display.show, device), _stoppable(run):
        try:
            return _trainer(loop, config, ScalingConfig(num_workers=0), RunConfig(name=run, storage_path=config.runs)).fit()
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            raise TrainingError(f"run {run}: failed: {cause}\n{_remedy(cause, shards='')}, then {_go_on(run)}") from error


@contextmanager
def _stoppable(run: str) -> Iterator[None]:
    """SIGINT and SIGTERM end the block with a TrainingError that says how to go on. The main thread alone hears of signals: in another one
    nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt as error:
        raise TrainingError(_stopped(run)) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _trainer(loop: Callable[[C], None], config: C, scaling: ScalingConfig, how: RunConfig, board: str = "") -> ray.train.torch.TorchTrainer:
    settings = {
        "loop": address_of(loop),
        "kind": address_of(type(config)),
        "config": config.model_dump(mode="json"),
        "board": board,
        "storage": config.runs,
        "run": how.name,
    }
    return ray.train.torch.TorchTrainer(worker.run, train_loop_config=settings, scaling_config=scaling, run_config=how)


def _go_on(run: str) -> str:
    return f"go on from its last checkpoint with --resume {run}"


def _stopped(run: str) -> str:
    return f"run {run}: stopped; {_go_on(run)}"


def _remedy(cause: str, shards: str = _SHARDS) -> str:
    return _MEMORY.format(shards) if any(sign in cause for sign in _OUT_OF_MEMORY) else "Mend the cause"


def _reason(error: Exception, config: TrainConfig, run: str) -> str:
    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    if not failures:
        return (
            f"run {run}: the workers did not start in {config.max_failures + 1} tries of start_timeout_s = {config.start_timeout_s:g} s: "
            f"workers = {config.workers}, threads_per_worker = {config.threads_per_worker}, cluster {cluster.resources()}; "
            f"ask for less or add machines. ({error})"
        )
    rank, cause = next(iter(failures.items()))
    return f"run {run}: worker {rank} failed: {cause}\n{_remedy(str(cause))}, then {_go_on(run)}"


def _publish(result: Result, config: TrainConfig, *, kind: str, run: str, hashed: str) -> Card:
    """The model directory, and the report in the run's local directory."""
    from train.reports.report import write_report  # workers import this file, too, and have no use for matplotlib

    if result.checkpoint is None:
        raise TrainingError(f"run {run}: ended without a checkpoint; its loop must end with train.run.loop.fit or job.save")
    with result.checkpoint.as_directory() as directory:
        if not (Path(directory) / MODEL).is_dir():
            raise TrainingError(f"run {run}: its last checkpoint holds no model; go on with --resume {run}")
        card = publish(Path(directory), config, kind=kind, run=run, hashed=hashed, metrics=_figures(result))
        write_report(config.local_runs / run, card, read_exhibits(Path(directory)))
        return card


def _figures(result: Result) -> dict[str, float]:
    return {key: float(value) for key, value in (result.metrics or {}).items() if isinstance(value, int | float)}


def address_of(thing: Callable[..., Any]) -> str:
    """`module:name` of a function or class. A command's own module is called `__main__`, which workers can't import: use its real name."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name if thing.__module__ == "__main__" and spec else thing.__module__
    return f"{module}:{thing.__qualname__}"
