"""The response model fitted with differential privacy: logistic regression or factorisation machine, whole shoppers protected.

    python -m train.response --set model=logistic --set 'features=[channel, hour, price]' --set private='{target_epsilon: 3}' --out DIR

A step draws units (shoppers, where `cluster` names their column) by chance; of each, at most `per_unit` rows add up to one gradient, which
is clipped as a whole and noised (train/run/private.py). So the bound holds for all training rows of a shopper together. What else would
look at the training rows is done elsewhere or not at all: levels, means and calibration come from the validation rows, nothing is chosen or
stopped by a loss, features are named by hand, rows are not weighted by propensities. Trees are not here: they publish counts.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from artifacts.response import Machine
from artifacts.response_features import Encoding
from train.run.private import PrivateSteps
from train.run.private_settings import ResponsePrivacy
from train.shoppers.impressions import Examples
from train.shoppers.response_machine import Network, one_thread, tensors

_NAMES = ("codes", "values", "happened", "weights")


def fit_private_machine(
    encoding: Encoding, training: Examples, units: NDArray[Any], settings: ResponsePrivacy, *, dim: int, seed: int
) -> tuple[Machine, dict[str, float]]:
    """(machine, what was spent). `units` (rows,) says whose each row is; `dim` 0 is a logistic regression. Raises ConfigError for a budget
    or a batch that can't be."""
    with one_thread():
        random = torch.Generator().manual_seed(seed)
        network = Network(encoding, torch.ones(encoding.size), settings.prior_rate, dim, random)
        network.factors.requires_grad_(dim > 0)
        groups = grouped(tensors(training), units, settings.per_unit, seed)
        count = len(groups["codes"])
        steps = math.ceil(settings.epochs * count / settings.batch_size)
        optimizer = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=settings.learning_rate)
        guard = PrivateSteps(network, optimizer, group_loss, settings, units=count, batch_size=settings.batch_size, steps=steps)
        for number, drawn in zip(range(steps), guard.drawn(), strict=False):
            for group in guard.optimizer.param_groups:
                group["lr"] = settings.learning_rate * (1 - number / steps)  # the noise of the last steps is never averaged out
            guard.step([{key: each[drawn] for key, each in groups.items()}] if drawn else [])
    return network.machine(), guard.spent()


def grouped(rows: list[Tensor], units: NDArray[Any], per_unit: int, seed: int) -> dict[str, Tensor]:
    """The rows of each unit together: name → (units, at most per_unit, …), filled up with rows of weight 0."""
    _, numbers = np.unique(units, return_inverse=True)
    per_unit = min(per_unit, int(np.bincount(numbers).max()))
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(numbers[order], kind="stable")]
    starts = np.searchsorted(numbers[order], np.arange(numbers.max() + 1))
    place = np.arange(len(order)) - starts[numbers[order]]
    kept, place = order[place < per_unit], place[place < per_unit]
    found = {}
    for name, each in zip(_NAMES, rows, strict=True):
        found[name] = each.new_zeros((len(starts), per_unit, *each.shape[1:]))
        found[name][numbers[kept], place] = each[kept]
    return found


def group_loss(network: nn.Module, groups: Mapping[str, Tensor]) -> Tensor:
    """The sum over the rows of all groups: a gradient that is longer than the bound is shortened, however many rows it comes from."""
    codes, values, happened, weights = (groups[name].flatten(0, 1) for name in _NAMES)
    logits, _ = network(codes, values)
    return nn.functional.binary_cross_entropy_with_logits(logits, happened, weights, reduction="sum")
