"""Checkpoints of a training run: what is kept, how it is checked, where a run goes on."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import nn

from artifacts.card import ArtifactError, verify, write_card
from train import job
from train.optimizers import Optimizer

_STATE = "state.pt"


@dataclass(slots=True)
class State:
    """Where a run stands; `model` and `optimizer` aside, this is all that a checkpoint holds. `seconds` are those trained so far, `before`
    the metrics from before the training."""

    step: int = 0
    seconds: float = 0.0
    before: dict[str, float] = field(default_factory=dict)


def save(
    model: nn.Module,
    optimizer: Optimizer,
    state: State,
    metrics: Mapping[str, float],
    finish: Callable[[Path], None] | None = None,
) -> None:
    """One checkpoint: weights, optimizer, position, every rank's random state; at the end what `finish` adds on rank 0. Call on every
    rank."""
    generators = _gather(torch.get_rng_state())
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        if job.rank() == 0:
            held = {"model": _trained(model), "optimizer": optimizer.state_dict(), "random": generators}
            position = {"step": state.step, "seconds": state.seconds, "before": state.before}
            torch.save(held | position, directory / _STATE)
            if finish:
                finish(directory)
            write_card(directory, kind="checkpoint", name="checkpoint", command="", seed=None, metrics=dict(metrics))
        job.save({"step": float(state.step), **metrics}, directory)


def _trained(model: nn.Module) -> dict[str, Any]:
    """The model's state without frozen weights, which are where they came from."""
    frozen = {parameter.data_ptr() for parameter in model.parameters() if not parameter.requires_grad}  # tied weights have two names
    return {name: value for name, value in model.state_dict().items() if value.data_ptr() not in frozen}


def restore(model: nn.Module, optimizer: Optimizer, device: torch.device) -> State:
    """Go on from the newest checkpoint whose hashes are right; one that a crash cut short is passed over, and said so."""
    for directory in job.saved():
        try:
            verify(directory, "checkpoint")
        except ArtifactError as error:
            job.tell({"phase": f"passing over a damaged checkpoint: {error}"})
            continue
        held = torch.load(directory / _STATE, map_location=device, weights_only=True)
        model.load_state_dict(held["model"], strict=all(p.requires_grad for p in model.parameters()))
        optimizer.load_state_dict(held["optimizer"])
        if job.rank() < len(held["random"]):
            torch.set_rng_state(held["random"][job.rank()].cpu())
        return State(held["step"], held["seconds"], held["before"])
    return State()


def _gather(value: Any) -> list[Any]:
    """Every rank's value, on every rank."""
    if job.world_size() == 1:
        return [value]
    gathered: list[Any] = [None] * job.world_size()
    torch.distributed.all_gather_object(gathered, value)
    return gathered
