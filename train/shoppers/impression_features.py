"""Which columns of a table a response model reads, how, and the encoding fitted to them.

`features: auto` goes by type: texts, booleans and integers with few values are categories, lists are lists of names, other numbers are
numbers. Left out are instants, what is different in every row (ids), what never changes, and what is known only after the impression:
four names, and a column that by itself tells nearly always what happened is refused. `features: served` does the same with those columns
alone that the serving graph knows (`artifacts/impression.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import roc_auc_score

from artifacts.impression import COLUMNS
from artifacts.response_features import Category, Encoding, Names, Number, amount, names_in, word
from train.run.settings import ConfigError

AFTERWARDS = frozenset({"click", "conversion", "purchase", "reward"})
"""Columns that `auto` never reads: they are known only once the impression is over."""
Kind = Literal["category", "names", "number"]

_FEW_VALUES = 50
"""An integer with no more distinct values is a category: an hour, a position."""
_TOO_GOOD = 0.98  # ROC-AUC; what a shopper will do is never so plain
_ENOUGH = 10
"""Rows of a value that tell anything of it."""
_ID_SHARE = 0.5
"""A text with more distinct values than this share of the rows is an id or free text."""


class FeaturesConfig(BaseModel):
    """What is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: Literal["auto", "served"] | tuple[str, ...] = "auto"
    leave_out: tuple[str, ...] = ()
    """Columns that `auto` and `served` must not read."""
    fewest: int = Field(default=10, ge=1)
    """Rows of training below which a value of a category counts as rare."""
    most_levels: int = Field(default=4096, ge=1)
    """Values of one column with weights of their own, the most frequent first."""


def chosen(table: pa.Table, config: FeaturesConfig, taken: Mapping[str, str]) -> dict[str, Kind]:
    """Column → how it is read. `taken` are columns that the settings give another part: setting → column. Raises ConfigError where a column
    is missing or can't be read, or nothing is left to read."""
    if not isinstance(config.features, tuple):
        if unknown := sorted(set(config.leave_out) - set(table.column_names)):
            raise ConfigError(f"leave_out = {unknown[0]!r}: the table has no such column; name some of {table.column_names}")
        refused = set(taken.values()) | set(config.leave_out) | AFTERWARDS
        offered = [name for name in table.column_names if name not in refused and (config.features == "auto" or name in COLUMNS)]
        found = {name: kind for name in offered if (kind := _kind(plain(table[name]), auto=True))}
        if not found:
            remedy = "name the columns to read" if config.features == "auto" else f"name columns as the graph does: {list(COLUMNS)}"
            raise ConfigError(f"features = {config.features!r}: no column of {table.column_names} tells anything; {remedy}")
        return found
    named: dict[str, Kind] = {}
    for name in config.features:
        if name not in table.column_names:
            raise ConfigError(f"features = {name!r}: the table has no such column; name some of {table.column_names}")
        if name in {taken["outcome"], taken.get("among")}:
            raise ConfigError(f"features = {name!r}: is what is foretold, or what it is foretold among; leave it out")
        kind = _kind(plain(table[name]), auto=False)
        if kind is None:
            raise ConfigError(f"features = {name!r}: holds {table[name].type}; give text, numbers, booleans or lists of text")
        named[name] = kind
    if not named:
        raise ConfigError("features = []: nothing to read; name the columns to read, or write auto")
    return named


def _kind(column: pa.ChunkedArray, *, auto: bool) -> Kind | None:
    """How a column is read; None where it can't be, or, for `auto`, where it tells nothing."""
    held = column.type
    if pa.types.is_list(held) or pa.types.is_large_list(held):
        return "names" if _is_text(held.value_type) or pa.types.is_integer(held.value_type) else None
    is_text = _is_text(held)
    if not (is_text or pa.types.is_boolean(held) or pa.types.is_integer(held) or pa.types.is_floating(held) or pa.types.is_decimal(held)):
        return None
    distinct = pc.count_distinct(column, mode="all").as_py()
    if auto and distinct < 2:
        return None
    if is_text or pa.types.is_boolean(held):
        return None if auto and is_text and distinct > max(_FEW_VALUES, _ID_SHARE * len(column)) else "category"
    if pa.types.is_integer(held) and distinct <= _FEW_VALUES:
        return "category"
    return None if auto and pa.types.is_integer(held) and distinct == len(column) else "number"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def refuse_afterthoughts(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind], happened: NDArray[np.float64]) -> None:
    """Raises ConfigError where a column by itself, by its tenths or by whether it is there, tells nearly always what happened: then it is
    hardly known before."""
    for name, values in columns.items():
        if kinds[name] == "names":
            continue
        groups = _grouped(values, is_number=kinds[name] == "number")
        counts = np.bincount(groups)
        enough = counts[groups] >= _ENOUGH
        rates = np.bincount(groups, happened) / np.maximum(counts, 1)
        guess = np.where(enough, rates[groups], happened.mean())
        if (auc := float(roc_auc_score(happened, guess))) > _TOO_GOOD:
            raise ConfigError(
                f"features: {name!r} alone foretells {auc:.1%} of all pairs right, as what is known only afterwards does; "
                f"--set leave_out='[{name}]', or if it is known before, name it among the features"
            )


def _grouped(values: Sequence[Any], *, is_number: bool) -> NDArray[np.int64]:
    """(n,) numbers of groups: values, or tenths of a number; those that are missing are a group."""
    if not is_number:
        return np.unique([word(value) for value in values], return_inverse=True)[1]
    amounts = np.array([np.nan if value is None else float(value) for value in values])
    known = amounts[~np.isnan(amounts)]
    tenths = np.unique(np.quantile(known, np.arange(1, 10) / 10)) if len(known) else known
    return np.where(np.isnan(amounts), 10, np.searchsorted(tenths, amounts)).astype(np.int64)


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without its dictionary, where it has one."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def fitted_encoding(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind], config: FeaturesConfig) -> Encoding:
    """Levels from the most frequent on, equally frequent ones by name, so that the same rows give the same encoding."""
    categories, lists, numbers = [], [], []
    for name, values in columns.items():
        if kinds[name] == "number":
            numbers.append(_number(name, values))
        elif kinds[name] == "names":
            counts = Counter(each for row, value in enumerate(values) for each in set(names_in(value, name, row)))
            lists.append(Names(name, _levels(counts, config)))
        else:
            categories.append(Category(name, _levels(Counter(map(word, values)), config)))
    return Encoding(tuple(categories), tuple(lists), tuple(numbers))


def _levels(counts: Counter[str], config: FeaturesConfig) -> tuple[str, ...]:
    frequent = [(-count, level) for level, count in counts.items() if level and count >= config.fewest]
    return tuple(level for _, level in sorted(frequent)[: config.most_levels])


def _number(name: str, values: Sequence[Any]) -> Number:
    found = np.array([amount(value, name, row) for row, value in enumerate(values)])
    known = found[~np.isnan(found)]
    return Number(name, float(known.mean()) if len(known) else 0.0, float(known.std()) if len(known) and known.std() else 1.0)
