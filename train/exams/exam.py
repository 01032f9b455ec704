"""An examination of a model: figures with intervals, by slice, and whether one model is better than another on the same examples.

Intervals are percentile bootstraps that draw whole clusters (the texts of one test, product or dialogue), so that examples which hang
together count once. Two models are compared on the same draws; p is two-sided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from train.reports.metrics import Floats, calibration_error

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


class Sitting(Protocol):
    """What a model did in an examination. `clusters` is (n,), of anything that compares; rows with the same value are drawn together."""

    @property
    def clusters(self) -> NDArray[np.generic]:
        """(n,)."""

    def figures(self, rows: Rows) -> Figures:
        """The figures on these rows."""


class Sliced(Sitting, Protocol):
    """A sitting whose rows fall into groups: `slices` name → (n,) values."""

    @property
    def slices(self) -> Mapping[str, NDArray[np.generic]]:
        """Name → (n,)."""

    def part(self, rows: Rows) -> Sitting:
        """The sitting of these rows alone."""


@dataclass(frozen=True, slots=True)
class Classified:
    """What a classifier said to each example: `chances` (n, classes), `truth` (n,) class numbers; `slices` name → (n,) values. With
    `names` (classes,) the recall of each class is a figure, too."""

    chances: Floats
    truth: Rows
    clusters: NDArray[np.generic]
    slices: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        held = {"truth": self.truth, "chances": self.chances, "clusters": self.clusters, **self.slices}
        if len({len(each) for each in held.values()}) > 1 or not len(self.truth):
            counts = {name: len(each) for name, each in held.items()}
            raise ValueError(f"an exam needs as many rows of everything, and at least one: {counts}")

    def figures(self, rows: Rows) -> Figures:
        """As `class_figures` has them, and `recall_NAME` of each class that occurs."""
        chances, truth = self.chances[rows], self.truth[rows]
        right = chances.argmax(axis=1) == truth
        recalls = {f"recall_{name}": right[truth == number] for number, name in enumerate(self.names)}
        return class_figures(chances, truth) | {name: float(each.mean()) for name, each in recalls.items() if len(each)}

    def part(self, rows: Rows) -> "Classified":
        """The sitting of these rows alone."""
        return Classified(self.chances[rows], self.truth[rows], self.clusters[rows], names=self.names)


@dataclass(frozen=True, slots=True)
class Paired:
    """By how much the better one of each pair was scored above the other: `margins` (n,); `slices` name → (n,) values."""

    margins: Floats
    clusters: NDArray[np.generic]
    slices: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.margins) != len(self.clusters) or not len(self.margins):
            raise ValueError(f"{len(self.margins)} margins, {len(self.clusters)} clusters: give as many of both, and at least one pair")

    def part(self, rows: Rows) -> "Paired":
        """The sitting of these rows alone."""
        return Paired(self.margins[rows], self.clusters[rows])

    def figures(self, rows: Rows) -> Figures:
        """pairwise_accuracy: the share of pairs in which the better one was scored higher, a tie counting half."""
        margins = self.margins[rows]
        return {"pairwise_accuracy": float(((margins > 0) + (margins == 0) / 2).mean())}


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


def draws(clusters: NDArray[np.generic], count: int, seed: int) -> Iterator[Rows]:
    """`count` bootstrap samples of rows, whole clusters with replacement."""
    _, numbers = np.unique(clusters, return_inverse=True)
    order, sizes = np.argsort(numbers, kind="stable"), np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    random = np.random.default_rng(seed)
    for _ in range(count):
        drawn = random.integers(len(sizes), size=len(sizes))
        taken = sizes[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        yield order[np.repeat(starts[drawn], taken) + within]


def examined(sitting: Sitting, *, count: int = 500, seed: int = 0) -> dict[str, Interval]:
    """Every figure with its interval."""
    drawn = [sitting.figures(rows) for rows in draws(sitting.clusters, count, seed)]
    whole = sitting.figures(np.arange(len(sitting.clusters)))
    return {name: Interval(value, *_percentiles([each[name] for each in drawn if name in each])) for name, value in whole.items()}


def by_slice(sat: Sliced, *, count: int = 200, seed: int = 0) -> dict[str, dict[str, dict[str, Interval]]]:
    """Slice → value → figures; values with fewer than 20 examples are left out, and told by `too_few`."""
    found: dict[str, dict[str, dict[str, Interval]]] = {name: {} for name in sat.slices}
    for name, values in sat.slices.items():
        for value in np.unique(values):
            rows = np.flatnonzero(values == value)
            if len(rows) >= _FEWEST:
                found[name][str(value)] = examined(sat.part(rows), count=count, seed=seed)
    return found


def too_few(sat: Sliced) -> dict[str, dict[str, int]]:
    """Slice → value → examples, of the values that `by_slice` leaves out."""
    counted = {name: zip(*np.unique(values, return_counts=True), strict=True) for name, values in sat.slices.items()}
    return {name: {str(value): int(count) for value, count in pairs if count < _FEWEST} for name, pairs in counted.items()}


def compared(first: Sitting, second: Sitting, *, count: int = 500, seed: int = 0) -> dict[str, Difference]:
    """First minus second for every figure, on the same draws. Raises ValueError where the two sat different examinations."""
    if not np.array_equal(first.clusters, second.clusters) or not _asked_the_same(first, second):
        raise ValueError("the two models sat different examinations; give both the same examples in the same order")
    whole = np.arange(len(first.clusters))
    ours, theirs = first.figures(whole), second.figures(whole)
    drawn = [(first.figures(rows), second.figures(rows)) for rows in draws(first.clusters, count, seed)]
    found = {}
    for name in ours:
        gaps = np.array([one[name] - other[name] for one, other in drawn if name in one])
        p = 2 * min(float((gaps <= 0).mean()), float((gaps >= 0).mean()))
        found[name] = Difference(ours[name] - theirs[name], *_percentiles(gaps), min(1.0, max(p, 1 / count)))
    return found


def _asked_the_same(first: Sitting, second: Sitting) -> bool:
    truths = [each.truth for each in (first, second) if isinstance(each, Classified)]
    return not truths or np.array_equal(truths[0], truths[-1])


def _percentiles(values: Sequence[float] | Floats) -> tuple[float, float]:
    low, high = np.quantile(np.asarray(values, dtype=float), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
