"""A loop small enough to read at a glance, which workers import: a line fitted to points, with a worker that dies once if asked to."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from train.loop import Batch, Recipe, fit
from train.settings import TrainConfig


class LineConfig(TrainConfig):
    """A line of four weights."""

    dies_once_at: Path | None = None
    """A file that the worker leaves behind when it dies, so that it dies once only."""


def line(config: LineConfig) -> None:
    """Fit y = x1 + x2 + x3 + x4."""
    points = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    sums = points.sum(1, keepdim=True)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        if config.dies_once_at and epoch == 2 and not config.dies_once_at.exists():
            config.dies_once_at.touch()
            os._exit(1)
        return {"points": points[list(numbers)], "sums": sums[list(numbers)]}

    def error(model: nn.Module, points: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        return ((model(points) - sums) ** 2).mean()

    recipe = Recipe(
        count=64,
        batch=batch,
        loss=lambda model, batch: error(model, batch["points"], batch["sums"]),
        evaluate=lambda model: {"error": float(error(model, points, sums))},
        export=lambda model, directory: (directory.mkdir(), torch.save(model.state_dict(), directory / "line.pt"))[1],
    )
    fit(config, nn.Linear(4, 1), recipe)
