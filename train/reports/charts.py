"""The pictures of a training report, drawn without a screen, in colours that colour-blind eyes tell apart (Okabe and Ito 2008).

Each function writes one PNG. What is drawn comes from `train/reports/history.py` and `train/reports/exhibits.py`.
"""

from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from train.reports.exhibits import Predictions
from train.reports.history import Curve, History
from train.reports.metrics import BINS, Floats, calibration_error

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":", "-.")
_WRITTEN_CLASSES = 12  # in a confusion matrix of more there is no room for numbers
_MARKED = 40  # points of a curve that are drawn as such
_LEGEND = 8
_CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "SimHei")


def _figure(width: float = 6.4, height: float = 4.4) -> Figure:
    return Figure(figsize=(width, height), dpi=120, layout="constrained")  # no pyplot: it would keep every figure, and look for a screen


def _save(figure: Figure, path: Path) -> None:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    with rc_context({"font.family": ["DejaVu Sans", *(name for name in _CHINESE if name in installed)]}):  # labels may be Chinese
        figure.savefig(path)


def _looks() -> Iterator[dict[str, Any]]:
    """Colour and line style of one curve after another; no two alike among the first 28."""
    return cycle([{"color": colour, "linestyle": style} for style in _STYLES for colour in _COLOURS])


def _lines(axes: Axes, curves: Mapping[str, Curve]) -> None:
    looks = _looks()
    for name, curve in curves.items():
        steps, values = zip(*curve, strict=True)
        axes.plot(steps, values, label=name, marker="o" if len(curve) <= _MARKED else "", **next(looks))
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def training(history: History, path: Path) -> None:
    """Loss with the held-out losses, learning rate, speed and MFU over steps: those that were reported."""
    labels = {
        "loss": "loss (nats)",
        "learning_rate": "learning rate",
        "tokens_per_s": "tokens or examples / s",
        "mfu": "MFU (share of peak)",
    }
    names = [name for name in labels if name in history.training]
    figure = _figure(6.4, 1.0 + 2.2 * len(names))
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        beside = history.losses() if name == "loss" else {}
        _lines(axes, {"training": history.training[name]} | beside)
        axes.set_ylabel(labels[name])
        if beside:
            axes.legend(fontsize=_LEGEND)
    panels[-1].set_xlabel("step")
    _save(figure, path)


def held_out(history: History, path: Path) -> None:
    """Held-out metrics between 0 and 1 at every checkpoint."""
    figure = _figure()
    axes = figure.subplots()
    _lines(axes, history.shares())
    axes.set(xlabel="step", ylabel="held-out metric (0 to 1)", ylim=(-0.03, 1.03))
    axes.legend(fontsize=_LEGEND)
    _save(figure, path)


def confusion_counts(told: Predictions) -> NDArray[np.int64]:
    """(classes, classes): how many examples of the row's class were taken for the column's."""
    counts = np.zeros((len(told.names), len(told.names)), dtype=np.int64)
    np.add.at(counts, (told.labels.astype(int), told.logits.argmax(axis=1)), 1)
    return counts


