"""What a model must reach before it may serve: least figures, and largest gaps between groups.

A gap is the difference between the best and the worst value of a slice. That of `recall` is equal opportunity (Hardt, Price and Srebro
2016): does the model find what is there as often in one group as in another? It is asked of each class by itself, since in their mean
opposite faults would cancel. That of `calibration_error` asks whether its chances can be believed alike. Where a slice has no two groups
that are large enough to tell, nothing passes.
"""

import math
from collections.abc import Mapping, Sequence

from train.exams.exam import Interval
from train.reports.metrics import lower_is_better
from train.run.settings import ConfigError

Figures = Mapping[str, Interval | float]
Slices = Mapping[str, Mapping[str, Mapping[str, Interval]]]


def limits(pairs: Sequence[str], option: str) -> dict[str, float]:
    """`["accuracy=0.9"]` → `{"accuracy": 0.9}`. Raises ConfigError for what is not NAME=NUMBER."""
    found = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"{option} {pair!r}: is not NAME=NUMBER; write {option} accuracy=0.9") from error
        if not math.isfinite(found[name]):
            raise ConfigError(f"{option} {pair!r}: nothing can be compared with {value}; give a number")
    return found


def too_low(figures: Figures, least: Mapping[str, float]) -> list[str]:
    """A sentence for each figure that is below what is asked for. Raises ConfigError for a figure that there is none of, or of which the
    least is the best."""
    said = []
    for name, wanted in least.items():
        value = _value(_known(figures, name, "--least"))
        if lower_is_better(name):
            raise ConfigError(f"--least {name}={wanted:g}: of {name} less is better; write --most {name}={wanted:g}")
        if not value >= wanted:
            said.append(f"{name} is {value:.4f}, at least {wanted:g} is asked for")
    return said


def too_high(figures: Figures, most: Mapping[str, float]) -> list[str]:
    """A sentence for each figure that is above what is allowed. Raises ConfigError for a figure that there is none of, or of which more is
    better."""
    said = []
    for name, allowed in most.items():
        value = _value(_known(figures, name, "--most"))
        if not lower_is_better(name):
            raise ConfigError(f"--most {name}={allowed:g}: of {name} more is better; write --least {name}={allowed:g}")
        if not value <= allowed:
            said.append(f"{name} is {value:.4f}, at most {allowed:g} is allowed")
    return said


def too_unequal(slices: Slices, largest: Mapping[str, float]) -> list[str]:
    """A sentence for each slice whose groups differ by more than is allowed. Raises ConfigError where nothing was sliced, or a slice has no
    two groups that tell anything."""
    if largest and not slices:
        raise ConfigError("--largest-gap: nothing to compare; name columns with --slices")
    if largest and (poor := [name for name, groups in slices.items() if len(groups) < 2]):
        raise ConfigError(
            f"--largest-gap: {poor[0]} has {len(slices[poor[0]])} value(s) with twenty examples, two are needed; "
            "give more rows, or a column of fewer values"
        )
    said = []
    for slice_name, groups in slices.items():
        for name, allowed in _apart(largest, groups).items():
            values = {group: _value(figures[name]) for group, figures in groups.items() if name in figures}
            best, worst = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
            if (gap := values[best] - values[worst]) > allowed:
                said.append(
                    f"{name} by {slice_name} differs by {gap:.4f} ({best} {values[best]:.4f}, {worst} {values[worst]:.4f}), "
                    f"at most {allowed:g} is allowed"
                )
    return said


def _apart(largest: Mapping[str, float], groups: Mapping[str, Mapping[str, Interval]]) -> dict[str, float]:
    """What is allowed of every figure; `recall` stands for that of each class."""
    found: dict[str, float] = {}
    for name, allowed in largest.items():
        for figures in groups.values():
            _known(figures, name, "--largest-gap")
            of_classes = [each for each in figures if each.startswith("recall_")] if name == "recall" else []
            found |= dict.fromkeys(of_classes or [name], allowed)
    return found


def _known(figures: Figures, name: str, option: str) -> Interval | float:
    if name not in figures:
        raise ConfigError(f"{option} {name}=…: there is no such figure; use one of {sorted(figures)}")
    return figures[name]


def _value(figure: Interval | float) -> float:
    return figure.value if isinstance(figure, Interval) else figure
