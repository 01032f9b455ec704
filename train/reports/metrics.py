"""Metrics of classifiers and their calibration, in NumPy: accuracy, F1, expected calibration error, temperature."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10
"""Of the expected calibration error, all equally wide."""
_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8.0), 141))


_LOWER = ("loss", "error", "perplexity", "drift", "brier", "entropy")


def lower_is_better(metric: str) -> bool:
    """Of losses, errors and the like the lowest value is the best, of other metrics the highest."""
    return any(word in metric for word in _LOWER)


def softmax(logits: Floats) -> Floats:
    """(n, classes) logits → probabilities."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: Floats) -> Floats:
    """Elementwise logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def f1(predicted: NDArray[np.bool_], actual: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall; 0 where neither has a positive."""
    hits = float((predicted & actual).sum())
    return 2 * hits / max(1.0, float(predicted.sum() + actual.sum()))


def calibration_error(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Expected calibration error in ten equal bins (Guo et al. 2017). confidence: (n,) in [0, 1]; correct: (n,)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == b].mean() - correct[bins == b].mean()) * (bins == b).mean() for b in range(BINS) if (bins == b).any()]
    return float(sum(gaps))


def class_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """The T for which softmax(logits / T) has the least log loss (Guo et al. 2017). logits: (n, classes); labels: (n,)."""
    rows = np.arange(len(labels))
    losses = [-np.log(softmax(logits / t)[rows, labels] + 1e-12).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def label_temperature(logits: Floats, labels: Floats) -> float:
    """The T for which sigmoid(logits / T) has the least log loss. logits and labels: (n, labels); labels below 0 are unknown."""
    known = labels >= 0
    targets = labels[known]
    losses = []
    for t in _TEMPERATURES:
        chance = sigmoid(logits[known] / t)
        losses.append(-(targets * np.log(chance + 1e-12) + (1 - targets) * np.log(1 - chance + 1e-12)).mean())
    return float(_TEMPERATURES[int(np.argmin(losses))])