def confusion(told: Predictions, path: Path) -> None:
    """Counts, coloured by their share of the row."""
    counts = confusion_counts(told)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(12.0, 3.2 + 0.55 * len(told.names))
    figure = _figure(side + 0.8, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    axes.set_xticks(range(len(told.names)), told.names, rotation=45, ha="right")
    axes.set_yticks(range(len(told.names)), told.names)
    axes.set(xlabel="predicted", ylabel="true")
    for (row, column), count in np.ndenumerate(counts if len(told.names) <= _WRITTEN_CLASSES else counts[:0]):
        axes.text(column, row, f"{count:,}", ha="center", va="center", color="black" if shares[row, column] > 0.6 else "white")
    _save(figure, path)


def reliability_bins(confidence: Floats, correct: NDArray[np.bool_]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """(mean confidence, share that is right, count) of the bins that hold anything, the same bins as the expected calibration error's."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    held = np.unique(bins)
    means = [(confidence[bins == each].mean(), correct[bins == each].mean()) for each in held]
    return np.array([mean for mean, _ in means]), np.array([share for _, share in means]), np.bincount(bins, minlength=BINS)[held]


def calibration(told: Predictions) -> tuple[float, float]:
    """Expected calibration error on unseen examples: (of the bare logits, after the temperature)."""
    before, after = (calibration_error(*told.confidence(temperature)) for temperature in (1.0, told.temperature))
    return before, after


def reliability(told: Predictions, path: Path) -> None:
    """How often a prediction is right against how sure it is, before and after the temperature, with how many predictions are how sure."""
    figure = _figure(6.0, 6.0)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1, label="perfect")
    kinds = (("before", 1.0, "o", "--"), (f"after T = {told.temperature:.2f}", told.temperature, "s", "-"))
    for (name, temperature, marker, style), error, colour in zip(kinds, calibration(told), _COLOURS, strict=False):
        confidence, correct = told.confidence(temperature)
        sure, right, _ = reliability_bins(confidence, correct)
        axes.plot(sure, right, marker=marker, linestyle=style, color=colour, label=f"{name}: ECE {error:.3f}")
        below.hist(confidence, bins=BINS, range=(0, 1), histtype="step", linestyle=style, color=colour)
    axes.set(ylabel="share that is so" if told.multi_label else "accuracy", ylim=(-0.03, 1.03))
    axes.legend(fontsize=_LEGEND)
    axes.grid(alpha=0.3)
    below.set(xlabel="predicted probability" if told.multi_label else "probability of the likeliest class", ylabel="count")
    _save(figure, path)


def _both_occur(told: Predictions) -> Iterator[tuple[str, Floats, NDArray[np.bool_]]]:
    """(name, scores, truth) of the classes that some examples are and some are not; of the others there is no curve."""
    for column, name in enumerate(told.names):
        scores, truth = told.one_against_rest(column)
        if 0 < truth.sum() < len(truth):
            yield name, scores, truth


def has_curves(told: Predictions) -> bool:
    """Whether there is a class that a ROC can be drawn of."""
    return any(True for _ in _both_occur(told))


def roc(told: Predictions, path: Path) -> None:
    """Receiver operating characteristic of each class against the rest."""
    figure = _figure(6.4, 5.4)
    axes, looks = figure.subplots(), _looks()
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1, label="chance")
    for name, scores, truth in _both_occur(told):
        false, true, _ = roc_curve(truth, scores)
        axes.plot(false, true, label=f"{name}: AUC {auc(false, true):.3f}", **next(looks))
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=_LEGEND)
    _save(figure, path)


def precision_recall(told: Predictions, path: Path) -> None:
    """Precision against recall of each class, with the average precision and the share of examples that are of it."""
    figure = _figure(6.4, 5.4)
    axes, looks = figure.subplots(), _looks()
    for name, scores, truth in _both_occur(told):
        precision, recall, _ = precision_recall_curve(truth, scores)
        label = f"{name}: AP {average_precision_score(truth, scores):.3f} (of {truth.mean():.0%})"
        axes.plot(recall, precision, drawstyle="steps-post", label=label, **next(looks))
    axes.set(xlabel="recall", ylabel="precision", ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=_LEGEND)
    _save(figure, path)


def margins(found: Floats, path: Path) -> None:
    """How far the better one of each pair was scored above the other; left of zero the pair was misjudged."""
    figure = _figure()
    axes = figure.subplots()
    width = float(np.ptp(found)) / 40 or 1.0
    edges = np.arange(np.floor(found.min() / width), np.ceil(found.max() / width) + 2) * width  # zero is one of them
    axes.hist(found[found > 0], bins=edges.tolist(), color=_COLOURS[0], label=f"right: {(found > 0).mean():.1%}")
    axes.hist(found[found <= 0], bins=edges.tolist(), color=_COLOURS[1], hatch="//", label=f"wrong or tied: {(found <= 0).mean():.1%}")
    axes.axvline(0, color="black", linewidth=1)
    axes.set(xlabel="margin (logits)", ylabel="pairs")
    axes.legend(fontsize=_LEGEND)
    _save(figure, path)
