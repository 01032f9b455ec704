"""Softmax over a sample of the products, for catalogues where scoring all of them at every step is too slow.

Negatives are drawn by popularity, the same for a whole batch, and every logit is lowered by the log of its product's chance to be drawn,
so that popular products are not punished for being drawn often (Bengio & Senécal 2008; Yi et al. 2019).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.recommenders.contract import History


class Negatives:
    """Draws product numbers, from 1, by smoothed popularity."""

    def __init__(self, histories: Sequence[History], products: int, count: int) -> None:
        counts = np.ones(products)
        for history in histories:
            np.add.at(counts, history.rows, 1)
        self._cumulated = np.cumsum(counts / counts.sum())
        self._count = count
        self.log_share = torch.from_numpy(np.concatenate([[0.0], np.log(counts / counts.sum())])).float()
        """(products + 1,) log of the chance to be drawn."""

    def draw(self, *key: int) -> Tensor:
        """(count,) numbers, the same for the same key."""
        drawn: NDArray[np.int64] = np.searchsorted(self._cumulated, np.random.default_rng(key).random(self._count))
        return torch.from_numpy(np.minimum(drawn, len(self._cumulated) - 1) + 1)


def sampled_softmax(queries: Tensor, products: Tensor, targets: Tensor, negatives: Tensor, log_share: Tensor) -> Tensor:
    """Mean cross-entropy in nats. queries (b, d), products (n + 1, d) by number, targets (b,), negatives (k,), log_share (n + 1,)."""
    log_share = log_share.to(queries.device)
    positive = (queries * products[targets]).sum(1) - log_share[targets]
    others = queries @ products[negatives].T - log_share[negatives]
    others = others.masked_fill(negatives[None] == targets[:, None], float("-inf"))  # a target is not its own negative
    logits = torch.cat([positive[:, None], others], dim=1)
    return torch.nn.functional.cross_entropy(logits.float(), torch.zeros(len(targets), dtype=torch.long, device=logits.device))
