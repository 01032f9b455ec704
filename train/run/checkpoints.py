"""Checkpoints of a training run: what is kept, how it is checked, where a run goes on, and which weights were the best."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from artifacts.card import ArtifactError, sha256_of, verify, write_card
from train.reports.metrics import lower_is_better
from train.run import sharding, worker
from train.run.optimizers import Optimizer

_STATE = "state.pt"
_SHARDS = "shards"
_BEST = "best-"
_KEPT = 3  # the last, and those that the two checkpoints which are kept may mean


@dataclass(slots=True)
class State:
    """Where a run stands; `model` and `optimizer` aside, this is all that a checkpoint holds. `seconds` are those trained so far, `before`
    the metrics from before the training, `best` the value of the metric by which the best weights are kept, `best_at` their step."""

    step: int = 0
    seconds: float = 0.0
    before: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_at: int = 0
    random: tuple[Tensor, ...] = ()
    """This rank's random states where the checkpoint was written: the CPU's and the GPU's."""

    def rewind(self) -> None:
        """Draw from here on what the run would have drawn. Call it last, since what is set up and measured may draw, too."""
        for kind, state in zip((torch, torch.cuda), self.random, strict=False):
            kind.set_rng_state(state.cpu())


def save(
    model: nn.Module,
    optimizer: Optimizer,
    state: State,
    metrics: Mapping[str, float],
    finish: Callable[[Path], None] | None = None,
) -> None:
    """One checkpoint: weights, optimizer, position, every rank's random state; at the end what `finish` adds on rank 0. Call on every
    rank."""
    generators = worker.gathered(_drawn_from(next(model.parameters()).device))
    sharded = sharding.is_sharded(model)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        elsewhere: list[dict[str, str]] = []
        if sharded:
            assert isinstance(optimizer, torch.optim.Optimizer)
            sharding.write(model, optimizer, directory / _SHARDS)
            elsewhere = worker.gathered(
                {str(path.relative_to(directory)): sha256_of(path) for path in directory.rglob("*") if path.is_file()}
            )
        if worker.rank() == 0:
            held = {} if sharded else {"model": _trained(model), "optimizer": optimizer.state_dict()}
            position = {name: getattr(state, name) for name in ("step", "seconds", "before", "best", "best_at")}
            torch.save(held | position | {"random": generators}, directory / _STATE)
            if finish:
                finish(directory)
            also = {name: digest for files in elsewhere[1:] for name, digest in files.items()}
            write_card(directory, kind="checkpoint", name="checkpoint", command="", seed=None, metrics=dict(metrics), also=also)
        worker.save({"step": float(state.step), **metrics}, directory, every_rank=sharded)


def _trained(model: nn.Module) -> dict[str, Any]:
    """The model's state without frozen weights, which are where they came from."""
    frozen = {parameter.data_ptr() for parameter in model.parameters() if not parameter.requires_grad}  # tied weights have two names
    return {name: value for name, value in model.state_dict().items() if value.data_ptr() not in frozen}


def restore(model: nn.Module, optimizer: Optimizer, device: torch.device) -> State:
    """Go on from the newest checkpoint whose hashes are right, but for its random state (`State.rewind`); one that a crash cut short is
    passed over, and said so. Raises ValueError where the run so far was sharded and this one is not, or the reverse."""
    for directory in worker.saved():
        try:
            verify(directory, "checkpoint")
        except ArtifactError as error:
            worker.tell({"phase": f"passing over a damaged checkpoint: {error}"})
            continue
        held = torch.load(directory / _STATE, map_location=device, weights_only=True)
        if sharding.is_sharded(model) == ("model" in held):
            raise ValueError(f"parallel: {directory.name} was not written with this setting; resume with the one that the run began with")
        if sharding.is_sharded(model):
            assert isinstance(optimizer, torch.optim.Optimizer)
            sharding.read(model, optimizer, directory / _SHARDS)
        else:
            model.load_state_dict(held["model"], strict=all(p.requires_grad for p in model.parameters()))
            optimizer.load_state_dict(held["optimizer"])
        random = held["random"][worker.rank()] if worker.rank() < len(held["random"]) else ()
        drawn = (random,) if isinstance(random, Tensor) else random  # older checkpoints have the CPU's alone
        return State(held["step"], held["seconds"], held["before"], held.get("best"), held.get("best_at", 0), drawn)
    return State()


def _drawn_from(device: torch.device) -> tuple[Tensor, ...]:
    """The random states that a worker draws from."""
    return (torch.get_rng_state(), *((torch.cuda.get_rng_state(device),) if device.type == "cuda" else ()))


def keep_if_best(model: nn.Module, state: State, metric: str, metrics: Mapping[str, float]) -> None:
    """Put the weights aside where `metric` has its best value so far, which must be a number. Call on every rank; rank 0 alone knows the
    metrics. Raises ValueError there for a metric that the run doesn't report."""
    if worker.rank() == 0 and metric not in metrics:
        raise ValueError(f"keep_best = {metric!r}: the run doesn't report it; name one of {', '.join(sorted(metrics))}")
    value = worker.gathered(metrics.get(metric))[0]
    if not math.isfinite(value):
        worker.tell({"phase": f"{metric} is {value} at step {state.step}: no number, so these weights are not the best"})
        return
    if state.best is not None and (value >= state.best if lower_is_better(metric) else value <= state.best):
        return
    state.best, state.best_at = value, state.step
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        if sharding.is_sharded(model):
            sharding.write_weights(model, directory / _SHARDS)
        elif worker.rank() == 0:
            torch.save(_trained(model), directory / _STATE)
        worker.put(directory, _best(state))
    worker.gathered(None)  # all of it is there before anyone reads it
    if worker.rank() == 0:
        worker.drop(_BEST, last=_best(state), keep=_KEPT)


def _best(state: State) -> str:
    """Where the best weights lie. Each has a place of its own, so that a run which is killed here finds those that its checkpoint means,
    whole."""
    return f"{_BEST}{state.best_at:09d}"


def back_to_the_best(model: nn.Module, state: State, device: torch.device) -> None:
    """Load the weights that were put aside. Call on every rank."""
    with worker.got(_best(state)) as directory:
        if sharding.is_sharded(model):
            sharding.read_weights(model, directory / _SHARDS)
        else:
            weights = torch.load(directory / _STATE, map_location=device, weights_only=True)
            model.load_state_dict(weights, strict=all(p.requires_grad for p in model.parameters()))
