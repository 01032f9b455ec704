"""How loud each path of a GRU or TextCNN speaks: two scales, fitted to held-out texts, by which its logits are multiplied before they are
added. A network that knows its training texts by heart is surer than it should be, and would drown the n-grams beside it.

    logits = mixed(model, texts, truth, fitted_on=half, tokenizer=…, max_tokens=…)        # any other classifier: its logits as they are
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import nn

from train.reports.metrics import Floats, softmax
from train.texts.classifier import logits_of, over_batches
from train.texts.encoders import LightClassifier

_LEAST = 1e-3  # no path falls silent: it may know what the held-out texts don't ask


def mixed(
    model: nn.Module, texts: Sequence[str], truth: NDArray[Any], *, fitted_on: NDArray[np.bool_], tokenizer: Any, max_tokens: int
) -> Floats:
    """(texts, labels): the model's logits, after its scales were fitted to the rows `fitted_on` of texts and truth."""
    if not isinstance(model, LightClassifier):
        return logits_of(model, texts, tokenizer, max_tokens)
    deep, wide = np.split(over_batches(lambda batch: torch.cat(model.paths(**batch), 1), model, texts, tokenizer, max_tokens), 2, axis=1)
    scales = fitted_scales(deep[fitted_on], wide[fitted_on], truth[fitted_on])
    model.scales.copy_(torch.from_numpy(scales))
    return np.asarray(scales[0] * deep + scales[1] * wide)


def fitted_scales(deep: Floats, wide: Floats, truth: NDArray[Any]) -> Floats:
    """The scales (2,) with the least log loss. deep, wide: (n, labels); truth: (n,) class numbers, or (n, labels) of 0 and 1."""

    def loss(scales: Floats) -> float:
        logits = scales[0] * deep + scales[1] * wide
        if truth.ndim == 2:
            return float(np.logaddexp(0, np.where(truth > 0.5, -logits, logits)).mean())
        return float(-np.log(softmax(logits)[np.arange(len(truth)), truth] + 1e-12).mean())

    found = minimize(loss, np.full(2, 0.5), method="L-BFGS-B", bounds=[(_LEAST, None)] * 2)
    return np.asarray(found.x)
