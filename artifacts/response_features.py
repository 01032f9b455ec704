"""What a response model reads of an impression: categories, lists of names and numbers, encoded alike in training and in serving.

    Encoding((Category("channel", ("push", "sms")),), (Names("principles", ("value",)),), (Number("price", 20.0, 5.0),)).encode(columns)

A category has a place of its own for a missing value and one for values that were rare or unseen in training; a name that is unknown in
a list says nothing; a missing number is the mean, for trees it stays missing. Which columns a model reads is decided in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MISSING, RARE = 0, 1
"""Codes of a value that is not there, and of one that was rare or absent in training; levels begin at 2."""
_OUTERMOST = 5.0
"""Standard deviations beyond which a number counts as being there: one absurd price must not outweigh everything else."""


class ResponseError(ValueError):
    """An impression that can't be read. The message names the column, the row, the value and the remedy."""


@dataclass(frozen=True, slots=True)
class Category:
    """A column with one of some values. `levels` are those with weights of their own, the most frequent first."""

    name: str
    levels: tuple[str, ...]

    @property
    def width(self) -> int:
        """Number of codes."""
        return len(self.levels) + 2

    def codes(self, values: Sequence[object]) -> Codes:
        """(n,) values → codes."""
        known = {level: code for code, level in enumerate(self.levels, start=2)} | {"": MISSING}
        return np.fromiter((known.get(word(value), RARE) for value in values), np.int64, len(values))


@dataclass(frozen=True, slots=True)
class Names:
    """A column that holds a list of names, such as the principles of a text."""

    name: str
    levels: tuple[str, ...]

    def present(self, values: Sequence[object]) -> Floats:
        """(n,) lists → (n, levels), 1 where the list holds the name."""
        place = {level: i for i, level in enumerate(self.levels)}
        found = np.zeros((len(values), len(self.levels)))
        for row, value in enumerate(values):
            for each in names_in(value, self.name, row):
                if each in place:
                    found[row, place[each]] = 1
        return found


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers, with the mean and the standard deviation that it had in training."""

    name: str
    mean: float
    deviation: float

    def amounts(self, values: Sequence[object]) -> Floats:
        """(n,) values → numbers, NaN where missing."""
        return np.fromiter((amount(value, self.name, row) for row, value in enumerate(values)), np.float64, len(values))


@dataclass(frozen=True, slots=True)
class Encoded:
    """Impressions as a model reads them: `codes` (n, categories), `present` (n, names of all lists), `amounts` (n, numbers) with NaN where
    missing, `standardised` the same in standard deviations from the mean, 0 where missing."""

    codes: Codes
    present: Floats
    amounts: Floats
    standardised: Floats

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64]) -> "Encoded":
        """Some of the impressions."""
        return Encoded(self.codes[rows], self.present[rows], self.amounts[rows], self.standardised[rows])


@dataclass(frozen=True)
class Encoding:
    """The columns that a model reads."""

    categories: tuple[Category, ...] = ()
    lists: tuple[Names, ...] = ()
    numbers: tuple[Number, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of every column that an impression must have."""
        return (*(each.name for each in self.categories), *(each.name for each in self.lists), *(each.name for each in self.numbers))

    @cached_property
    def offsets(self) -> Codes:
        """(categories,): where the weights of each category begin; those of lists and of numbers come after all of them."""
        return np.cumsum([0, *(each.width for each in self.categories)])[:-1].astype(np.int64)

    @cached_property
    def size(self) -> int:
        """Number of weights: one for each code, name and number."""
        return sum(each.width for each in self.categories) + sum(len(each.levels) for each in self.lists) + len(self.numbers)

    def encode(self, columns: Mapping[str, Sequence[object]]) -> Encoded:
        """Columns of equal length, others are ignored. Raises ResponseError for one that is not there or a value that can't be read."""
        if absent := [name for name in self.columns if name not in columns]:
            raise ResponseError(f"column {absent[0]!r} is missing; the model reads {list(self.columns)}")
        rows = len(columns[self.columns[0]]) if self.columns else 0
        codes = [each.codes(columns[each.name]) for each in self.categories]
        present = [each.present(columns[each.name]) for each in self.lists]
        amounts = np.array([each.amounts(columns[each.name]) for each in self.numbers]).reshape(len(self.numbers), rows).T
        means, deviations = (np.array([getattr(each, key) for each in self.numbers]) for key in ("mean", "deviation"))
        standardised = np.clip(np.nan_to_num((amounts - means) / deviations), -_OUTERMOST, _OUTERMOST)
        return Encoded(
            np.array(codes, np.int64).reshape(len(codes), rows).T, np.hstack([np.zeros((rows, 0)), *present]), amounts, standardised
        )

    def described(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Encoding":
        """What `described` gave."""
        return cls(
            tuple(Category(each["name"], tuple(each["levels"])) for each in described["categories"]),
            tuple(Names(each["name"], tuple(each["levels"])) for each in described["lists"]),
            tuple(Number(**each) for each in described["numbers"]),
        )


def word(value: object) -> str:
    """A value as the name of a category: 3, 3.0 and "3" are the same; empty where missing."""
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if value == np.floor(value) and np.isfinite(value) else str(float(value))
    return str(value)


def names_in(value: object, column: str, row: int) -> list[str]:
    """The names in a list; none where missing. Raises ResponseError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list | tuple | set | frozenset | np.ndarray):
        raise ResponseError(f"column {column!r}, row {row + 1}: {value!r} is no list; write a list of names")
    return [word(each) for each in value]


def amount(value: object, column: str, row: int) -> float:
    """A number, NaN where missing. Raises ResponseError for a text or an infinite number."""
    if value is None:
        return float("nan")
    try:
        found = float("nan") if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except TypeError:
        found = float("inf")
    if isinstance(value, str) or np.isinf(found):
        raise ResponseError(f"column {column!r}, row {row + 1}: {value!r} is no finite number; write a number, or nothing where unknown")
    return found
