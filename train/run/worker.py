"""What a training loop may ask and say on the worker where it runs.

rank(), world_size(), device()         who this worker is
tell({"phase": "reading"})             a line for whoever launched the run
save(metrics, directory), saved()      checkpoints, kept and found again
"""

import importlib
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.fs
import ray
import ray.train
import ray.train.torch
import ray.util
import torch
import torch.distributed
from ray.train import Checkpoint
from ray.train.v2._internal.constants import CHECKPOINT_MANAGER_SNAPSHOT_FILENAME
from torch import nn

from train.run import storage

KEPT = 2
"""Checkpoints of a run that stay: the last may be cut short by a crash, so the one before it does, too."""
PLACE = "place"
"""Among what is reported: the id of the placement group in which the workers run, for whoever has to clear it away."""
_place: dict[str, str] = {}  # the board, storage and name of the run that this process works for
_CHECKPOINT = "checkpoint_"  # and the local time, as Ray Train calls them: a run may go on with a cluster or without


@dataclass(frozen=True, slots=True)
class _Alone:
    """Of a run in the driver's own process: where its records go, and its device."""

    show: Callable[[dict[str, Any]], None]
    device: torch.device


_alone: list[_Alone] = []  # one while such a run lasts; Ray's workers have none


def resolve(address: str) -> Any:
    """What `train.job.address_of` named."""
    module, name = address.split(":")
    return getattr(importlib.import_module(module), name)


def run(settings: dict[str, Any]) -> None:
    """What Ray runs on each worker: the loop that `train.job` names, with its config."""
    _place.update({key: settings[key] for key in ("board", "storage", "run")})
    resolve(settings["loop"])(resolve(settings["kind"]).model_validate(settings["config"]))


@contextmanager
def alone(show: Callable[[dict[str, Any]], None], device: torch.device) -> Iterator[None]:
    """For as long as the block lasts this process is the only worker of a run: it shows its records itself. Torch's threads, random states
    and the level of Ray Train's log, which would tell of every checkpoint, are put back."""
    log = logging.getLogger("ray.train")
    threads, level = torch.get_num_threads(), log.level
    states = random.getstate(), np.random.get_state()
    _alone.append(_Alone(show, device))
    log.setLevel(logging.WARNING)
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        _alone.clear()
        log.setLevel(level)
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])


def rank() -> int:
    """This worker's number, from 0."""
    return int(ray.train.get_context().get_world_rank())


def world_size() -> int:
    """How many workers train together."""
    return int(ray.train.get_context().get_world_size())


def device() -> torch.device:
    """Where this worker's model and batches belong."""
    return _alone[0].device if _alone else cast(torch.device, ray.train.torch.get_device())


def distributed(model: nn.Module) -> nn.Module:
    """The model wrapped for gradient averaging where there are several workers."""
    return model if _alone else cast(nn.Module, ray.train.torch.prepare_model(model))


def gathered(value: Any) -> list[Any]:
    """Every rank's value, on every rank."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(found, value)
    return found


def tell(record: Mapping[str, Any]) -> None:
    """Rank 0: send `{"phase": …}` or a report to the driver's terminal and `metrics.jsonl`. Other ranks: nothing."""
    if _alone:
        _alone[0].show(dict(record))
    elif rank() == 0:
        ray.get_actor(_place["board"]).put.remote(dict(record))


def save(metrics: Mapping[str, float], directory: Path, *, every_rank: bool = False) -> None:
    """Keep rank 0's `directory` as a checkpoint, or with `every_rank` the files of all of them in one. Every rank calls this, the same
    number of times; it waits for all of them. KEPT of them stay; of a run that went from alone to a cluster, as many of its first part."""
    if _alone:
        name = f"{_CHECKPOINT}{datetime.now(UTC).astimezone():%Y-%m-%d_%H-%M-%S.%f}"
        put(directory, name)
        system, root = _storage()
        if system.get_file_info(noted := f"{root}/{CHECKPOINT_MANAGER_SNAPSHOT_FILENAME}").type == pyarrow.fs.FileType.File:
            system.delete_file(noted)  # Ray Train's list, of checkpoints that are dropped here: it would look for them
        drop(_CHECKPOINT, name, KEPT)
        ray.train.report(dict(metrics), checkpoint=Checkpoint(f"{root}/{name}", system))
        return
    mine = Checkpoint.from_directory(directory) if every_rank or rank() == 0 else None
    told = dict(metrics) | {PLACE: ray.util.get_current_placement_group().id.hex()}
    ray.train.report(told, checkpoint=mine, checkpoint_upload_fn=None if "://" in _place["storage"] else _kept)


def _kept(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """The checkpoint, moved to the run's directory in such a way that a crash leaves whole files or none."""
    target = Path(_place["storage"]) / _place["run"] / name
    storage.keep(Path(checkpoint.path), target)
    return Checkpoint(str(target), pyarrow.fs.LocalFileSystem())


def saved() -> Iterator[Path]:
    """Checkpoints of this run as local directories, newest first; none in a fresh run. Whether one is intact is the reader's to check.

    They are looked for in storage: Ray hears of a checkpoint a moment after it is written, so that a worker that dies in this moment
    leaves one that `ray.train.get_checkpoint` does not know.
    """
    system, found = _found(_CHECKPOINT)
    for name in sorted(found, reverse=True):
        with Checkpoint(found[name], system).as_directory() as directory:
            yield Path(cast(str, directory))


def put(directory: Path, name: str) -> None:
    """Keep the files of `directory` as `name` in the run's directory, beside what other ranks keep there."""
    system, root = _storage()
    if isinstance(system, pyarrow.fs.LocalFileSystem):
        storage.keep(directory, Path(root) / name)
    else:
        pyarrow.fs.copy_files(
            str(directory), f"{root}/{name}", source_filesystem=pyarrow.fs.LocalFileSystem(), destination_filesystem=system
        )


def drop(prefix: str, last: str, keep: int) -> None:
    """Of what was kept under names that begin so, leave `last` and those before it in the order of names, `keep` in all. What stands behind
    it was written by a part of the run that is taken again."""
    system, found = _found(prefix)
    left = sorted(name for name in found if name <= last)[-keep:]
    for name in found.keys() - set(left):
        system.delete_dir(found[name])


def has(name: str) -> bool:
    """Whether anything was kept as `name`."""
    system, root = _storage()
    return bool(system.get_file_info(f"{root}/{name}").type == pyarrow.fs.FileType.Directory)


@contextmanager
def got(name: str) -> Iterator[Path]:
    """What was kept as `name`, as a local directory."""
    system, root = _storage()
    with Checkpoint(f"{root}/{name}", system).as_directory() as directory:
        yield Path(cast(str, directory))


def _found(prefix: str) -> tuple[pyarrow.fs.FileSystem, dict[str, str]]:
    """The run's file system, and the directories in the run's that are called so: name → path."""
    system, root = _storage()
    entries = system.get_file_info(pyarrow.fs.FileSelector(root, allow_not_found=True))
    directories = [each for each in entries if each.type == pyarrow.fs.FileType.Directory]
    return system, {each.base_name: each.path for each in directories if each.base_name.startswith(prefix)}


def is_begun(storage: str, run: str) -> bool:
    """Whether there is a run of this name; asked by whoever launches it."""
    system, root = pyarrow.fs.FileSystem.from_uri(storage)
    return bool(system.get_file_info(f"{root}/{run}").type == pyarrow.fs.FileType.Directory)


def _storage() -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of the run, and its directory there."""
    system, root = pyarrow.fs.FileSystem.from_uri(_place["storage"])
    return system, f"{root}/{_place['run']}"
