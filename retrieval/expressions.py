"""Expressions of a mapping, and their values on Arrow tables: a transform runs once for each distinct value, not for each row."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator, validate_call

from retrieval.strict import Strict, unknown
from retrieval.transforms import PAIRS, TRANSFORMS, Step, to_decimal

FILE = "source_file"
ROW = "source_row"
"""Where a row came from, kept beside its values until the tables are written: the file's number, and the row's from 1 in it."""

Rows = NDArray[np.int64]


class Transform(Strict):
    """`strip`, or `{split: {by: "/"}}`: a name from `retrieval.transforms.TRANSFORMS` and its options."""

    name: str
    options: dict[str, Any] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, dict) and len(given) == 1 and "name" not in given:
            [(name, options)] = given.items()
            return {"name": name, "options": options or {}}
        return given

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.name not in TRANSFORMS:
            raise ValueError(unknown("transform", self.name, TRANSFORMS))
        self.step()
        return self

    def step(self) -> Step:
        """The function with its options bound. Raises ValueError for options that it doesn't take."""
        try:
            return validate_call(TRANSFORMS[self.name])(**self.options)
        except (ValidationError, re.error) as error:
            problem = error if isinstance(error, re.error) else f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}"
            raise ValueError(f"transform {self.name!r} can't use {self.options}: {problem}") from error


class Expression(Strict):
    """Where a value comes from: exactly one of the first five. A bare word is a column; `source_row` is the row's number."""

    column: str | None = Field(default=None, description="a field, or a column of the source")
    constant: Any = Field(default=None, description="the same for every row")
    template: str | None = Field(default=None, description="text with {column}; no value where one of them has none")
    multiply: list[str] | None = Field(default=None, description="the product of these columns")
    entries: dict[str, "Expression"] | None = Field(default=None, description="a map: key → expression; those without a value are left out")
    merge: list[str] = Field(default=[], description="with entries: columns that hold maps, which the entries override")
    transforms: list[Transform] = Field(default=[])
    required: bool = Field(default=False, description="fields only: a row without it is refused")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("column", "constant", "template", "multiply", "entries") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of column, constant, template, multiply and entries is needed, not {given or 'none'}")
        return self

    def columns(self) -> set[str]:
        """Every column that it reads."""
        in_template = re.findall(r"\{(\w[^{}]*)\}", self.template or "")
        nested = [name for entry in (self.entries or {}).values() for name in entry.columns()]
        return {*([self.column] if self.column else []), *in_template, *(self.multiply or []), *self.merge, *nested} - {"source_row"}


class Match(Strict):
    """A condition on one column's text. `matches` and `not_matches` are regular expressions searched anywhere in it."""

    column: str
    matches: str | None = None
    not_matches: str | None = None
    present: bool | None = Field(default=None, description="has a value (true), has none (false)")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if sum(part is not None for part in (self.matches, self.not_matches, self.present)) != 1:
            raise ValueError("exactly one of matches, not_matches and present is needed")
        try:
            re.compile(self.matches or self.not_matches or "")
        except re.error as error:
            raise ValueError(f"{self.matches or self.not_matches!r} is not a regular expression: {error}") from error
        return self


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A column: its values, which rows of it couldn't be read, and the text that was given there."""

    values: pa.Array
    unreadable: Rows
    given: pa.Array


class ColumnError(ValueError):
    """A key that names a column which isn't there, or one of a type that it can't use."""


def column(rows: pa.Table, name: str) -> pa.Array:
    """A column as one array. Raises ColumnError naming what there is instead."""
    if name not in rows.column_names:
        raise ColumnError(unknown("column", name, [known for known in rows.column_names if known != FILE]))
    found = rows[name]
    return found.combine_chunks() if found.num_chunks != 1 else found.chunk(0)


def texts(values: pa.Array) -> pa.Array:
    """Values as text, for reports, templates and conditions; lists and maps as Python writes them."""
    if pa.types.is_nested(values.type):
        return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    if pa.types.is_decimal(values.type):  # 2.550000 reads as 2.55; the zeros of 2000 stay
        return pc.replace_substring_regex(values.cast(pa.string()), r"(\.\d*[1-9])0+$|\.0+$", r"\1")
    return values.cast(pa.string())


def numbers(rows: pa.Table, name: str) -> tuple[pa.Array, Rows]:
    """A column as float64, text read the plain way, and the rows whose text is no number (null there). Raises ColumnError for a column
    that can't hold numbers."""
    values = column(rows, name)
    if pa.types.is_string(values.type):
        read = transformed(values, [to_decimal()])
        return read.values.cast(pa.float64()), read.unreadable
    if pa.types.is_nested(values.type) or pa.types.is_temporal(values.type):
        raise ColumnError(f"column {name!r} holds {values.type}, not numbers; name another, or make a field of it with to_decimal")
    return values.cast(pa.float64()), np.empty(0, np.int64)


