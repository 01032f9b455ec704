"""The last rules on money: currencies that exist, prices above zero, offers that give something away but not everything."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from babel.numbers import list_currencies

from retrieval.cleaning import CHANGED, KEPT, Cleaned, Mask, joined, note
from retrieval.expressions import column
from retrieval.rules import Known, Rule, changed, emptied, mask, refused, replaced
from retrieval.schemas import OFFER

CURRENCIES = frozenset(list_currencies())
"""ISO 4217 codes."""


def currencies(*amounts: str) -> Rule:
    """A rule that writes currencies in capitals and leaves unknown ones empty, with the amounts in them; without `amounts` it refuses
    their rows."""

    def rule(rows: pa.Table, _: Known) -> Cleaned:
        capitals = pc.utf8_upper(column(rows, "currency"))
        known = pc.is_in(capitals, pa.array(sorted(CURRENCIES)))
        first = changed(rows, "currency", pc.if_else(known, capitals, column(rows, "currency")), "currency_normalised")
        bad = pc.and_(pc.is_valid(capitals), pc.invert(known))
        if not amounts:
            second = refused(first.rows, mask(bad), "unknown_currency", "currency")
            return Cleaned(second.rows, joined([first.notes, second.notes]))
        second = emptied(first.rows, "currency", bad, "unknown_currency")
        rows, notes = second.rows, [first.notes, second.notes]
        for amount in amounts:
            told = emptied(rows, amount, bad, "unknown_currency")
            rows, notes = told.rows, [*notes, told.notes]
        return Cleaned(rows, joined(notes))

    return rule


def prices(rows: pa.Table, _: Known) -> Cleaned:
    """A price above zero or none; a list price above the price or none. A product without a price stays: its copy has no price.

    Its currency goes with it.
    """
    notes: list[pa.Table] = []
    for name in ("price", "list_price"):
        told = emptied(rows, name, pc.less_equal(column(rows, name).cast(pa.float64()), 0.0), "not_positive")
        rows, notes = told.rows, [*notes, told.notes]
    absent = pc.is_null(column(rows, "price"))
    # a whole catalogue without prices is the mapping's choice, single products without one are worth a look
    if not pc.all(absent).as_py():
        notes.append(note(rows, mask(absent), (KEPT, "no_price", "price")))
    nameless = pc.and_(pc.invert(absent), pc.is_null(column(rows, "currency")))
    notes.append(note(rows, mask(nameless), (KEPT, "no_currency", "currency"), column(rows, "price")))
    rows = replaced(rows, "currency", pc.if_else(absent, pa.scalar(None, pa.string()), column(rows, "currency")))
    not_above = pc.or_kleene(absent, pc.less_equal(column(rows, "list_price"), column(rows, "price")))
    told = emptied(rows, "list_price", not_above, "list_price_not_above_price")
    return Cleaned(told.rows, joined([*notes, told.notes]))


def sale_prices(rows: pa.Table, _: Known) -> Cleaned:
    """Prices above zero only: rounded to cents some aren't."""
    return refused(rows, mask(pc.less_equal(column(rows, "price").cast(pa.float64()), 0.0)), "not_positive", "price")


def offers(rows: pa.Table, _: Known) -> Cleaned:
    """Offers that end after they start and take something off the price, but not all of it."""
    given = rows["offer"].to_pylist()
    faults = [_fault(offer, price) if offer else None for offer, price in zip(given, rows["price"].to_pylist(), strict=True)]
    if not any(faults):
        return Cleaned(rows, joined([]))
    told = pa.array([str(offer) for offer in given], pa.string())
    notes = [note(rows, _where(faults, rule), (CHANGED, rule, "offer"), told) for rule in ("offer_ends_before_start", "offer_out_of_range")]
    kept = pa.array([None if fault else offer for offer, fault in zip(given, faults, strict=True)], OFFER)
    return Cleaned(replaced(rows, "offer", kept), joined(notes))


def _fault(offer: dict[str, Any], price: Any) -> str | None:
    """The rule that an offer breaks."""
    if offer["ends"] < offer["starts"]:
        return "offer_ends_before_start"
    if offer["kind"] == "gift":
        return None
    if offer["kind"] == "buy_get":
        return None if offer["buy"] > 0 and offer["free"] > 0 else "offer_out_of_range"
    if offer["kind"] == "spend_save":
        return None if 0 < offer["value"] < offer["minimum"] else "offer_out_of_range"
    limit = 100 if offer["kind"] == "percent_off" else price or 0  # no amount comes off a price that nobody knows
    return None if 0 < offer["value"] < limit else "offer_out_of_range"


def _where(faults: list[str | None], rule: str) -> Mask:
    """Which rows break this rule."""
    return np.array([fault == rule for fault in faults], np.bool_)


def values(rows: pa.Table, _: Known) -> Cleaned:
    """Purchases of a value that isn't negative; a cancellation has lost its sign by now."""
    bad = pc.and_(pc.equal(column(rows, "kind"), "purchase"), pc.less(column(rows, "value"), 0.0))
    return refused(rows, mask(bad), "negative", "value")
