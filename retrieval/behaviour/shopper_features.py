"""What each shopper's behaviour says of them: recency, frequency, money, tastes, price band, habits, search terms.

A pure function on whole shoppers who consent. Weights of events are those of `retrieval.features`, without fading: recency has a
column of its own. Money is in the shopper's main currency (`currencies`), never a sum over several.
"""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.behaviour.backdrop import UTC_ZONE, Backdrop
from retrieval.behaviour.currencies import MainCurrency
from retrieval.behaviour.sessions import Numbers
from retrieval.behaviour.trail import KIND, Flags, Trail
from retrieval.cleaning import codes
from retrieval.expressions import column
from retrieval.leanings import EVENT_WEIGHTS
from retrieval.schemas import SHOPPER_FEATURES

DAY_US = 86_400_000_000
BANDS = ("budget", "mid", "premium")
TOP_TERMS = 5

Values = NDArray[np.float64]


def shopper_features(trail: Trail, known: Backdrop, money: MainCurrency, anchor: datetime) -> pa.Table:
    """The `shopper_features` table of these shoppers. Ages count from `anchor`."""
    weights = _weights(trail)
    visits = trail.session > 0
    made = _money(trail, money)
    made |= _time(trail, int(anchor.timestamp() * 1e6)) | _clock(trail, known, visits) | _prices(trail, known, weights)
    touched = trail.product >= 0
    size = len(trail.shoppers)
    made |= {
        "shopper_id": trail.shoppers,
        "category_affinity": shares(trail.who[touched], known.kind_of[trail.product[touched]], weights[touched], known.kinds, size),
        "brand_affinity": _brands(trail, known, weights),
        "channels": _channels(trail, visits),
        "search_terms": search_terms(trail),
    }
    table = pa.table({name: made[name] for name in SHOPPER_FEATURES.names}, schema=None)
    return table.cast(SHOPPER_FEATURES).filter(pa.array(_visited(trail, visits)))


def _visited(trail: Trail, visits: Flags) -> Flags:
    """(m,) who did anything but have something cancelled."""
    visited: Flags = np.bincount(trail.who[visits], minlength=len(trail.shoppers)) > 0
    return visited


def _weights(trail: Trail) -> Values:
    """(n,) the weight of each event's kind, 0 for a cancellation or a kind that we don't know."""
    of_kind = np.array([*(EVENT_WEIGHTS.get(kind, 0.0) for kind in KIND), 0.0])
    weights: Values = of_kind[trail.kind]
    return weights


def _money(trail: Trail, money: MainCurrency) -> dict[str, Any]:
    size = len(trail.shoppers)
    bought = trail.are("purchase")
    priced = bought & ~np.isnan(trail.value)
    counted, back = priced & money.in_main, trail.taken_back & money.in_main & ~np.isnan(trail.value)
    paid, returned = (np.bincount(trail.who[rows], trail.value[rows], minlength=size) for rows in (counted, back))
    orders = np.bincount(trail.who[trail.first_line], minlength=size)
    baskets = _orders_with(trail, counted, size)
    units, units_back = (np.bincount(trail.who[rows], trail.units[rows], minlength=size) for rows in (bought, trail.taken_back))
    lines = np.bincount(trail.who[priced], minlength=size)
    foreign = np.bincount(trail.who[priced & ~money.in_main], minlength=size)
    return {
        "frequency": orders,
        "monetary": np.maximum(paid - returned, 0.0),
        "currency": money.main,
        "other_currency_share": foreign / np.maximum(lines, 1),
        "mean_basket": pa.array(paid / np.maximum(baskets, 1), mask=baskets == 0),
        "cancelled_share": np.minimum(units_back / np.maximum(units, 1e-9), 1.0) * (units > 0),
    }


def _orders_with(trail: Trail, lines: Flags, size: int) -> Numbers:
    """(m,) orders that have one of these lines."""
    order = np.cumsum(trail.first_line)
    which = np.unique(order[lines], return_index=True)[1]
    counted: Numbers = np.bincount(trail.who[lines][which], minlength=size)
    return counted


def _time(trail: Trail, anchor_us: int) -> dict[str, Any]:
    size = len(trail.shoppers)
    visits = trail.session > 0
    first, last = np.full(size, anchor_us), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, trail.who[visits], trail.at[visits])
    np.maximum.at(last, trail.who[visits], trail.at[visits])
    sessions = np.zeros(size, np.int64)
    np.maximum.at(sessions, trail.who, trail.session)
    return {
        "recency_days": np.maximum(anchor_us - np.maximum(last, 0), 0) / DAY_US,
        "days_since_first_seen": np.maximum(anchor_us - first, 0) / DAY_US,
        "sessions": sessions,
    }


