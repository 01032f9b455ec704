"""Which shoppers are machines: those whose peak of events in a minute or a day is far beyond everyone's, and beyond any person's.

A limit is robust (median + 6 deviations of the logarithms, the deviation from the median absolute one) and never below a floor, so a
quiet shop doesn't refuse its keenest customer. Limits come from counts of counts, which add up over buckets of shoppers: memory does
not grow with the shoppers. All lines of one order count as one act. Crawlers that change their id with every page are not found here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.behaviour.cleaning import MONEY_KINDS
from retrieval.cleaning import codes
from retrieval.expressions import column
from retrieval.rules import mask

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
FLOORS = {"minute": 60, "day": 1000}
"""Events that no person makes in that time: one a second for a minute, one a minute for almost seventeen hours."""
DEVIATIONS = 6.0
_TO_SIGMA = 1.4826  # of the median absolute deviation, where values are normal

Histogram = dict[int, int]
"""Peak → number of shoppers who have it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """More events than `most` in one `unit` are a machine's. `typical` is the median shopper's peak."""

    unit: str
    most: float
    typical: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """Each shopper's busiest minute and day: (m,) counts, and when they began in microseconds."""

    shoppers: pa.Array
    counts: Mapping[str, NDArray[np.int64]]
    begins: Mapping[str, NDArray[np.int64]]

    def histogram(self, unit: str) -> Histogram:
        """How many shoppers have which peak."""
        values, sizes = np.unique(self.counts[unit], return_counts=True)
        return dict(zip(values.tolist(), sizes.tolist(), strict=True))


def peaks(rows: pa.Table) -> Peaks:
    """Each shopper's peaks. Rows sorted by shopper, then time, taps included: a machine's hammering is what shows."""
    acts = rows.filter(pa.array(~_further_lines(rows)))
    who = codes(column(acts, "shopper_id"))
    instants = column(acts, "at").cast(pa.int64()).to_numpy()
    shoppers = column(acts, "shopper_id").dictionary_encode().dictionary
    counts, begins = {}, {}
    for unit, length in (("minute", MINUTE_US), ("day", DAY_US)):
        counts[unit], begins[unit] = _busiest(who, instants // length, len(shoppers))
        begins[unit] *= length
    return Peaks(shoppers, counts, begins)


def _further_lines(rows: pa.Table) -> NDArray[np.bool_]:
    """Lines of an order but the first."""
    keys = np.stack([codes(column(rows, "shopper_id")), codes(column(rows, "kind")), column(rows, "at").cast(pa.int64()).to_numpy()])
    further = np.zeros(rows.num_rows, np.bool_)
    further[1:] = (np.diff(keys, axis=1) == 0).all(axis=0)
    return further & mask(pc.is_in(column(rows, "kind"), pa.array(MONEY_KINDS)))


def _busiest(who: NDArray[np.int64], window: NDArray[np.int64], shoppers: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) the most rows of a shopper in one window, and that window. Both sorted by shopper and window."""
    if not len(who):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, (np.diff(who) != 0) | (np.diff(window) != 0)])
    sizes = np.diff(np.r_[starts, len(who)])
    order = np.lexsort((window[starts], -sizes, who[starts]))
    _, first = np.unique(who[starts][order], return_index=True)
    assert len(first) == shoppers
    chosen = order[first]
    return sizes[chosen], window[starts][chosen]


def limit(unit: str, histogram: Histogram) -> Limit:
    """The limit that these peaks give."""
    if not histogram:
        return Limit(unit, FLOORS[unit], 0.0)
    logs = np.log1p(np.array(list(histogram), np.float64))
    sizes = np.array(list(histogram.values()))
    middle = _median(logs, sizes)
    deviation = _TO_SIGMA * _median(np.abs(logs - middle), sizes)
    far = round(float(np.expm1(middle + DEVIATIONS * deviation)), 6)  # rounded: a lone shopper's own peak is not beyond itself
    return Limit(unit, max(float(FLOORS[unit]), far), float(np.expm1(middle)))


def _median(values: NDArray[np.float64], sizes: NDArray[np.int64]) -> float:
    """The lower median of values that occur so many times."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(sizes[order])
    return float(values[order][np.searchsorted(total, (total[-1] + 1) // 2)])


def suspects(found: Peaks, limits: list[Limit]) -> dict[str, str]:
    """Shopper → why they are taken for a machine."""
    told: dict[str, str] = {}
    for bound in limits:
        counts, begins = found.counts[bound.unit], found.begins[bound.unit]
        for row in np.flatnonzero(counts > bound.most):
            when = datetime.fromtimestamp(begins[row] / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
            why = f"{counts[row]:,} events in the {bound.unit} of {when} UTC; limit {bound.most:,.0f}, typical {bound.typical:,.0f}"
            told.setdefault(found.shoppers[int(row)].as_py(), why)
    return told
