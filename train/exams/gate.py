"""What a model must reach before it may serve: least figures, and largest gaps between groups.

A gap is the difference between the best and the worst value of a slice. That of `recall` is equal opportunity (Hardt, Price and Srebro
2016): does the model find what is there as often in one group as in another? That of `calibration_error` asks whether its chances can be
believed alike.
"""

from collections.abc import Mapping, Sequence

from train.exams.exam import Interval
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
    return found


def too_low(figures: Figures, least: Mapping[str, float]) -> list[str]:
    """A sentence for each figure that is below what is asked for. Raises ConfigError for a figure that there is none of."""
    said = []
    for name, wanted in least.items():
        value = _value(_known(figures, name, "--least"))
        if value < wanted:
            said.append(f"{name} is {value:.4f}, at least {wanted:g} is asked for")
    return said


def too_unequal(slices: Slices, largest: Mapping[str, float]) -> list[str]:
    """A sentence for each slice whose groups differ by more than is allowed. Raises ConfigError where nothing was sliced."""
    if largest and not slices:
        raise ConfigError("--largest-gap: no slice has two values with twenty examples; name columns with --slices, or give more rows")
    said = []
    for slice_name, groups in slices.items():
        for name, allowed in largest.items():
            values = {group: _value(_known(figures, name, "--largest-gap")) for group, figures in groups.items()}
            best, worst = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
            if (gap := values[best] - values[worst]) > allowed:
                said.append(
                    f"{name} by {slice_name} differs by {gap:.4f} ({best} {values[best]:.4f}, {worst} {values[worst]:.4f}), "
                    f"at most {allowed:g} is allowed"
                )
    return said


def _known(figures: Figures, name: str, option: str) -> Interval | float:
    if name not in figures:
        raise ConfigError(f"{option} {name}=…: there is no such figure; use one of {sorted(figures)}")
    return figures[name]


def _value(figure: Interval | float) -> float:
    return figure.value if isinstance(figure, Interval) else figure