def _clock(trail: Trail, known: Backdrop, visits: Flags) -> dict[str, Any]:
    """Hours and weekdays on the clock of the shopper's market."""
    size = len(trail.shoppers)
    zone = pc.fill_null(known.zones.take(pc.index_in(trail.shoppers, known.consenting)), UTC_ZONE)
    of_row = codes(zone)[trail.who]
    hour, weekday = np.zeros(len(trail.who), np.int64), np.zeros(len(trail.who), np.int64)
    for code, name in enumerate(zone.dictionary_encode().dictionary.to_pylist()):
        rows = np.flatnonzero(of_row == code)
        local = pa.array(trail.at[rows], pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=name))
        hour[rows], weekday[rows] = pc.hour(local).to_numpy(), pc.day_of_week(local).to_numpy()
    made: dict[str, Any] = {"timezone": zone}
    for name, values, width in (("hours", hour, 24), ("weekdays", weekday, 7)):
        counts = np.bincount(trail.who[visits] * width + values[visits], minlength=size * width).reshape(size, width)
        portions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        made[name] = pa.FixedSizeListArray.from_arrays(pa.array(portions.ravel(), pa.float32()), width)
    return made


def _prices(trail: Trail, known: Backdrop, weights: Values) -> dict[str, Any]:
    size = len(trail.shoppers)
    quantile = (
        np.where(trail.product >= 0, known.price_quantile[trail.product], np.nan) if len(known.price_quantile) else trail.value * np.nan
    )
    rows = ~np.isnan(quantile) & (weights > 0)
    weight = np.bincount(trail.who[rows], weights[rows], minlength=size)
    mean = np.bincount(trail.who[rows], weights[rows] * quantile[rows], minlength=size) / np.maximum(weight, 1e-9)
    band = pa.array(BANDS).take(pa.array(np.minimum((mean * len(BANDS)).astype(np.int64), len(BANDS) - 1), mask=weight == 0))
    return {"price_quantile": pa.array(mean.astype(np.float32), mask=weight == 0), "price_band": band}


def shares(who: Numbers, label: Numbers, weights: Values, names: pa.Array, size: int) -> pa.Array:
    """(size,) maps label → its share of a shopper's weights, largest first, ties by name."""
    width = max(len(names), 1)
    pairs, at = np.unique(who * width + label, return_inverse=True)
    sums = np.bincount(at, weights, minlength=len(pairs))
    pairs, sums = pairs[sums > 0], sums[sums > 0]
    owner, which = pairs // width, pairs % width
    rank = np.argsort(np.argsort(np.array(names.to_pylist(), dtype=np.str_)))
    order = np.lexsort((rank[which] if len(which) else which, -sums, owner))
    owner, which, sums = owner[order], which[order], sums[order]
    total = np.bincount(owner, sums, minlength=size)
    offsets = np.r_[0, np.cumsum(np.bincount(owner, minlength=size))]
    portions = pa.array((sums / total[owner]).astype(np.float32))
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), names.take(pa.array(which, pa.int64())), portions)


def _brands(trail: Trail, known: Backdrop, weights: Values) -> pa.Array:
    rows = np.flatnonzero(trail.product >= 0)
    branded = rows[known.brand_of[trail.product[rows]] >= 0]
    return shares(trail.who[branded], known.brand_of[trail.product[branded]], weights[branded], known.brands, len(trail.shoppers))


def _channels(trail: Trail, visits: Flags) -> pa.Array:
    """Shares of the channels, where the events have such a column."""
    names = pa.nulls(len(trail.who), pa.string()) if "channel" not in trail.rows.column_names else column(trail.rows, "channel")
    code = codes(names)
    rows = visits & (code >= 0)
    return shares(trail.who[rows], code[rows], np.ones(int(rows.sum())), names.dictionary_encode().dictionary, len(trail.shoppers))


def search_terms(trail: Trail) -> pa.Array:
    """(m,) the searches that each shopper makes most, then made latest; capitals don't count."""
    text = column(trail.rows, "text")
    rows = np.flatnonzero(trail.are("search") & pc.is_valid(text).to_numpy(zero_copy_only=False))
    terms = pc.utf8_lower(text.take(pa.array(rows))).dictionary_encode()
    term = terms.indices.to_numpy().astype(np.int64)
    pairs, at, times = np.unique(trail.who[rows] * max(len(terms.dictionary), 1) + term, return_inverse=True, return_counts=True)
    latest = np.zeros(len(pairs), np.int64)
    np.maximum.at(latest, at, trail.at[rows])
    owner, which = pairs // max(len(terms.dictionary), 1), pairs % max(len(terms.dictionary), 1)
    order = np.lexsort((which, -latest, -times, owner))
    found: list[list[str]] = [[] for _ in range(len(trail.shoppers))]
    for shopper, code in zip(owner[order].tolist(), which[order].tolist(), strict=True):
        if len(found[shopper]) < TOP_TERMS:
            found[shopper].append(terms.dictionary[code].as_py())
    return pa.array(found, pa.list_(pa.string()))
