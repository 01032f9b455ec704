"""How weights move: the optimizer of a run, and its learning rate over the run."""

import math
from typing import Any

import torch
from torch import nn

from train.run.muon import Muon
from train.run.settings import TrainConfig

_FLOOR = 0.05  # the learning rate ends at this share of its peak


def learning_rate_share(done: float, warmup: float) -> float:
    """Linear rise over `warmup`, then half a cosine down to 5 %. `done` and `warmup` are shares of the run, 0 to 1."""
    if done < warmup:
        return done / warmup
    return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))


class _Together:
    """Two optimizers, each for its own parameters, as one."""

    def __init__(self, *each: torch.optim.Optimizer) -> None:
        self._each = each
        self.param_groups = [group for one in each for group in one.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for one in self._each:
            one.zero_grad(set_to_none)

    def step(self) -> None:
        for one in self._each:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        return {str(number): one.state_dict() for number, one in enumerate(self._each)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for number, one in enumerate(self._each):
            one.load_state_dict(state[str(number)])
        self.param_groups = [group for one in self._each for group in one.param_groups]


Optimizer = torch.optim.Optimizer | _Together


def optimizer_of(model: nn.Module, config: TrainConfig) -> Optimizer:
    """AdamW, or Muon for the matrices of the layers and AdamW for the rest; vectors (norms, biases) and embeddings are not decayed."""
    decayed = [p for name, p in model.named_parameters() if p.requires_grad and p.ndim > 1 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.requires_grad and not (p.ndim > 1 and "embed" not in name)]
    if config.optimizer == "muon" and (matrices := [p for p in decayed if p.ndim == 2]):
        others += [p for p in decayed if p.ndim != 2]
        return _Together(
            Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay),
            torch.optim.AdamW(others, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        )
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=True)
