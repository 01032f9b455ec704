"""How good probabilities of rare events are, and their calibration.

Figures, all weighted: ROC-AUC, PR-AUC (average precision), log loss, normalised entropy (log loss over that of the base rate of the same
rows, He et al. 2014: below 1 is better than knowing the base rate), the Brier score, and the expected calibration error over ten bins of
equal mass: with clicks this rare, bins of equal width would put every impression into the first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedKFold

from artifacts.response import Calibration
from artifacts.response_features import Floats
from train.exams.exam import Figures, Rows

BINS = 10
ENOUGH_FOR_STEPS = 200
"""Positives from which on an isotonic regression may be tried; with fewer it learns the noise (Niculescu-Mizil & Caruana 2005)."""
_FOLDS = 5
_LEAST = 1e-12
_SMALL = 1e-10
_HOLD = 1.0
"""Strength of the prior that the slope of Platt's sigmoid is 1."""


@dataclass(frozen=True, slots=True)
class Responded:
    """What a response model said to each impression: `chances`, `happened` and `weights` (n,); `slices` name → (n,) values."""

    chances: Floats
    happened: Floats
    weights: Floats
    clusters: NDArray[np.generic]
    slices: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def figures(self, rows: Rows) -> Figures:
        """As `response_figures` has them."""
        return response_figures(self.chances[rows], self.happened[rows], self.weights[rows])

    def part(self, rows: Rows) -> "Responded":
        """The sitting of these rows alone."""
        return Responded(self.chances[rows], self.happened[rows], self.weights[rows], self.clusters[rows])


def log_loss(chances: Floats, happened: Floats, weights: Floats) -> float:
    """Weighted mean of the negative log-likelihood, in nats."""
    sure = np.clip(chances, _LEAST, 1 - _LEAST)
    losses = -(happened * np.log(sure) + (1 - happened) * np.log1p(-sure))
    return float(weights @ losses / weights.sum())


def response_figures(chances: Floats, happened: Floats, weights: Floats) -> Figures:
    """The figures of these rows. ROC-AUC, PR-AUC and normalised entropy are left out where only one outcome occurs."""
    scores, place = np.unique(chances, return_inverse=True)
    total: Floats = np.bincount(place, weights).astype(np.float64)
    ones: Floats = np.bincount(place, weights * happened).astype(np.float64)
    mass, rate = total.sum(), float(ones.sum() / total.sum())
    figures = {
        "log_loss": log_loss(chances, happened, weights),
        "brier": float(weights @ (chances - happened) ** 2 / mass),
        "calibration_error": calibration_error(scores, ones, total),
    }
    if 0 < rate < 1:
        figures["roc_auc"] = roc_auc(ones, total - ones)
        figures["pr_auc"] = average_precision(ones, total)
        figures["normalised_entropy"] = figures["log_loss"] / log_loss(np.full(2, rate), np.array([1.0, 0.0]), np.array([rate, 1 - rate]))
    return figures


def roc_auc(ones: Floats, zeros: Floats) -> float:
    """The chance that a positive is scored above a negative, a tie counting half. Mass of each score, from the lowest on."""
    below = np.cumsum(zeros) - zeros / 2
    return float(ones @ below / (ones.sum() * zeros.sum()))


def average_precision(ones: Floats, total: Floats) -> float:
    """Precision at each score, weighted by the recall that it adds. Mass of each score, from the lowest on."""
    found, chosen = np.cumsum(ones[::-1]), np.cumsum(total[::-1])
    return float(ones[::-1] @ (found / np.maximum(chosen, _LEAST)) / ones.sum())


def calibration_error(scores: Floats, ones: Floats, total: Floats) -> float:
    """Expected calibration error over ten bins of equal mass; equal scores share a bin. Mass of each score, from the lowest on."""
    middle = (np.cumsum(total) - total / 2) / total.sum()
    bins = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, scores * total) - np.bincount(bins, ones)
    return float(np.abs(gaps).sum() / total.sum())


def calibrated(logits: Floats, happened: Floats, weights: Floats, seed: int) -> tuple[Calibration, float]:
    """The calibration with the least cross-fitted log loss, fitted on all rows, and that loss. Isotonic is tried from 200 positives on."""
    methods: list[Callable[[Floats, Floats, Floats], Calibration]] = [platt]
    if happened.sum() >= ENOUGH_FOR_STEPS:
        methods.append(isotonic)
    losses = [_cross_fitted_loss(method, logits, happened, weights, seed) for method in methods]
    chosen = int(np.argmin(losses))
    return methods[chosen](logits, happened, weights), losses[chosen]


def _cross_fitted_loss(
    method: Callable[[Floats, Floats, Floats], Calibration], logits: Floats, happened: Floats, weights: Floats, seed: int
) -> float:
    chances = np.zeros(len(logits))
    for seen, unseen in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(logits, happened):
        chances[unseen] = method(logits[seen], happened[seen], weights[seen]).probability(logits[unseen])
    return log_loss(chances, happened, weights)


def platt(logits: Floats, happened: Floats, weights: Floats) -> Calibration:
    """slope and intercept by Newton's method. The slope is drawn to 1, so that a handful of positives can't turn a model over; where it
    would fall below 0 the model tells nothing and the base rate is said."""
    rows, theta = np.column_stack([logits, np.ones_like(logits)]), np.array([1.0, 0.0])
    for _ in range(50):
        chances = Calibration().probability(rows @ theta)
        gradient = rows.T @ (weights * (chances - happened)) + np.array([_HOLD * (theta[0] - 1), 0.0])
        hessian = (rows.T * (weights * chances * (1 - chances))) @ rows + np.diag([_HOLD, 1e-9])
        step = np.linalg.solve(hessian, gradient)
        here = _held_loss(rows, theta, happened, weights)
        while _held_loss(rows, theta - step, happened, weights) > here and np.abs(step).max() > _SMALL:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() <= _SMALL:
            break
    if theta[0] > 0:
        return Calibration(slope=float(theta[0]), intercept=float(theta[1]))
    rate = float(weights @ happened / weights.sum())
    return Calibration(slope=0.0, intercept=float(np.log(rate / (1 - rate))))


def _held_loss(rows: Floats, theta: Floats, happened: Floats, weights: Floats) -> float:
    logits = rows @ theta
    return float(weights @ (np.logaddexp(0, logits) - happened * logits) + _HOLD * (theta[0] - 1) ** 2 / 2)


def isotonic(logits: Floats, happened: Floats, weights: Floats) -> Calibration:
    """Steps that never fall. None is 0 or 1: one event in a million impressions may still happen."""
    least = 1 / (len(logits) + 2)
    steps = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(logits, happened, weights)
    return Calibration(logits=tuple(steps.X_thresholds_.tolist()), chances=tuple(steps.y_thresholds_.tolist()))
