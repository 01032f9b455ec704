"""The last rules, one function a table: what only our schema or the other tables can tell.

Products get readable titles, short names, known verticals and believable prices; events and prices must point at products and
shoppers that exist; ids must be unique. `FINISH` names the rules of each table in order: a rule is a function of the rows and the ids
known so far that gives the rows that stay, and notes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from copywriting.taxonomy import GENERAL, VERTICALS
from retrieval.cancellations import match
from retrieval.cleaning import CHANGED, KEPT, REFUSED, Cleaned, Mask, joined, note
from retrieval.expressions import column, transformed
from retrieval.folding import key_codes
from retrieval.names import short_name, title_case
from retrieval.shaping import CANCELLED
from retrieval.tables import EVENT_KINDS
from retrieval.transforms import PAIRS, TEXT, Step

MAX_ATTRIBUTES = 40
MAX_ATTRIBUTE_CHARS = 120
"""Longer ones are warranty terms and care manuals, not facts that copy can use."""


@dataclass(slots=True)
class Known:
    """The ids of the tables made before this one."""

    products: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    shoppers: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))


Rule = Callable[[pa.Table, Known], Cleaned]


def _replaced(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The rows with one column's values exchanged."""
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), values)


def _changed(rows: pa.Table, name: str, new: pa.Array, rule: str) -> Cleaned:
    """The rows with new values, and a note on each that differs."""
    old = column(rows, name)
    differs = pc.not_equal(old, new).fill_null(False)
    differs = pc.or_(differs, pc.xor(pc.is_null(old), pc.is_null(new)))
    return Cleaned(_replaced(rows, name, new), note(rows, differs.to_numpy(zero_copy_only=False), (CHANGED, rule, name), old, new))


def _refused(rows: pa.Table, bad: Mask, rule: str, name: str) -> Cleaned:
    """The rows without the bad ones, and a note on each of those."""
    return Cleaned(rows.filter(pa.array(~bad)), note(rows, bad, (REFUSED, rule, name), column(rows, name)))


def _emptied(rows: pa.Table, name: str, bad: pa.Array, rule: str) -> Cleaned:
    """The rows with the bad values of a column left empty."""
    values = column(rows, name)
    return _changed(rows, name, pc.if_else(bad.fill_null(False), pa.scalar(None, values.type), values), rule)


def titles(rows: pa.Table, _: Known) -> Cleaned:
    """Shouted titles in title case, runs of blanks as one."""
    return _changed(rows, "title", transformed(column(rows, "title"), [Step(title_case, TEXT)]).values, "title_normalised")


def names(rows: pa.Table, _: Known) -> Cleaned:
    """A short name where the merchant gives none; noted where it is not the title."""
    given = zip(rows["name"].to_pylist(), rows["title"].to_pylist(), rows["brand"].to_pylist(), strict=True)
    made = pa.array([name or short_name(title, brand) for name, title, brand in given], pa.string())
    shortened = pc.and_(pc.is_null(column(rows, "name")), pc.not_equal(made, column(rows, "title")))
    notes = note(rows, shortened.to_numpy(zero_copy_only=False), (CHANGED, "name_shortened", "name"), column(rows, "title"), made)
    return Cleaned(_replaced(rows, "name", made), notes)


def verticals(rows: pa.Table, _: Known) -> Cleaned:
    """Verticals and kinds outside the taxonomy become `general` and none."""
    given = column(rows, "vertical").fill_null(GENERAL)
    known = pc.is_in(given, pa.array([*VERTICALS, GENERAL]))
    first = _changed(_replaced(rows, "vertical", given), "vertical", pc.if_else(known, given, GENERAL), "unknown_vertical")
    pairs = zip(first.rows["vertical"].to_pylist(), first.rows["kind"].to_pylist(), strict=True)
    strange = pa.array([kind is not None and kind not in VERTICALS.get(vertical, ()) for vertical, kind in pairs], pa.bool_())
    second = _emptied(first.rows, "kind", strange, "unknown_kind")
    return Cleaned(second.rows, joined([first.notes, second.notes]))


def prices(rows: pa.Table, _: Known) -> Cleaned:
    """A price above zero or none; a list price above the price or none. A product without a price stays: its copy has no price.

    Its currency goes with it.
    """
    notes = []
    for name in ("price", "list_price"):
        below = pc.less_equal(column(rows, name).cast(pa.float64()), 0.0)
        rows, told = _parts(_emptied(rows, name, below, "not_positive"))
        notes.append(told)
    absent = pc.is_null(column(rows, "price"))
    # a whole catalogue without prices is the mapping's choice, single products without one are worth a look
    if not pc.all(absent).as_py():
        notes.append(note(rows, absent.to_numpy(zero_copy_only=False), (KEPT, "no_price", "price")))
    rows = _replaced(rows, "currency", pc.if_else(absent, pa.scalar(None, pa.string()), column(rows, "currency")))
    not_above = pc.or_kleene(absent, pc.less_equal(column(rows, "list_price"), column(rows, "price")))
    rows, told = _parts(_emptied(rows, "list_price", not_above, "list_price_not_above_price"))
    return Cleaned(rows, joined([*notes, told]))


