"""Rules that refuse or change the rows of the events table, before anything is learned from them.

Every rule is a pure function on the rows of some shoppers (whole shoppers: `buckets` sees to that), so one process or many
give the same. Each row refused, changed or worth a look leaves a note that names it by event_id; rows in = rows kept + rows refused.
Who is a bot is told in `bots`, whose money is in which currency in `currencies`. Event ids that two shoppers share are not looked for:
the shoppers may lie in different buckets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.cleaning import CHANGED, KEPT, REFUSED, Mask, codes
from retrieval.expressions import column
from retrieval.rules import differ, mask, replaced

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
TAP_US = 2_000_000
"""Two taps this close, in microseconds, are one."""
MONEY_KINDS = ("purchase", "cancellation")
ORDER = ("shopper_id", "at", "kind", "product_id", "event_id", "value", "quantity", "currency", "text")
"""Rows are sorted by all of these, so that the order in which files were read decides nothing."""

NOTES = pa.schema([(name, pa.string()) for name in ("event_id", "shopper_id", "action", "rule", "column", "old", "new")])


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules know beside the rows. `rates`: currency → units of `base` for one of it; nothing is converted without."""

    products: pa.Array
    shoppers: pa.Array
    now: datetime
    rates: Mapping[str, float] = field(default_factory=dict)
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Sifted:
    """Rows that stay, and the notes on those that don't, that changed, or that deserve a look."""

    rows: pa.Table
    notes: pa.Table


def note(rows: pa.Table, at: Mask, label: tuple[str, str, str], old: pa.Array | None = None, new: pa.Array | None = None) -> pa.Table:
    """Notes on the rows of a mask. `label` is (action, rule, column); `old` and `new` are columns as long as `rows`."""
    picked = rows.select(["event_id", "shopper_id"]).filter(pa.array(at))
    size = picked.num_rows
    empty = pa.nulls(size, pa.string())
    values = [empty if given is None else given.filter(pa.array(at)).cast(pa.string()) for given in (old, new)]
    constants = [pa.repeat(pa.scalar(text, pa.string()), size) for text in label]
    return pa.table([column(picked, "event_id"), column(picked, "shopper_id"), *constants, *values], schema=NOTES)


def refuse(rows: pa.Table, bad: Mask, rule: str, name: str, told: pa.Array | None = None) -> Sifted:
    """The rows without the bad ones, and a note on each of those with the value of a column."""
    if not bad.any():
        return Sifted(rows, NOTES.empty_table())
    return Sifted(rows.filter(pa.array(~bad)), note(rows, bad, (REFUSED, rule, name), column(rows, name), told))


def sorted_rows(rows: pa.Table) -> pa.Table:
    """By shopper, then time; ties by everything else."""
    names = [name for name in (*ORDER, "channel") if name in rows.column_names]
    return rows.sort_by([(name, "ascending") for name in names]).combine_chunks()


def standardise(rows: pa.Table) -> Sifted:
    """Kinds in lower case, currencies in capitals, no white space around or within texts, no value that is no number."""
    wanted = {
        "kind": pc.utf8_lower(pc.utf8_trim_whitespace(column(rows, "kind"))),
        "currency": _or_null(pc.utf8_upper(pc.utf8_trim_whitespace(column(rows, "currency")))),
        "text": _or_null(pc.replace_substring_regex(pc.utf8_trim_whitespace(column(rows, "text")), r"\s+", " ")),
        "value": pc.if_else(pc.is_finite(column(rows, "value")), column(rows, "value"), None),
    }
    notes = []
    for name, new in wanted.items():
        old = column(rows, name)
        different = mask(differ(old, new))
        if different.any():
            notes.append(note(rows, different, (CHANGED, "standardised", name), old, new))
            rows = replaced(rows, name, new)
    return Sifted(rows, pa.concat_tables([NOTES.empty_table(), *notes]))


def _or_null(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), None, texts)


def refuse_impossible(rows: pa.Table, known: Known) -> Sifted:
    """Refuse what the row alone shows to be wrong: each by the first rule that it breaks."""
    notes, gone = [], np.zeros(rows.num_rows, np.bool_)
    for rule, name, bad in _impossible(rows, known):
        fresh = bad & ~gone
        if fresh.any():
            notes.append(note(rows, fresh, (REFUSED, rule, name), column(rows, name)))
            gone |= fresh
    return Sifted(rows.filter(pa.array(~gone)), pa.concat_tables([NOTES.empty_table(), *notes]))


def _impossible(rows: pa.Table, known: Known) -> list[tuple[str, str, Mask]]:
    """(rule, column, which rows break it), in order."""
    product, kind, at = (column(rows, name) for name in ("product_id", "kind", "at"))
    early, late = (pa.scalar(instant, at.type) for instant in (EARLIEST, known.now + CLOCK_TOLERANCE))
    needs_product = mask(pc.not_equal(kind, "search"))
    without = mask(pc.is_null(product))
    return [
        ("unknown_shopper", "shopper_id", ~mask(pc.is_in(column(rows, "shopper_id"), known.shoppers))),
        ("missing_product", "product_id", without & needs_product),
        ("unknown_product", "product_id", ~without & ~mask(pc.is_in(product, known.products))),
        ("in_the_future", "at", mask(pc.greater(at, late))),
        ("before_2000", "at", mask(pc.less(at, early))),
        ("negative", "value", mask(pc.less(column(rows, "value"), 0.0))),
        ("negative", "quantity", mask(pc.less(column(rows, "quantity"), 0))),
    ]