def evaluate(expression: Expression, rows: pa.Table) -> Evaluated:
    """Compute an expression for every row."""
    origin = _origin(expression, rows)
    if not expression.transforms:
        return origin
    found = transformed(origin.values, [transform.step() for transform in expression.transforms])
    if not len(origin.unreadable):
        return found
    return Evaluated(found.values, np.union1d(origin.unreadable, found.unreadable), origin.given)


def _origin(expression: Expression, rows: pa.Table) -> Evaluated:
    """The value before its transforms."""
    if expression.multiply is not None:
        return _product(expression.multiply, rows)
    if expression.column is not None:
        values = column(rows, expression.column)
    elif expression.template is not None:
        values = fill(expression.template, rows)
    elif expression.entries is not None:
        values = _map(expression.entries, expression.merge, rows)
    elif isinstance(expression.constant, list | dict):
        values = pa.array([expression.constant] * rows.num_rows, pa.array([expression.constant]).type)
    else:
        values = pa.repeat(pa.scalar(expression.constant), rows.num_rows)
    return Evaluated(values, np.empty(0, np.int64), values)


def _product(names: Sequence[str], rows: pa.Table) -> Evaluated:
    """The columns' product; unreadable where one of them is no number."""
    factors = [numbers(rows, name) for name in names]
    product = factors[0][0]
    for factor, _ in factors[1:]:
        product = pc.multiply(product, factor)
    product = pc.round(product, 6)  # 6 x 2.55 is 15.3, whatever binary fractions make of it
    unreadable = np.unique(np.concatenate([bad for _, bad in factors]))
    if not len(unreadable):
        return Evaluated(product, unreadable, product)
    given = pc.binary_join_element_wise(*(texts(column(rows, name)) for name in names), " x ", null_handling="replace")
    return Evaluated(product, unreadable, given)


def fill(template: str, rows: pa.Table) -> pa.Array:
    """`{invoice}-{source_row}` for every row; null where one of its columns is."""
    parts: list[Any] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        parts += [literal] if literal else []
        parts += [texts(column(rows, name))] if name else []
    if all(isinstance(part, str) for part in parts):
        return pa.repeat(pa.scalar("".join(parts)), rows.num_rows)
    return pc.binary_join_element_wise(*parts, "")


def _map(entries: dict[str, Expression], merge: Sequence[str], rows: pa.Table) -> pa.Array:
    """A text map for each row: the merged maps, then the entries that have a value."""
    base = [_pairs(rows, name) for name in merge]
    values = {key: texts(evaluate(entry, rows).values).to_pylist() for key, entry in entries.items()}
    maps = []
    for i in range(rows.num_rows):
        pairs = {key: value for one in base for key, value in (one[i] or [])}
        pairs |= {key: value[i] for key, value in values.items() if value[i] is not None}
        maps.append(list(pairs.items()))
    return pa.array(maps, PAIRS)


def _pairs(rows: pa.Table, name: str) -> list[Any]:
    """A column of maps. Raises ColumnError for one of anything else."""
    maps = column(rows, name)
    if not (pa.types.is_map(maps.type) or pa.types.is_null(maps.type)):
        raise ColumnError(f"merge: column {name!r} holds {maps.type}, not maps; make a field of it with parse_pairs, or use entries")
    found: list[Any] = maps.to_pylist()
    return found


def transformed(values: pa.Array, steps: list[Step]) -> Evaluated:
    """Run the steps on each distinct value and spread the results over the rows. Unreadable values are null, their rows listed."""
    given = values if pa.types.is_string(values.type) else texts(values)
    encoded = given.dictionary_encode()
    results: list[Any] = []
    bad: list[int] = []
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            results.append(_chain(text, steps))
        except (ValueError, TypeError, AttributeError, OverflowError):  # whatever a step can't read is reported with its row
            results.append(None)
            bad.append(number)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    unreadable = np.flatnonzero(np.isin(codes, bad)) if bad else np.empty(0, np.int64)
    return Evaluated(pa.array(results, steps[-1].kind).take(encoded.indices), unreadable, given)


def _chain(value: Any, steps: list[Step]) -> Any:
    """One value through every step, until one gives nothing."""
    for step in steps:
        if value is None:
            return None
        value = step.apply(value)
    return value


def meets(condition: Match, rows: pa.Table) -> NDArray[np.bool_]:
    """Which rows a condition is true of; a row without the value never matches."""
    values = texts(column(rows, condition.column))
    if condition.present is not None:
        valid: NDArray[np.bool_] = pc.is_valid(values).to_numpy(zero_copy_only=False)
        return valid if condition.present else np.logical_not(valid)
    pattern = re.compile(condition.matches or condition.not_matches or "")
    encoded = values.dictionary_encode()
    hits = [number for number, text in enumerate(encoded.dictionary.to_pylist()) if pattern.search(text)]
    found: NDArray[np.bool_] = np.isin(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), hits)
    return found if condition.matches is not None else np.logical_not(found)
