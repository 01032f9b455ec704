"""What the last rules of the tables are made of: what they know beside the rows, and values exchanged or emptied and rows refused, noted.

The rules themselves are in `finishing`, `money` and `consent`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from retrieval.cleaning import CHANGED, REFUSED, Cleaned, Mask, note
from retrieval.expressions import column


@dataclass(slots=True)
class Known:
    """The ids of the tables made before this one, what every row of the sources says of a shopper's consent, and the time."""

    products: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    shoppers: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    statements: pa.Table | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


Rule = Callable[[pa.Table, Known], Cleaned]


def replaced(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The rows with one column's values exchanged."""
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), values)


def changed(rows: pa.Table, name: str, new: pa.Array, rule: str) -> Cleaned:
    """The rows with new values, and a note on each that differs."""
    old = column(rows, name)
    return Cleaned(replaced(rows, name, new), note(rows, mask(differ(old, new)), (CHANGED, rule, name), old, new))


def differ(old: pa.Array, new: pa.Array) -> pa.Array:
    """Which values are not the same; an empty one differs from any other."""
    return pc.or_(pc.not_equal(old, new).fill_null(False), pc.xor(pc.is_null(old), pc.is_null(new)))


def emptied(rows: pa.Table, name: str, bad: pa.Array, rule: str) -> Cleaned:
    """The rows with the bad values of a column left empty."""
    values = column(rows, name)
    return changed(rows, name, pc.if_else(bad.fill_null(False), pa.scalar(None, values.type), values), rule)


def refused(rows: pa.Table, bad: Mask, rule: str, name: str) -> Cleaned:
    """The rows without the bad ones, and a note on each of those."""
    return Cleaned(rows.filter(pa.array(~bad)), note(rows, bad, (REFUSED, rule, name), column(rows, name)))


def mask(values: pa.Array) -> Mask:
    """Booleans for numpy; empty is false."""
    found: Mask = values.fill_null(False).to_numpy(zero_copy_only=False)
    return found
