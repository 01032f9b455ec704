"""The cleaned events of some shoppers, decoded once into numpy: what sessions, features and baskets are computed from.

Row by row, sorted by shopper and time. A `Trail` holds whole shoppers, so counts per shopper are exact and those per product add up.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.behaviour.sessions import Numbers, number_sessions
from retrieval.cancellations import match
from retrieval.expressions import FILE, ROW, column
from retrieval.rules import mask
from retrieval.schemas import EVENT_KINDS

OTHER_KIND = -1
KIND = {kind: number for number, kind in enumerate(EVENT_KINDS)}

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trail:
    """n rows of m shoppers. `at` in microseconds; `kind` as in KIND, -1 for others; `product` a catalogue row, -1 for none; `value` NaN
    where missing; `session` 0 for cancellations; `first_line` the first row of each order; `taken_back` matched cancellations."""

    rows: pa.Table
    shoppers: pa.Array
    who: Numbers
    at: Numbers
    kind: Numbers
    product: Numbers
    value: NDArray[np.float64]
    units: NDArray[np.float64]
    session: Numbers
    first_line: Flags
    taken_back: Flags
    returns: pa.Table

    @classmethod
    def of(cls, rows: pa.Table, products: pa.Array) -> "Trail":
        """Decode rows that are sorted by shopper, time and kind."""
        shoppers = column(rows, "shopper_id").dictionary_encode()
        who = shoppers.indices.to_numpy().astype(np.int64)
        at = column(rows, "at").cast(pa.int64()).to_numpy()
        kind = pc.fill_null(pc.index_in(column(rows, "kind"), pa.array(EVENT_KINDS)), OTHER_KIND).to_numpy().astype(np.int64)
        bought = kind == KIND["purchase"]
        returns, taken_back = _returns(rows, kind)
        return cls(
            rows=rows,
            shoppers=shoppers.dictionary,
            who=who,
            at=at,
            kind=kind,
            product=pc.fill_null(pc.index_in(column(rows, "product_id"), products), -1).to_numpy().astype(np.int64),
            value=column(rows, "value").to_numpy(zero_copy_only=False).astype(np.float64),
            units=pc.fill_null(column(rows, "quantity"), 1).to_numpy().astype(np.float64),
            session=number_sessions(who, at, kind != KIND["cancellation"]),
            first_line=bought & _fresh(who, at, bought),
            taken_back=taken_back,
            returns=returns,
        )

    def are(self, *kinds: str) -> Flags:
        """(n,) which rows are of these kinds."""
        return np.isin(self.kind, [KIND[kind] for kind in kinds])


def _fresh(who: Numbers, at: Numbers, bought: Flags) -> Flags:
    """Among purchases, those at another instant than the one before."""
    rows = np.flatnonzero(bought)
    fresh = np.zeros(len(who), np.bool_)
    if len(rows):
        fresh[rows] = np.r_[True, (np.diff(who[rows]) != 0) | (np.diff(at[rows]) != 0)]
    return fresh


def _returns(rows: pa.Table, kind: Numbers) -> tuple[pa.Table, Flags]:
    """What `cancellations.match` says of each cancellation, and which rows are matched."""
    trades = np.flatnonzero((kind == KIND["purchase"]) | (kind == KIND["cancellation"]))
    picked = rows.take(pa.array(trades))
    placed = picked.append_column(FILE, pa.array(np.zeros(len(trades)), pa.int32())).append_column(ROW, pa.array(trades, pa.int64()))
    notes = match(placed, kind[trades] == KIND["cancellation"])
    taken_back = np.zeros(rows.num_rows, np.bool_)
    taken_back[notes.filter(pc.equal(notes["rule"], "cancellation_matched"))[ROW].to_numpy()] = True
    return notes, taken_back


def subset(rows: pa.Table, shoppers: pa.Array) -> pa.Table:
    """The rows of these shoppers."""
    return rows.filter(pa.array(mask(pc.is_in(column(rows, "shopper_id"), shoppers))))
