"""Muon (Jordan et al. 2024): torch's own but for a CPU, where updates are orthogonalised in fp32.

torch.optim.Muon multiplies in bf16 wherever it runs. On a CPU without instructions for it (most laptops) an update takes some thirty times
as long as in fp32 (benchmarks/train_muon.py). State and settings are those of torch.optim.Muon, so that checkpoints of either are read by
the other.
"""

import math
from typing import Any

import torch
from torch import Tensor


class Muon(torch.optim.Muon):
    """Every parameter is a matrix. The learning rate is scaled to the update's size that AdamW has (Liu et al. 2025)."""

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update; `closure` as of any optimizer of torch."""
        if any(parameter.device.type != "cpu" for group in self.param_groups for parameter in group["params"]):
            return super().step(closure)  # type: ignore[no-untyped-call]  # torch annotates none of it
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if "momentum_buffer" not in (state := self.state[parameter]):
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
        update = orthogonalised(update.float(), group["ns_coefficients"], group["ns_steps"], group["eps"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.to(parameter.dtype), alpha=-group["lr"] * 0.2 * math.sqrt(max(parameter.shape)))


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """(rows, columns) with singular values near 1, by Newton and Schulz's iteration of the fifth order."""
    a, b, c = coefficients
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=eps)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