def _parts(cleaned: Cleaned) -> tuple[pa.Table, pa.Table]:
    """Rows and notes."""
    return cleaned.rows, cleaned.notes


def counts(rows: pa.Table, _: Known) -> Cleaned:
    """Ratings between 0 and 5, no negative numbers of ratings or units."""
    rating = column(rows, "rating")
    rows, first = _parts(_emptied(rows, "rating", pc.or_(pc.less(rating, 0.0), pc.greater(rating, 5.0)), "rating_out_of_range"))
    rows, second = _parts(_emptied(rows, "rating_count", pc.less(column(rows, "rating_count"), 0), "negative"))
    rows, third = _parts(_emptied(rows, "stock", pc.less(column(rows, "stock"), 0), "negative"))
    return Cleaned(rows, joined([first, second, third]))


def attributes(rows: pa.Table, _: Known) -> Cleaned:
    """Attributes that are neither long texts nor beyond the first 40."""
    given = rows["attributes"].to_pylist()
    usable = [[(key, value) for key, value in pairs if value and len(value) <= MAX_ATTRIBUTE_CHARS][:MAX_ATTRIBUTES] for pairs in given]
    gone = [[key for key, _ in pairs if key not in dict(kept)] for pairs, kept in zip(given, usable, strict=True)]
    told = pa.array([", ".join(keys) for keys in gone], pa.string())
    notes = note(rows, np.array([bool(keys) for keys in gone], np.bool_), (CHANGED, "attribute_too_long", "attributes"), told)
    return Cleaned(_replaced(rows, "attributes", pa.array(usable, PAIRS).cast(rows.schema.field("attributes").type)), notes)


def unique(*key: str) -> Rule:
    """A rule that keeps the first row of each key."""

    def rule(rows: pa.Table, _: Known) -> Cleaned:
        numbers = key_codes(rows, list(key))
        repeated = np.ones(rows.num_rows, np.bool_)
        repeated[np.unique(numbers, return_index=True)[1]] = False
        return _refused(rows, repeated & (numbers >= 0), "duplicate_key", key[0])

    return rule


def references(table: str) -> Rule:
    """A rule that refuses rows pointing at a product (or shopper) that isn't in the shop; an empty reference is fine."""

    def rule(rows: pa.Table, known: Known) -> Cleaned:
        name, ids, broken = {
            "products": ("product_id", known.products, "unknown_product"),
            "shoppers": ("shopper_id", known.shoppers, "unknown_shopper"),
        }[table]
        values = column(rows, name)
        bad = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, ids)))
        return _refused(rows, bad.to_numpy(zero_copy_only=False), broken, name)

    return rule


def sale_prices(rows: pa.Table, _: Known) -> Cleaned:
    """Prices above zero only: rounded to cents some aren't."""
    bad = pc.less_equal(column(rows, "price").cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
    return _refused(rows, bad, "not_positive", "price")


def kinds(rows: pa.Table, _: Known) -> Cleaned:
    """Events of a known kind. Cancellations get their kind here, and sizes instead of signs."""
    rows, taken = _without_cancelled(rows)
    kind = pc.if_else(pa.array(taken), "cancellation", column(rows, "kind"))
    rows = _replaced(rows, "kind", kind)
    for name in ("quantity", "value"):
        values = column(rows, name)
        rows = _replaced(rows, name, pc.if_else(pa.array(taken), pc.abs(values), values))
    return _refused(rows, ~pc.is_in(column(rows, "kind"), pa.array(EVENT_KINDS)).to_numpy(zero_copy_only=False), "unknown_kind", "kind")


def _without_cancelled(rows: pa.Table) -> tuple[pa.Table, Mask]:
    """The rows, and which ones the mapping calls cancellations (none where it has no such rule)."""
    if CANCELLED not in rows.column_names:
        return rows, np.zeros(rows.num_rows, np.bool_)
    return rows.drop_columns([CANCELLED]), column(rows, CANCELLED).to_numpy(zero_copy_only=False)


def quantities(rows: pa.Table, _: Known) -> Cleaned:
    """Purchases and cancellations of at least one unit."""
    bad = pc.less_equal(column(rows, "quantity"), 0).fill_null(False)
    return _refused(rows, bad.to_numpy(zero_copy_only=False), "not_positive", "quantity")


def cancellations(rows: pa.Table, _: Known) -> Cleaned:
    """Cancellations matched to purchases, noted either way."""
    return Cleaned(rows, match(rows, pc.equal(column(rows, "kind"), "cancellation").to_numpy(zero_copy_only=False)))


FINISH: dict[str, tuple[Rule, ...]] = {
    "products": (unique("product_id", "locale"), titles, names, verticals, prices, counts, attributes),
    "price_history": (sale_prices, references("products"), unique("product_id", "locale", "at")),
    "shoppers": (unique("shopper_id"),),
    "events": (kinds, quantities, references("products"), references("shoppers"), unique("event_id"), cancellations),
}
"""Table → its last rules, in order."""


def finish(table: str, rows: pa.Table, known: Known) -> Cleaned:
    """Run a table's rules. Returns the rows that stay and every note."""
    notes: list[Any] = []
    for rule in FINISH[table]:
        rows, told = _parts(rule(rows, known))
        notes.append(told)
    return Cleaned(rows, joined(notes))
