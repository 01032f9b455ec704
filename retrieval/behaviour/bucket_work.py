"""What is done with one bucket of events: first cleaned, and then, once the bots' limits are known from all buckets, described.

Both read and write files of the run's work directory named by the bucket, so that a task which is tried again overwrites its own work.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retrieval.behaviour.backdrop import Setting, backdrop
from retrieval.behaviour.bots import Limit, Peaks, peaks, suspects
from retrieval.behaviour.buckets import Stats
from retrieval.behaviour.cleaning import MONEY_KINDS, NOTES, clean, note, refuse
from retrieval.behaviour.currencies import MainCurrency, main_currencies
from retrieval.behaviour.product_features import partial_sums
from retrieval.behaviour.report import marks
from retrieval.behaviour.sessions import session_table
from retrieval.behaviour.shopper_features import shopper_features
from retrieval.behaviour.trail import Trail, subset
from retrieval.cleaning import KEPT
from retrieval.expressions import ROW, column
from retrieval.rules import mask
from retrieval.schemas import EVENTS

BASKETS = {"session": "bought in one visit", "day": "bought on one day (UTC)", "shopper": "bought by one shopper at any time"}
"""What counts as one basket."""
BASKET_ROWS = pa.schema([("basket", pa.int64()), ("product", pa.int64())])
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all buckets together say: the limits of bots, and the instant that ages count from."""

    limits: tuple[Limit, ...]
    anchor: datetime


def settle_bucket(rows: pa.Table, number: int, setting: Setting) -> Stats:
    """Clean a bucket. Returns its rows in, the latest event, and the histograms that bots' limits come from."""
    known = backdrop(setting).known
    sifted, busy = clean(rows, known)
    found = peaks(busy)
    pq.write_table(sifted.rows, setting.part("settled", number), compression="lz4")
    pq.write_table(sifted.notes, setting.part("notes-settled", number), compression="lz4")
    pq.write_table(_peak_rows(found), setting.part("peaks", number))
    latest = pc.max(sifted.rows["at"].cast(pa.int64())).as_py()
    histograms = {unit: sorted(found.histogram(unit).items()) for unit in ("minute", "day")}
    return {"number": number, "read": rows.num_rows, "latest": latest, "histograms": histograms}


def _peak_rows(found: Peaks) -> pa.Table:
    columns = {f"{what}_{unit}": values[unit] for what, values in (("counts", found.counts), ("begins", found.begins)) for unit in values}
    return pa.table({"shopper_id": found.shoppers} | columns)


def _read_peaks(rows: pa.Table) -> Peaks:
    counts, begins = ({unit: column(rows, f"{what}_{unit}").to_numpy() for unit in ("minute", "day")} for what in ("counts", "begins"))
    return Peaks(column(rows, "shopper_id"), counts, begins)


def describe_bucket(number: int, setting: Setting, verdict: Verdict) -> Stats:
    """Refuse the bots of a cleaned bucket and write its parts of every table. Returns the number of rows kept."""
    facts = backdrop(setting)
    settled = pq.read_table(setting.part("settled", number))
    told = suspects(_read_peaks(pq.read_table(setting.part("peaks", number))), list(verdict.limits))
    by_bots = mask(pc.is_in(column(settled, "shopper_id"), pa.array(list(told), pa.string())))
    reasons = pc.take(
        pa.array(list(told.values()), pa.string()), pc.index_in(column(settled, "shopper_id"), pa.array(list(told), pa.string()))
    )
    sifted = refuse(settled, by_bots, "bot", "shopper_id", reasons)
    trail = Trail.of(sifted.rows.combine_chunks(), facts.known.products)
    pq.write_table(trail.rows.select(EVENTS.names), setting.part("clean_events", number))
    pq.write_table(partial_sums(trail, int(verdict.anchor.timestamp() * 1e6)), setting.part("products", number))
    foreign, mixed = _write_personal(subset(trail.rows, facts.consenting), number, setting, verdict)
    notes = pa.concat_tables([sifted.notes, _returned(trail), foreign, _amountless(trail)])
    pq.write_table(notes, setting.part("notes-described", number), compression="lz4")
    marked = pa.concat_tables([marks("shopper", "bot", told), mixed])
    pq.write_table(marked, setting.part("marks", number))
    return {"number": number, "kept": trail.rows.num_rows}


def _write_personal(rows: pa.Table, number: int, setting: Setting, verdict: Verdict) -> tuple[pa.Table, pa.Table]:
    """The parts that say something of a shopper: of those who consent, and of nobody else. Returns the notes and marks on their money."""
    facts = backdrop(setting)
    trail = Trail.of(rows.combine_chunks(), facts.known.products)
    money = main_currencies(trail.rows, trail.who, trail.shoppers)
    pq.write_table(shopper_features(trail, facts, money, verdict.anchor), setting.part("shopper_features", number))
    bought = trail.are("purchase")
    visits = session_table(trail.shoppers, trail.who, trail.at, trail.session, trail.product, bought)
    pq.write_table(visits, setting.part("sessions", number))
    pq.write_table(baskets(trail, setting.basket), setting.part("baskets", number))
    return _foreign(trail, money), marks("shopper", "mixed_currencies", money.mixed)


def baskets(trail: Trail, window: str) -> pa.Table:
    """(basket, catalogue row) of what was bought together, each product once a basket. Baskets are numbered from 0 within the bucket."""
    rows = np.flatnonzero(trail.are("purchase") & (trail.product >= 0))
    moment = {"session": trail.session, "day": trail.at // DAY_US, "shopper": np.zeros(len(trail.who), np.int64)}[window]
    keys = np.unique(np.stack([trail.who[rows], moment[rows], trail.product[rows]]), axis=1)
    fresh = (np.diff(keys[:2], axis=1) != 0).any(axis=0)
    number = np.r_[0, np.cumsum(fresh)][: keys.shape[1]]
    return pa.table([number, keys[2]], schema=BASKET_ROWS)


def _returned(trail: Trail) -> pa.Table:
    """A note on each cancellation: the purchase that it takes back, or that none was found."""
    at = trail.returns[ROW].to_numpy()
    ids, who = (column(trail.rows, name).take(pa.array(at)) for name in ("event_id", "shopper_id"))
    told = {name: column(trail.returns, name) for name in ("action", "rule", "column", "old", "new")}
    return pa.table({"event_id": ids, "shopper_id": who} | told).cast(NOTES)


def _foreign(trail: Trail, money: MainCurrency) -> pa.Table:
    """Notes on amounts that are left out of sums, being in another currency than the shopper's main one."""
    paid = mask(pc.is_in(column(trail.rows, "kind"), pa.array(MONEY_KINDS)))
    main = money.main.take(pa.array(trail.who))
    return note(trail.rows, paid & ~money.in_main, (KEPT, "other_currency", "currency"), column(trail.rows, "currency"), main)


def _amountless(trail: Trail) -> pa.Table:
    """Notes on purchases and cancellations without an amount: they count, but for no money."""
    paid = mask(pc.is_in(column(trail.rows, "kind"), pa.array(MONEY_KINDS)))
    return note(trail.rows, paid & np.isnan(trail.value), (KEPT, "no_amount", "value"))


def first_anchor(latest_us: list[int], now: datetime) -> datetime:
    """The instant that ages count from: now, or the last event, so that an old log keeps its order of recency."""
    return min(now, datetime.fromtimestamp(max(latest_us) / 1e6, UTC)) if latest_us else now
