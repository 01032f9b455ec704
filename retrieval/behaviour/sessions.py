"""Visits: a shopper's events without a gap of more than 30 minutes.

A cancellation is booked whenever the shop's staff get to it, so it belongs to no visit. Rows come sorted by shopper, then time.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.recommenders.contract import VISIT_GAP_DAYS
from retrieval.schemas import SESSIONS

GAP_US = round(VISIT_GAP_DAYS * 24 * 3600 * 1_000_000)

Numbers = NDArray[np.int64]


def number_sessions(who: Numbers, at: Numbers, visits: NDArray[np.bool_]) -> Numbers:
    """(n,) 1, 2, … within each shopper; 0 for what is no visit. `at` in microseconds; a gap of exactly 30 minutes is still one visit."""
    numbers = np.zeros(len(who), np.int64)
    rows = np.flatnonzero(visits)
    if not len(rows):
        return numbers
    fresh = np.r_[True, np.diff(who[rows]) != 0]
    begins = fresh | np.r_[True, np.diff(at[rows]) > GAP_US]
    running = np.cumsum(begins)
    before = np.maximum.accumulate(np.where(fresh, running - 1, 0))  # sessions of the shoppers before
    numbers[rows] = running - before
    return numbers


def session_table(shoppers: pa.Array, who: Numbers, at: Numbers, session: Numbers, product: Numbers, bought: NDArray[np.bool_]) -> pa.Table:
    """The `sessions` table of these rows: `product` -1 for a search, `bought` True for a purchase."""
    rows = np.flatnonzero(session)
    if not len(rows):
        return SESSIONS.empty_table()
    starts = np.flatnonzero(np.r_[True, (np.diff(who[rows]) != 0) | (np.diff(session[rows]) != 0)])
    ends = np.r_[starts[1:], len(rows)]
    number = np.repeat(np.arange(len(starts)), ends - starts)
    touched = product[rows] >= 0
    pairs = np.unique(np.stack([number[touched], product[rows][touched]]), axis=1)
    made = {
        "shopper_id": shoppers.take(pa.array(who[rows][starts])),
        "session": session[rows][starts],
        "start": pa.array(at[rows][starts], pa.timestamp("us", tz="UTC")),
        "end": pa.array(at[rows][ends - 1], pa.timestamp("us", tz="UTC")),
        "events": ends - starts,
        "products": np.bincount(pairs[0], minlength=len(starts)),
        "converted": pa.array(np.logical_or.reduceat(bought[rows], starts)),
    }
    return pa.table(made).cast(SESSIONS)
