"""Tables of impressions for the response model: what happened, what a row weighs, what is trained on and what is judged.

With a column of time the past is trained on and the future judged; without one, parts are drawn by chance with clusters kept whole. Which
columns are read is decided in `impression_features.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from artifacts.response_features import Encoded, Encoding, Floats, word
from train.run.settings import ConfigError, InputPath
from train.run.tables import read_table
from train.shoppers.impression_features import FeaturesConfig, Kind, chosen, fitted_encoding, plain, refuse_afterthoughts

Rows = NDArray[np.int64]

_INF = float("inf")
_FEWEST = {"training": 10, "validation": 5, "test": 5}
"""Rows of each outcome that a part needs: fewer tell nothing."""


class ImpressionsConfig(FeaturesConfig):
    """Which table, and what its columns are."""

    data: InputPath
    """Parquet, JSON lines, CSV or TSV: one row for each impression."""
    outcome: str = "click"
    """Column of 0 and 1 (or false and true): what is foretold."""
    among: str | None = None
    """Only rows in which this column is 1: `click`, for conversion once somebody clicked."""
    time: str | None = None
    """Column of instants: the earliest rows are trained on, the latest are the test. Without it parts are drawn by chance."""
    cluster: str | None = None
    """Column of what hangs together, such as the shopper: intervals draw whole clusters."""
    propensity: str | None = None
    """Column with the probability with which the logging policy showed this: rows then weigh its inverse."""
    weight_cap: float = Field(default=20, ge=1)
    """The most that a row may weigh, as a multiple of the mean inverse propensity (truncated importance sampling, Ionides 2008)."""
    validation_share: float = Field(default=0.1, gt=0, lt=0.5)
    test_share: float = Field(default=0.1, gt=0, lt=0.5)
    seed: int = 0


@dataclass(frozen=True)
class Impressions:
    """A table that was checked, in order of time where it has one: `happened`, `weights` and `clusters` (n,), `columns` of features."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    kinds: Mapping[str, Kind]
    happened: Floats
    weights: Floats
    clusters: NDArray[Any]
    in_order: bool
    unread: tuple[str, ...] = ()
    """Columns that are no feature."""

    def __len__(self) -> int:
        return len(self.happened)

    def encoding(self, rows: Rows, config: ImpressionsConfig) -> Encoding:
        """Levels, means and deviations of these rows."""
        return fitted_encoding({name: [values[i] for i in rows] for name, values in self.columns.items()}, self.kinds, config)

    def examples(self, encoding: Encoding) -> "Examples":
        """Every row, encoded."""
        return Examples(encoding.encode(self.columns), self.happened, self.weights)


@dataclass(frozen=True)
class Examples:
    """Encoded impressions with what happened, for fitting."""

    rows: Encoded
    happened: Floats
    weights: Floats

    def take(self, rows: Rows) -> "Examples":
        """Some of them."""
        return Examples(self.rows.take(rows), self.happened[rows], self.weights[rows])

    @cached_property
    def rate(self) -> float:
        """Weighted share in which it happened."""
        return float(self.weights @ self.happened / self.weights.sum())


def read_impressions(config: ImpressionsConfig) -> Impressions:
    """Read and check the table. Raises ConfigError naming the key, its value and the remedy."""
    whole = read_table(config.data)
    taken = _taken(whole, config)
    rows = _rows(whole, config)
    table = whole.take(pa.array(rows))
    happened = zeros_and_ones(table, "outcome", config.outcome, rows)
    if len(set(happened.tolist())) < 2:
        raise ConfigError(
            f"outcome = {config.outcome!r}: is {happened[0]:.0f} in all {len(happened)} rows; give a table in which both 0 and 1 occur"
        )
    kinds = chosen(table, config, taken)
    columns = {name: plain(table[name]).to_pylist() for name in kinds}
    _require_finite(columns, kinds, rows)
    if not isinstance(config.features, tuple):
        refuse_afterthoughts(columns, kinds, happened)
    weights = _weights(table, config, rows)
    unread = tuple(name for name in table.column_names if name not in kinds)
    return Impressions(config.data, columns, kinds, happened, weights, _clusters(table, config.cluster), config.time is not None, unread)


def parts(impressions: Impressions, config: ImpressionsConfig) -> dict[str, Rows]:
    """Rows of training, validation and test: by time where there is one, else by chance, whole clusters together. Raises ConfigError where
    a part has too few of either outcome."""
    order = np.arange(len(impressions)) if impressions.in_order else _shuffled(impressions.clusters, config.seed)
    begin_validation, begin_test = (
        round(len(order) * (1 - share)) for share in (config.test_share + config.validation_share, config.test_share)
    )
    if not impressions.in_order:
        begin_validation, begin_test = (_border(impressions.clusters[order], row) for row in (begin_validation, begin_test))
    found = dict(zip(("training", "validation", "test"), np.split(order, [begin_validation, begin_test]), strict=True))
    for name, rows in found.items():
        ones = int(impressions.happened[rows].sum())
        if min(ones, len(rows) - ones) < _FEWEST[name]:
            raise ConfigError(
                f"data = {str(impressions.path)!r}: the {name} part of {len(rows)} rows has {ones} with {config.outcome} = 1 and "
                f"{len(rows) - ones} with 0, {_FEWEST[name]} of each are needed; give more rows, or change validation_share and test_share"
            )
    return found


