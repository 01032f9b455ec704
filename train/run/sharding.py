"""FSDP2: every worker keeps a share of the weights, gradients and optimizer state, and gathers a layer while it computes it.

ZeRO-3 (Rajbhandari et al. 2020) by torch's `fully_shard`, one shard group for each transformer layer and one for the rest. Forward passes
are exchanges between workers, so every worker takes part in evaluations, too. Checkpoints are sharded (torch.distributed.checkpoint):
each worker writes its part, and another number of workers can read it. Tensor and pipeline parallelism are not here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

_LEARNED = StateDictOptions(ignore_frozen_params=True, strict=False)
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def is_sharded(model: nn.Module) -> bool:
    """Whether workers hold shares of this model."""
    return isinstance(model, FSDPModule)


class Outline:
    """The structure of a model before it is sharded, without its weights, so that the whole model can be put together again."""

    def __init__(self, model: nn.Module) -> None:
        absent = {id(each): nn.Parameter(torch.empty_like(each, device="meta"), each.requires_grad) for each in model.parameters()}
        self._model = deepcopy(model, absent)  # a parameter that is met again (tied weights) is the same one in the copy

    def whole(self, sharded: nn.Module) -> nn.Module | None:
        """The whole model in the main memory of rank 0, None on the others. Call on every rank."""
        state = get_model_state_dict(sharded, options=_WHOLE)
        if torch.distributed.get_rank() != 0:
            return None
        self._model.load_state_dict(state, assign=True)
        for part in self._model.modules():
            if tie := getattr(part, "tie_weights", None):  # of transformers, which takes seconds to import: not every model is one
                tie()
        return self._model.cpu().eval()


def shard(model: nn.Module, device: torch.device, *, bf16: bool) -> Outline:
    """Shard the model over all workers, in place: weights are kept in fp32, computed with in bf16 where asked, gradients are added up in
    fp32. Returns what puts it together again."""
    outline = Outline(model)
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if bf16 else MixedPrecisionPolicy()
    names = {name for part in model.modules() for name in getattr(part, "_no_split_modules", None) or ()}
    for part in [part for part in model.modules() if type(part).__name__ in names]:
        fully_shard(part, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    return outline


@contextmanager
def unshared(model: Any) -> Iterator[None]:
    """Gradients of the block stay with this worker for now."""
    model.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        model.set_requires_gradient_sync(True)


def write_weights(model: nn.Module, directory: Path) -> None:
    """As `write`, without the optimizer."""
    save({"model": get_model_state_dict(model, options=_LEARNED)}, checkpoint_id=directory)


def read_weights(model: nn.Module, directory: Path) -> None:
    """Take the weights that `write_weights` wrote. Call on every rank."""
    weights = get_model_state_dict(model, options=_LEARNED)
    load({"model": weights}, checkpoint_id=directory)  # in place
    set_model_state_dict(model, weights, options=_LEARNED)


def write(model: nn.Module, optimizer: torch.optim.Optimizer, directory: Path) -> None:
    """This worker's part of the weights that learn and of the optimizer's state. Call on every rank, each with a directory of its own
    whose files belong together."""
    weights, moments = get_state_dict(model, optimizer, options=_LEARNED)
    save({"model": weights, "optimizer": moments}, checkpoint_id=directory)


def read(model: nn.Module, optimizer: torch.optim.Optimizer, directory: Path) -> None:
    """Go on from what `write` wrote with any number of workers. Call on every rank."""
    weights, moments = get_state_dict(model, optimizer, options=_LEARNED)
    load({"model": weights, "optimizer": moments}, checkpoint_id=directory)  # in place
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments, options=_LEARNED)
