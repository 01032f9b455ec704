"""The only place that starts a TorchTrainer, and the only file under `train/` that touches Ray.

`launch` runs a loop on every worker, shows its progress here, and leaves a model directory with a card. The loop is a plain
function of its config; inside it, `train.loop.fit` and the functions at the end of this file are all it needs:

    class ClipConfig(TrainConfig):                       # train/settings.py: the fields that every run has
        pictures: InputPath

    def loop(config: ClipConfig) -> None:                # runs on each worker
        model, data = ...
        fit(config, model, Recipe(count=len(data), batch=..., loss=..., evaluate=..., export=...))      # train/loop.py

    if __name__ == "__main__":
        run_command(main)                                # main: read_command_line(…), then launch(loop, config, kind="clip", …)

A run that was interrupted goes on with `--resume RUN`; a worker that dies is replaced and goes on from the last intact checkpoint.
"""

import importlib
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow.fs
import ray
import ray.train
import ray.train.torch
import torch
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, Result, RunConfig, ScalingConfig
from torch import nn

from artifacts.card import ArtifactError, Card, check_output
from train.exhibits import REPORT, read_exhibits
from train.progress import ProgressDisplay
from train.publish import MODEL, described, publish
from train.settings import C, ConfigError, TrainConfig, data_hash
from train.trackers import Diary, Tracking, chosen

_KEEP_CHECKPOINTS = 2  # the last may be cut short by a crash, so the one before it stays
_POLL_S = 0.5


class TrainingError(RuntimeError):
    """A run that failed. The message names the run, the reason and how to go on."""


@ray.remote(num_cpus=0)
class _Board:
    """Carries records from rank 0 to the driver, wherever in the cluster each of them is."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []

    def put(self, record: dict[str, Any]) -> None:
        """Add one record."""
        self._records.append(record)

    def take(self) -> list[dict[str, Any]]:
        """Everything put since the last call."""
        taken, self._records = self._records, []
        return taken


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
    makers = chosen(config.trackers)
    run = resume or f"{config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if resume and "://" not in config.runs and not (Path(config.runs) / run).is_dir():
        raise ConfigError(f"--resume {resume!r}: no such run under {config.runs}; name one of its directories or leave --resume out")
    local = config.local_runs / run
    with ProgressDisplay(run, local / "metrics.jsonl") as bar, Tracking(makers, Diary(run, local, described(config)), bar) as display:
        display.show({"phase": "starting Ray"})
        _connect(config)
        use_gpu = _use_gpu(config)
        with _relay(f"progress-{run}-{uuid.uuid4().hex[:6]}", display) as board:
            display.show({"phase": f"starting {config.workers} worker(s) on {'GPU' if use_gpu else 'CPU'}"})
            result = _fit(loop, config, run=run, use_gpu=use_gpu, board=board)
        display.show({"phase": f"writing {config.out}"})
        card = _publish(result, config, kind=kind, run=run, hashed=data_hash(data))
        display.show({"phase": f"report: {local / REPORT}"})
        display.finish(card.metrics)
        return card


def _connect(config: TrainConfig) -> None:
    """Join the cluster that RAY_ADDRESS names, or start Ray here; refuse what this machine can never give."""
    if ray.is_initialized():
        return
    wanted = config.workers * config.threads_per_worker
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
        return
    cpus = max(os.cpu_count() or 1, 2)  # two workers of one thread each also take turns on one core
    if wanted > cpus:
        raise ConfigError(
            f"workers = {config.workers} with threads_per_worker = {config.threads_per_worker}: needs {wanted} CPUs, this machine offers "
            f"{cpus}; lower one of them (--set workers=1) or set RAY_ADDRESS to a cluster"
        )
    ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def _use_gpu(config: TrainConfig) -> bool:
    """Whether each worker gets a GPU. Raises ConfigError where it must have one and there are too few."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if config.device == "cuda" and gpus < config.workers and not os.environ.get("RAY_ADDRESS"):
        raise ConfigError(f"device = 'cuda': needs {config.workers} GPU(s), there are {gpus}; pass --set device=cpu or lower workers")
    return config.device == "cuda" or (config.device == "auto" and gpus >= config.workers)


@contextmanager
def _relay(name: str, display: Tracking) -> Iterator[str]:
    """Show what workers put on a board for as long as the block runs. Yields the board's name."""
    board = _Board.options(name=name).remote()  # type: ignore[attr-defined]
    finished = threading.Event()

    def drain() -> None:
        try:
            records = ray.get(board.take.remote())
        except ray.exceptions.RayActorError:
            return  # the board went with its node: the run goes on, unseen
        for record in records:
            display.show(record)

    def poll() -> None:
        while not finished.wait(_POLL_S):
            drain()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield name
    finally:
        finished.set()
        thread.join()
        drain()
        ray.kill(board)