def _border(clusters: NDArray[Any], row: int) -> int:
    """The first row from this one on that begins a cluster."""
    begins = np.flatnonzero(clusters[1:] != clusters[:-1]) + 1
    return int(next(iter(begins[begins >= row]), len(clusters)))


def _taken(table: pa.Table, config: ImpressionsConfig) -> dict[str, str]:
    """Setting → the column that it names."""
    keys = ("outcome", "among", "time", "cluster", "propensity")
    found = {key: name for key in keys if (name := getattr(config, key)) is not None}
    for key, name in found.items():
        if name not in table.column_names:
            raise ConfigError(f"{key} = {name!r}: the table has no such column; name one of {table.column_names}")
    return found


def _rows(table: pa.Table, config: ImpressionsConfig) -> Rows:
    """The rows that are read, in order of time where there is one. Errors name rows as the file counts them, from 1."""
    rows: Rows = _in_time(table, config.time) if config.time else np.arange(table.num_rows)
    if config.among is None:
        return rows
    rows = rows[zeros_and_ones(table, "among", config.among, np.arange(table.num_rows))[rows] == 1]
    if not len(rows):
        raise ConfigError(f"among = {config.among!r}: no row has 1 there; name another column or leave the key out")
    return rows


def zeros_and_ones(table: pa.Table, key: str, name: str, rows: Rows) -> Floats:
    """A column that says whether something happened; `rows` are its rows' numbers in the file, for the error. Raises ConfigError."""
    values = table[name].to_pylist()
    for row, value in zip(rows.tolist(), values, strict=True):
        if isinstance(value, str) or value not in (0, 1):
            raise ConfigError(
                f"{key} = {name!r}: row {row + 1} holds {value!r}; write 1 where it happened and 0 where it did not, in every row"
            )
    return np.array(values, dtype=np.float64)


def _require_finite(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, Kind], rows: Rows) -> None:
    for name, values in columns.items():
        infinite = [row for row, value in zip(rows.tolist(), values, strict=True) if kinds[name] == "number" and value in (_INF, -_INF)]
        if infinite:
            raise ConfigError(f"features = {name!r}: row {infinite[0] + 1} is infinite; write a number, or nothing where it is unknown")


def _clusters(table: pa.Table, name: str | None) -> NDArray[Any]:
    """What hangs together; a row that does not say hangs with none."""
    if name is None:
        return np.arange(table.num_rows)
    return np.array([word(each) or f" {row}" for row, each in enumerate(table[name].to_pylist())])


def _in_time(table: pa.Table, name: str) -> Rows:
    """Rows in order of time, equal instants as they come."""
    kind = table[name].type
    if not (pa.types.is_temporal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise ConfigError(f"time = {name!r}: holds {kind}, which has no order in time; give instants (ISO 8601 in CSV) or numbers")
    if table[name].null_count:
        row = pc.index(pc.is_null(table[name]), True).as_py() + 1
        raise ConfigError(f"time = {name!r}: row {row} has none; fill it or leave the row out")
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(table[name])).as_py():
        row = pc.index(pc.is_nan(table[name]), True).as_py() + 1
        raise ConfigError(f"time = {name!r}: row {row} holds NaN; fill it or leave the row out")
    return np.asarray(pc.sort_indices(table, sort_keys=[(name, "ascending")])).astype(np.int64)


def _shuffled(clusters: NDArray[Any], seed: int) -> Rows:
    """Clusters in a drawn order, their rows together."""
    _, numbers = np.unique(clusters, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(int(numbers.max()) + 1)
    return np.argsort(drawn[numbers], kind="stable")


def _weights(table: pa.Table, config: ImpressionsConfig, rows: Rows) -> Floats:
    """Inverse propensities, 1 on average, capped; all 1 where there are none."""
    if config.propensity is None:
        return np.ones(table.num_rows)
    values = table[config.propensity].to_pylist()
    for row, value in zip(rows.tolist(), values, strict=True):
        if isinstance(value, str) or value is None or not 0 < value <= 1:
            raise ConfigError(
                f"propensity = {config.propensity!r}: row {row + 1} holds {value!r}; write the probability with which it was shown, "
                "above 0 and at most 1, or leave the row out"
            )
    weights = 1 / np.array(values, dtype=np.float64)
    capped = np.minimum(weights / weights.mean(), config.weight_cap)
    return np.asarray(capped / capped.mean())
