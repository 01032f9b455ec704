"""What shoppers do with each product: views to stars, conversion, repeat, trend, popularity.

Two phases: sums over some shoppers (`partial_sums`), then all of them added up (`Totals`), so memory grows with the catalogue and never
with the events. Counts name nobody, so shoppers without consent count too.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.behaviour.sessions import Numbers
from retrieval.behaviour.trail import Flags, Trail
from retrieval.expressions import column
from retrieval.features import HALF_LIFE_DAYS
from retrieval.schemas import PRODUCT_FEATURES

DAY_US = 86_400_000_000
TREND_DAYS = 14

COUNTS = ("views", "carts", "purchases", "units", "cancelled_units", "buyers", "reviews")
SUMS = (*COUNTS, "viewers", "converted", "repeat_buyers", "again_days", "again", "stars", "recent", "earlier", "popularity")
"""What adds up over shoppers."""


def partial_sums(trail: Trail, anchor_us: int) -> pa.Table:
    """One row for each product touched: `product` (its catalogue row), SUMS, and the currencies it was paid in."""
    touched, at = np.unique(trail.product[trail.product >= 0], return_inverse=True)
    number = np.full(len(trail.product), -1)
    number[trail.product >= 0] = at
    size = len(touched)
    sums: dict[str, NDArray[Any]] = {
        name: np.bincount(number[rows], weights, minlength=size) for name, rows, weights in _row_sums(trail, number, anchor_us)
    }
    for name, values in _pair_sums(trail, number, size).items():
        sums[name] = values
    columns = {"product": touched} | {name: sums[name] for name in SUMS} | {"currencies": _currencies(trail, number, size)}
    return pa.table(columns)


def _row_sums(trail: Trail, number: Numbers, anchor_us: int) -> list[tuple[str, Flags, NDArray[np.float64] | None]]:
    """(name, which rows, their weights): what is a sum over rows."""
    known = number >= 0
    views, carts, bought, back, reviews = (known & trail.are(kind) for kind in ("view", "cart", "purchase", "cancellation", "review"))
    age_days = np.maximum(anchor_us - trail.at, 0) / DAY_US
    rated = reviews & ~np.isnan(trail.value)
    interest = views | carts | bought
    recent, earlier = interest & (age_days < TREND_DAYS), interest & (age_days >= TREND_DAYS) & (age_days < 2 * TREND_DAYS)
    return [
        ("views", views, None),
        ("carts", carts, None),
        ("purchases", bought, None),
        ("units", bought, trail.units[bought]),
        ("cancelled_units", back, trail.units[back]),
        ("reviews", rated, None),
        ("stars", rated, trail.value[rated]),
        ("recent", recent, None),
        ("earlier", earlier, None),
        ("popularity", bought, 0.5 ** (age_days[bought] / HALF_LIFE_DAYS)),
    ]


def _pair_sums(trail: Trail, number: Numbers, size: int) -> dict[str, NDArray[Any]]:
    """What is counted once a shopper and product, not once a row."""
    seen, bought = ((number >= 0) & trail.are(kind) for kind in ("view", "purchase"))
    viewers, buyers = (np.unique(np.stack([trail.who[rows], number[rows]]), axis=1) for rows in (seen, bought))
    keys = [pairs[0] * max(size, 1) + pairs[1] for pairs in (viewers, buyers)]
    converted = viewers[1][np.isin(keys[0], keys[1])]
    owner, product, at = _orders(trail, number, bought)
    same = (np.diff(owner) == 0) & (np.diff(product) == 0)
    again = product[1:][same]
    repeaters = np.unique(np.stack([owner[1:][same], again]), axis=1)[1]
    days = np.diff(at)[same] / DAY_US
    return {
        "viewers": np.bincount(viewers[1], minlength=size),
        "buyers": np.bincount(buyers[1], minlength=size),
        "converted": np.bincount(converted, minlength=size),
        "repeat_buyers": np.bincount(repeaters, minlength=size),
        "again": np.bincount(again, minlength=size),
        "again_days": np.bincount(again, days, minlength=size),
    }


def _orders(trail: Trail, number: Numbers, bought: Flags) -> tuple[Numbers, Numbers, Numbers]:
    """(shopper, product, instant) of the first purchase of each product in each session, in order."""
    rows = np.flatnonzero(bought)
    rows = rows[np.lexsort((trail.at[rows], number[rows], trail.who[rows]))]
    keys = np.stack([trail.who[rows], number[rows], trail.session[rows]])
    fresh = np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)] if len(rows) else np.zeros(0, np.bool_)
    rows = rows[fresh]
    return trail.who[rows], number[rows], trail.at[rows]


def _currencies(trail: Trail, number: Numbers, size: int) -> pa.Array:
    """(size,) the currencies that each product was paid in, by the alphabet."""
    currency = column(trail.rows, "currency").dictionary_encode()
    code = pc.fill_null(currency.indices, -1).to_numpy().astype(np.int64)
    paid = (number >= 0) & trail.are("purchase") & (code >= 0)
    found: list[list[str]] = [[] for _ in range(size)]
    for product, which in np.unique(np.stack([number[paid], code[paid]]), axis=1).T.tolist():
        found[product].append(currency.dictionary[which].as_py())
    return pa.array([sorted(names) for names in found], pa.list_(pa.string()))


@dataclass(slots=True)
class Totals:
    """The sums of every product, filled bucket by bucket, always in the same order: sums of floats depend on it."""

    products: pa.Array
    sums: dict[str, NDArray[np.float64]] = field(init=False)
    currencies: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sums = {name: np.zeros(len(self.products)) for name in SUMS}

    def add(self, part: pa.Table) -> None:
        """Add a bucket's sums."""
        rows = column(part, "product").to_numpy()
        for name in SUMS:
            self.sums[name][rows] += column(part, name).to_numpy()
        for row, names in zip(rows.tolist(), part["currencies"].to_pylist(), strict=True):
            if names:
                self.currencies.setdefault(row, set()).update(names)

    def mixed(self) -> dict[str, str]:
        """Product → the currencies it was paid in, where it is more than one."""
        several = {row: names for row, names in sorted(self.currencies.items()) if len(names) > 1}
        return {self.products[row].as_py(): ", ".join(sorted(names)) for row, names in several.items()}

    def table(self) -> pa.Table:
        """The `product_features` table, in catalogue order."""
        sums = self.sums
        made = {"product_id": self.products} | {name: sums[name].astype(np.int64) for name in COUNTS}
        made |= {
            "conversion": _ratio(sums["converted"], sums["viewers"]),
            "repeat_rate": _ratio(sums["repeat_buyers"], sums["buyers"]),
            "bought_again_days": _ratio(sums["again_days"], sums["again"]),
            "mean_stars": _ratio(sums["stars"], sums["reviews"]),
            "trend": _ratio(sums["recent"] - sums["earlier"], sums["recent"] + sums["earlier"]),
            "popularity": sums["popularity"],
            "currencies": pa.array([sorted(self.currencies.get(row, ())) for row in range(len(self.products))], pa.list_(pa.string())),
        }
        return pa.table({name: made[name] for name in PRODUCT_FEATURES.names}).cast(PRODUCT_FEATURES)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> pa.Array:
    """Quotients, null where there is nothing to divide by."""
    return pa.array(above / np.maximum(below, 1e-300), mask=below == 0)