def _fit(loop: Callable[[C], None], config: C, *, run: str, use_gpu: bool, board: str) -> Result:
    """The TorchTrainer. A group of workers that can't start within `start_timeout_s` is an error instead of a wait without end."""
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(config.start_timeout_s)
    trainer = ray.train.torch.TorchTrainer(
        _worker,
        train_loop_config={
            "loop": _address(loop),
            "kind": _address(type(config)),
            "config": config.model_dump(mode="json"),
            "board": board,
            "storage": config.runs,
            "run": run,
        },
        scaling_config=ScalingConfig(
            num_workers=config.workers,
            use_gpu=use_gpu,
            resources_per_worker={"CPU": config.threads_per_worker} | ({"GPU": 1} if use_gpu else {}),
        ),
        run_config=RunConfig(
            name=run,
            storage_path=config.runs,
            checkpoint_config=CheckpointConfig(num_to_keep=_KEEP_CHECKPOINTS),
            failure_config=FailureConfig(max_failures=config.max_failures, controller_failure_limit=config.max_failures),
        ),
    )
    try:
        return trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise TrainingError(_reason(error, config, run)) from error
    except (KeyboardInterrupt, SystemExit) as stop:  # Ray Train ends the process when it is interrupted
        raise TrainingError(f"run {run}: stopped; go on from its last checkpoint with --resume {run}") from stop


def _reason(error: Exception, config: TrainConfig, run: str) -> str:
    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    if not failures:
        return (
            f"run {run}: the workers did not start in {config.max_failures + 1} tries of start_timeout_s = {config.start_timeout_s:g} s: "
            f"workers = {config.workers}, threads_per_worker = {config.threads_per_worker}, cluster {dict(ray.cluster_resources())}; "
            f"ask for less or add machines. ({error})"
        )
    rank, cause = next(iter(failures.items()))
    return f"run {run}: worker {rank} failed: {cause}\nMend the cause, then go on from the last checkpoint with --resume {run}"


def _publish(result: Result, config: TrainConfig, *, kind: str, run: str, hashed: str) -> Card:
    """The model directory, and the report in the run's local directory."""
    from train.report import write_report  # workers import this file, too, and have no use for matplotlib

    if result.checkpoint is None:
        raise TrainingError(f"run {run}: ended without a checkpoint; its loop must end with train.loop.fit or job.save")
    with result.checkpoint.as_directory() as directory:
        if not (Path(directory) / MODEL).is_dir():
            raise TrainingError(f"run {run}: its last checkpoint holds no model; go on with --resume {run}")
        metrics = {key: float(value) for key, value in (result.metrics or {}).items() if isinstance(value, int | float)}
        card = publish(Path(directory), config, kind=kind, run=run, hashed=hashed, metrics=metrics)
        write_report(config.local_runs / run, card, read_exhibits(Path(directory)))
        return card


def _address(thing: Callable[..., Any]) -> str:
    """`module:name` of a function or class. A command's own module is called `__main__`, which workers can't import: use its real name."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name if thing.__module__ == "__main__" and spec else thing.__module__
    return f"{module}:{thing.__qualname__}"


def _resolve(address: str) -> Any:
    """What `_address` named."""
    module, name = address.split(":")
    return getattr(importlib.import_module(module), name)


def _worker(settings: dict[str, Any]) -> None:
    """What Ray runs on each worker."""
    _place.update({key: settings[key] for key in ("board", "storage", "run")})
    _resolve(settings["loop"])(_resolve(settings["kind"]).model_validate(settings["config"]))


# ---- for use inside a loop -------------------------------------------------------------------------------------------------------

_place: dict[str, str] = {}  # the board, storage and name of the run that this process works for


def rank() -> int:
    """This worker's number, from 0."""
    return int(ray.train.get_context().get_world_rank())


def world_size() -> int:
    """How many workers train together."""
    return int(ray.train.get_context().get_world_size())


def device() -> torch.device:
    """Where this worker's model and batches belong."""
    return cast(torch.device, ray.train.torch.get_device())


def distributed(model: nn.Module) -> nn.Module:
    """The model wrapped for gradient averaging where there are several workers."""
    return cast(nn.Module, ray.train.torch.prepare_model(model))


def tell(record: Mapping[str, Any]) -> None:
    """Rank 0: send `{"phase": …}` or a report to the driver's terminal and `metrics.jsonl`. Other ranks: nothing."""
    if rank() == 0:
        ray.get_actor(_place["board"]).put.remote(dict(record))


def save(metrics: Mapping[str, float], directory: Path) -> None:
    """Keep rank 0's `directory` as a checkpoint. Every rank calls this, the same number of times; it waits for all of them."""
    ray.train.report(dict(metrics), checkpoint=Checkpoint.from_directory(directory) if rank() == 0 else None)


def saved() -> Iterator[Path]:
    """Checkpoints of this run as local directories, newest first; none in a fresh run. Whether one is intact is the reader's to check.

    They are looked for in storage: Ray hears of a checkpoint a moment after it is written, so that a worker that dies in this moment
    leaves one that `ray.train.get_checkpoint` does not know.
    """
    storage, root = pyarrow.fs.FileSystem.from_uri(_place["storage"])
    entries = storage.get_file_info(pyarrow.fs.FileSelector(f"{root}/{_place['run']}", allow_not_found=True))
    kept = [entry.path for entry in entries if entry.type == pyarrow.fs.FileType.Directory and entry.base_name.startswith("checkpoint_")]
    for path in sorted(kept, reverse=True):
        with Checkpoint(path, storage).as_directory() as directory:
            yield Path(cast(str, directory))