def refuse_copies(rows: pa.Table) -> Sifted:
    """Refuse rows whose event_id came before: exact duplicates, and other rows that claim a taken id. Needs sorted rows."""
    numbers = codes(column(rows, "event_id"))
    _, first = np.unique(numbers, return_index=True)
    repeated = np.ones(len(numbers), np.bool_)
    repeated[first] = False
    original = first[numbers]
    same = np.ones(len(numbers), np.bool_)
    for name in rows.column_names:
        values = codes(column(rows, name))
        same &= values == values[original]
    sifted = note(rows, repeated & same, (REFUSED, "exact_duplicate", "event_id"), column(rows, "event_id"))
    other = note(rows, repeated & ~same, (REFUSED, "repeated_event_id", "event_id"), column(rows, "event_id"))
    return Sifted(rows.filter(pa.array(~repeated)), pa.concat_tables([sifted, other]))


def refuse_taps(rows: pa.Table) -> Sifted:
    """Refuse what the same shopper did to the same product within 2 s before, and that says the same. Needs sorted rows.

    A run of taps is one event, however long. Another amount, number of units or search text is another event: an order may well have
    two lines of one product.
    """
    names = ("shopper_id", "product_id", "kind", "value", "quantity", "currency", "text", "channel")
    keys = combined([codes(column(rows, name)) for name in names if name in rows.column_names])
    order = np.argsort(keys, kind="stable")  # stable: within a key the rows stay in order of time
    instants = column(rows, "at").cast(pa.int64()).to_numpy()
    close = (np.diff(keys[order]) == 0) & (np.diff(instants[order]) <= TAP_US)
    repeated = np.zeros(rows.num_rows, np.bool_)
    repeated[order[1:][close]] = True
    before = np.arange(rows.num_rows)
    before[order[1:]] = order[:-1]
    return refuse(rows, repeated, "repeated_tap", "event_id", column(rows, "event_id").take(pa.array(before)))


def combined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """One number for each distinct combination of codes (-1 and up)."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole * (int(part.max(initial=-1)) + 2) + part + 1
        whole = np.unique(whole, return_inverse=True)[1]  # dense again, so that no product of sizes overflows
    return whole


def convert(rows: pa.Table, known: Known) -> Sifted:
    """Amounts in the rates' base currency. An amount in a currency without a rate stays as it is, noted."""
    if not known.base:
        return Sifted(rows, NOTES.empty_table())
    currency = column(rows, "currency")
    foreign = mask(pc.and_(pc.is_in(column(rows, "kind"), pa.array(MONEY_KINDS)), pc.not_equal(currency, known.base)))
    table = {known.base: 1.0} | dict(known.rates)
    at = pc.index_in(currency, pa.array(list(table), pa.string()))
    rated = foreign & mask(pc.is_valid(at))
    factors = pa.array(list(table.values())).take(at)
    values = pc.if_else(pa.array(rated), pc.multiply(column(rows, "value"), factors), column(rows, "value"))
    notes = [
        note(
            rows,
            rated,
            (CHANGED, "converted", "value"),
            _money(rows),
            pc.binary_join_element_wise(values.cast(pa.string()), known.base, " "),
        ),
        note(rows, foreign & ~rated, (KEPT, "no_rate", "currency"), currency),
    ]
    moved = replaced(rows, "currency", pc.if_else(pa.array(rated), pa.scalar(known.base), currency))
    return Sifted(replaced(moved, "value", values), pa.concat_tables(notes))


def _money(rows: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(column(rows, "value").cast(pa.string()), column(rows, "currency"), " ")


def clean(rows: pa.Table, known: Known) -> tuple[Sifted, pa.Table]:
    """Every rule but the bots', in order. Returns also the sorted rows before taps were folded: their rate is what gives bots away."""
    ordered = sorted_rows(rows)
    notes = []
    for step in (standardise, lambda rows: refuse_impossible(rows, known), refuse_copies, lambda rows: convert(rows, known)):
        sifted = step(ordered)
        ordered = sifted.rows
        notes.append(sifted.notes)
    busy = ordered
    last = refuse_taps(ordered)
    return Sifted(last.rows, _settled(pa.concat_tables([*notes, last.notes]))), busy


def _settled(notes: pa.Table) -> pa.Table:
    """Of a row that is refused in the end, the refusals only: what was changed on it before doesn't matter any more."""
    refused = pc.equal(notes["action"], REFUSED)
    ids = notes.filter(refused)["event_id"].combine_chunks()
    copies = notes.filter(pc.is_in(notes["rule"], pa.array(["exact_duplicate", "repeated_event_id"])))["event_id"].combine_chunks()
    gone = pc.and_(pc.is_in(notes["event_id"], ids), pc.invert(pc.is_in(notes["event_id"], copies)))
    return notes.filter(pc.or_(refused, pc.invert(gone)))
