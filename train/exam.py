"""An examination of a model: figures with intervals, by slice, and whether one model is better than another on the same examples.

Intervals are percentile bootstraps that draw whole clusters (the texts of one test, product or dialogue), so that examples which hang
together count once. Two models are compared on the same draws; p is two-sided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from train.metrics import Floats, calibration_error

Rows = NDArray[np.int64]
Figures = dict[str, float]
_LEVEL = 0.95
_FEWEST = 20
"""Examples below which a slice tells nothing."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more the first model has of a figure than the second, and how likely as much would be seen between equals."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Sat:
    """What a model said to each example: `chances` (n, classes) and `truth` (n,), class numbers; `clusters` (n,) of anything that compares,
    each example its own where None; `slices` name → (n,) values."""

    chances: Floats
    truth: Rows
    clusters: NDArray[np.generic] | None = None
    slices: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = {"truth": len(self.truth), "chances": len(self.chances), **{name: len(each) for name, each in self.slices.items()}}
        if self.clusters is not None:
            counts["clusters"] = len(self.clusters)
        if len(set(counts.values())) > 1 or not len(self.truth):
            raise ValueError(f"an exam needs as many rows of everything, and at least one: {counts}")


def class_figures(chances: Floats, truth: Rows) -> Figures:
    """accuracy, macro precision, recall and F1 over the classes that occur, log_loss, ROC-AUC (one against the rest, macro; left out where
    only one class occurs) and the expected calibration error of the most likely class. What scikit-learn says, without the checks that a
    thousand resamples pay a thousand times."""
    best, occurring = chances.argmax(axis=1), np.unique(truth)
    counts = np.bincount(truth * chances.shape[1] + best, minlength=chances.shape[1] ** 2).reshape(chances.shape[1], -1)[occurring]
    hits, actual = counts[np.arange(len(occurring)), occurring], counts.sum(axis=1)
    said = np.bincount(best, minlength=chances.shape[1])[occurring]
    figures = {
        "accuracy": float((best == truth).mean()),
        "precision": float((hits / np.maximum(said, 1)).mean()),
        "recall": float((hits / actual).mean()),
        "macro_f1": float((2 * hits / (said + actual)).mean()),
        "log_loss": float(-np.log(np.clip(chances[np.arange(len(truth)), truth], 1e-12, 1)).mean()),
        "calibration_error": calibration_error(chances.max(axis=1), best == truth),
    }
    if len(occurring) > 1:
        figures["roc_auc"] = float(np.mean([_roc_auc(chances[:, each], truth == each) for each in occurring]))
    return figures


def _roc_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The chance that a positive is scored above a negative (Mann and Whitney 1947), a tie counting half."""
    above = rankdata(scores)[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(above / (positive.sum() * (~positive).sum()))


def draws(clusters: NDArray[np.generic], count: int, seed: int) -> list[Rows]:
    """`count` bootstrap samples of rows, whole clusters with replacement."""
    _, numbers = np.unique(clusters, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    random = np.random.default_rng(seed)
    return [np.concatenate([members[i] for i in random.integers(len(members), size=len(members))]) for _ in range(count)]


def examined(sat: Sat, *, count: int = 500, seed: int = 0) -> dict[str, Interval]:
    """Every figure with its interval."""
    whole = class_figures(sat.chances, sat.truth)
    drawn = [class_figures(sat.chances[rows], sat.truth[rows]) for rows in draws(_clusters(sat), count, seed)]
    return {name: Interval(value, *_percentiles([each[name] for each in drawn if name in each])) for name, value in whole.items()}


def by_slice(sat: Sat, *, count: int = 200, seed: int = 0) -> dict[str, dict[str, dict[str, Interval]]]:
    """Slice → value → figures; values with fewer than 20 examples are left out."""
    found: dict[str, dict[str, dict[str, Interval]]] = {}
    for name, values in sat.slices.items():
        for value in np.unique(values):
            rows = np.flatnonzero(values == value)
            if len(rows) >= _FEWEST:
                part = Sat(sat.chances[rows], sat.truth[rows], _clusters(sat)[rows])
                found.setdefault(name, {})[str(value)] = examined(part, count=count, seed=seed)
    return found


def compared(first: Sat, second: Sat, *, count: int = 500, seed: int = 0) -> dict[str, Difference]:
    """First minus second for every figure. Raises ValueError where the two sat different examinations."""
    if not np.array_equal(first.truth, second.truth):
        raise ValueError("the two models sat different examinations; give both the same examples in the same order")
    ours, theirs = (class_figures(sat.chances, sat.truth) for sat in (first, second))
    drawn = [
        [class_figures(sat.chances[rows], sat.truth[rows]) for sat in (first, second)] for rows in draws(_clusters(first), count, seed)
    ]
    found = {}
    for name in ours:
        gaps = np.array([one[name] - other[name] for one, other in drawn if name in one])
        p = 2 * min(float((gaps <= 0).mean()), float((gaps >= 0).mean()))
        found[name] = Difference(ours[name] - theirs[name], *_percentiles(gaps), min(1.0, max(p, 1 / count)))
    return found


def pairwise(margins: Floats, clusters: NDArray[np.generic] | None = None, *, count: int = 2000, seed: int = 0) -> Interval:
    """The share of pairs in which the better one was scored higher, a tie counting half. margins: (n,) better minus worse."""
    if not len(margins):
        raise ValueError("no pair was given: pairwise accuracy needs at least one")
    won = np.where(margins > 0, 1.0, np.where(margins == 0, 0.5, 0.0))
    drawn = [float(won[rows].mean()) for rows in draws(np.arange(len(won)) if clusters is None else clusters, count, seed)]
    return Interval(float(won.mean()), *_percentiles(drawn))


def _clusters(sat: Sat) -> NDArray[np.generic]:
    return np.arange(len(sat.truth)) if sat.clusters is None else sat.clusters


def _percentiles(values: Sequence[float] | Floats) -> tuple[float, float]:
    low, high = np.quantile(np.asarray(values, dtype=float), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
