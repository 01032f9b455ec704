"""Many rows into one: a product out of its sales lines, a shopper out of their orders, price changes out of daily sales.

Every rule picks one real row for each group, so that a value is always one that occurred (a price is never a mean of two). Arrow holds
the columns, numpy sorts; nothing loops over rows in Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.cleaning import REFUSED, codes, joined, note
from retrieval.expressions import FILE, ROW, ColumnError, Rows, column, meets, numbers, texts
from retrieval.mapping import Combine, TableMapping

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Folded:
    """Rows for one table, the rows that they were folded from, notes on those refused, and how many were not for the table or went into
    another row."""

    rows: pa.Table
    members: pa.Table
    notes: pa.Table
    set_aside: int = 0
    folded: int = 0


def fold(rows: pa.Table, mapping: TableMapping) -> Folded:
    """Pick the table's rows by `where` and fold them by `one_per`. A row without a key is refused."""
    wanted = np.ones(rows.num_rows, np.bool_)
    for condition in mapping.where:
        wanted &= meets(condition, rows)
    chosen = rows.filter(pa.array(wanted))
    set_aside = rows.num_rows - chosen.num_rows
    if not mapping.one_per:
        return Folded(chosen, chosen, joined([]), set_aside)
    keys = key_codes(chosen, mapping.one_per)
    notes = note(chosen, keys < 0, (REFUSED, "missing_required", "+".join(mapping.one_per)))
    keyed = chosen.filter(pa.array(keys >= 0))
    folded = _picked(keyed, keys[keys >= 0], mapping.combine)
    return Folded(folded, keyed, notes, set_aside, keyed.num_rows - folded.num_rows)


def key_codes(rows: pa.Table, names: list[str]) -> Rows:
    """A number for each distinct combination of values, in order of appearance; -1 where one of them is missing."""
    parts = [texts(column(rows, name)) for name in names]
    return codes(parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f"))


def _picked(rows: pa.Table, keys: Rows, combine: Mapping[str, Combine]) -> pa.Table:
    """One row for each key; each column by its own rule. FILE and ROW are those of the key's first row."""
    count = int(keys.max(initial=-1)) + 1
    columns = {}
    for name in rows.column_names:
        rule = Combine(how="first") if name in (FILE, ROW) else combine.get(name, Combine(how="first"))
        at = _pick(rule, rows, keys, name, count)
        columns[name] = column(rows, name).take(pa.array(at, pa.int64(), mask=at < 0))
    return pa.table(columns)


def _pick(rule: Combine, rows: pa.Table, keys: Rows, name: str, count: int) -> Rows:
    """The row of each key that a column's value is taken from, -1 where none has one."""
    values = column(rows, name)
    valid = np.flatnonzero(pc.is_valid(values).to_numpy(zero_copy_only=False))
    if rule.how == "last":
        valid = valid[::-1]
    if rule.how == "most_common":
        return most_common(keys, codes(texts(values)), count)
    if rule.how == "recent_median" and rule.at and rule.days:
        return _recent_median(keys, numbers(rows, name)[0], _instants(rows, rule.at), rule.days, count)
    picked = np.full(count, -1, np.int64)
    found, first = np.unique(keys[valid], return_index=True)
    picked[found] = valid[first]
    return picked


def most_common(keys: Rows, values: Rows, count: int) -> Rows:
    """For each key the first row of its commonest value; of equally common ones the earlier."""
    picked = np.full(count, -1, np.int64)
    valid = np.flatnonzero(values >= 0)
    if not len(valid):
        return picked
    width = int(values.max()) + 1
    pairs, first, times = np.unique(keys[valid] * width + values[valid], return_index=True, return_counts=True)
    order = np.lexsort((first, -times, pairs // width))
    groups, best = np.unique(pairs[order] // width, return_index=True)
    picked[groups] = valid[first[order][best]]
    return picked


def _instants(rows: pa.Table, name: str) -> Rows:
    """A column of instants in microseconds, -1 for none. Raises ColumnError for one of anything else."""
    values = column(rows, name)
    if not pa.types.is_timestamp(values.type):
        raise ColumnError(f"combine: column {name!r} holds {values.type}, not instants; make a field of it with parse_datetime")
    found: Rows = values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return found


def _recent_median(keys: Rows, values: pa.Array, instants: Rows, days: int, count: int) -> Rows:
    """For each key the row with the lower median of the values in the `days` before its newest row."""
    picked = np.full(count, -1, np.int64)
    amounts = values.to_numpy(zero_copy_only=False)
    valid = np.flatnonzero(~np.isnan(amounts) & (instants >= 0))
    newest = np.full(count, -1, np.int64)
    np.maximum.at(newest, keys[valid], instants[valid])
    recent = valid[instants[valid] >= newest[keys[valid]] - days * _DAY_US]
    ordered = recent[np.lexsort((amounts[recent], keys[recent]))]
    size = np.bincount(keys[ordered], minlength=count)
    start = np.cumsum(size) - size
    filled = size > 0
    picked[filled] = ordered[(start + (size - 1) // 2)[filled]]
    return picked


def daily_changes(rows: pa.Table) -> pa.Table:
    """Of price_history rows: each day's commonest price at its first instant that day, where it differs from the day before."""
    ordered = rows.take(pa.array(np.argsort(column(rows, "at").cast(pa.int64()).to_numpy(), kind="stable")))
    products = key_codes(ordered, ["product_id", "locale"])
    days = column(ordered, "at").cast(pa.int64()).to_numpy() // _DAY_US
    _, daily = np.unique(products * (int(days.max(initial=0)) + 1) + days, return_inverse=True)
    prices = codes(texts(column(ordered, "price")))
    picked = most_common(daily.astype(np.int64), prices, int(daily.max(initial=-1)) + 1)
    picked = picked[np.lexsort((days[picked], products[picked]))]
    same_product = products[picked][1:] == products[picked][:-1]
    unchanged = np.concatenate([[False], same_product & (prices[picked][1:] == prices[picked][:-1])])[: len(picked)]
    return ordered.take(pa.array(picked[~unchanged], pa.int64()))
