"""The last rules, one function a table: what only our schema or the other tables can tell.

Products get readable titles, short names, known verticals and believable prices; events and prices must point at products and
shoppers that exist; ids must be unique. `FINISH` names the rules of each table in order: a rule is a function of the rows and the ids
known so far that gives the rows that stay, and notes. Those on money are in `money`, on consent in `consent`.
"""

import re
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from copywriting.taxonomy import GENERAL, VERTICALS
from retrieval.cancellations import match
from retrieval.cleaning import CHANGED, Cleaned, Mask, joined, note
from retrieval.consent import consents
from retrieval.expressions import column, transformed
from retrieval.folding import key_codes
from retrieval.money import currencies, offers, prices, sale_prices, values
from retrieval.names import short_name, title_case
from retrieval.rules import Known, Rule, changed, emptied, mask, refused, replaced
from retrieval.schemas import EVENT_KINDS, INSTANT
from retrieval.shaping import CANCELLED
from retrieval.transforms import PAIRS, TEXT, Step

MAX_ATTRIBUTES = 40
MAX_ATTRIBUTE_CHARS = 120
"""Longer ones are warranty terms and care manuals, not facts that copy can use."""
CLOCK_SLACK = timedelta(days=1)
"""What a till's clock or a time zone may be wrong by; later events haven't happened."""

_LOCALE = re.compile(r"([a-z]{2})[-_]([a-z]{2})", re.IGNORECASE)


def locales(rows: pa.Table, _: Known) -> Cleaned:
    """Locales of the form zh-CN: other ways to write one are mended, what is none is refused."""
    read = transformed(column(rows, "locale"), [Step(_locale, TEXT)])
    bad = np.zeros(rows.num_rows, np.bool_)
    bad[read.unreadable] = True
    first = refused(rows, bad, "unknown_locale", "locale")
    second = changed(first.rows, "locale", read.values.filter(pa.array(~bad)), "locale_normalised")
    return Cleaned(second.rows, joined([first.notes, second.notes]))


def _locale(text: str) -> str:
    """zh_cn → zh-CN. Raises ValueError."""
    if not (found := _LOCALE.fullmatch(text)):
        raise ValueError(f"{text!r} is not a locale; write a language and a country: zh-CN")
    return f"{found[1].lower()}-{found[2].upper()}"


def titles(rows: pa.Table, _: Known) -> Cleaned:
    """Shouted titles in title case, runs of blanks as one."""
    return changed(rows, "title", transformed(column(rows, "title"), [Step(title_case, TEXT)]).values, "title_normalised")


def names(rows: pa.Table, _: Known) -> Cleaned:
    """A short name where the merchant gives none; noted where it is not the title."""
    given = zip(rows["name"].to_pylist(), rows["title"].to_pylist(), rows["brand"].to_pylist(), strict=True)
    made = pa.array([name or short_name(title, brand) for name, title, brand in given], pa.string())
    shortened = pc.and_(pc.is_null(column(rows, "name")), pc.not_equal(made, column(rows, "title")))
    notes = note(rows, shortened.to_numpy(zero_copy_only=False), (CHANGED, "name_shortened", "name"), column(rows, "title"), made)
    return Cleaned(replaced(rows, "name", made), notes)


def verticals(rows: pa.Table, _: Known) -> Cleaned:
    """Verticals and kinds outside the taxonomy become `general` and none."""
    given = column(rows, "vertical").fill_null(GENERAL)
    known = pc.is_in(given, pa.array([*VERTICALS, GENERAL]))
    first = changed(replaced(rows, "vertical", given), "vertical", pc.if_else(known, given, GENERAL), "unknown_vertical")
    pairs = zip(first.rows["vertical"].to_pylist(), first.rows["kind"].to_pylist(), strict=True)
    strange = pa.array([kind is not None and kind not in VERTICALS.get(vertical, ()) for vertical, kind in pairs], pa.bool_())
    second = emptied(first.rows, "kind", strange, "unknown_kind")
    return Cleaned(second.rows, joined([first.notes, second.notes]))


def _parts(cleaned: Cleaned) -> tuple[pa.Table, pa.Table]:
    """Rows and notes."""
    return cleaned.rows, cleaned.notes


def counts(rows: pa.Table, _: Known) -> Cleaned:
    """Ratings between 0 and 5, no negative numbers of ratings or units."""
    rating = column(rows, "rating")
    rows, first = _parts(emptied(rows, "rating", pc.or_(pc.less(rating, 0.0), pc.greater(rating, 5.0)), "rating_out_of_range"))
    rows, second = _parts(emptied(rows, "rating_count", pc.less(column(rows, "rating_count"), 0), "negative"))
    rows, third = _parts(emptied(rows, "stock", pc.less(column(rows, "stock"), 0), "negative"))
    return Cleaned(rows, joined([first, second, third]))


def attributes(rows: pa.Table, _: Known) -> Cleaned:
    """Attributes that are neither long texts nor beyond the first 40."""
    given = rows["attributes"].to_pylist()
    usable = [[(key, value) for key, value in pairs if value and len(value) <= MAX_ATTRIBUTE_CHARS][:MAX_ATTRIBUTES] for pairs in given]
    gone = [[key for key, _ in pairs if key not in dict(kept)] for pairs, kept in zip(given, usable, strict=True)]
    told = pa.array([", ".join(keys) for keys in gone], pa.string())
    notes = note(rows, np.array([bool(keys) for keys in gone], np.bool_), (CHANGED, "attribute_too_long", "attributes"), told)
    return Cleaned(replaced(rows, "attributes", pa.array(usable, PAIRS).cast(rows.schema.field("attributes").type)), notes)


def unique(*key: str) -> Rule:
    """A rule that keeps the first row of each key."""

    def rule(rows: pa.Table, _: Known) -> Cleaned:
        numbers = key_codes(rows, list(key))
        repeated = np.ones(rows.num_rows, np.bool_)
        repeated[np.unique(numbers, return_index=True)[1]] = False
        return refused(rows, repeated & (numbers >= 0), "duplicate_key", key[0])

    return rule


def references(table: str) -> Rule:
    """A rule that refuses rows pointing at a product (or shopper) that isn't in the shop; an empty reference is fine."""

    def rule(rows: pa.Table, known: Known) -> Cleaned:
        name, ids, broken = {
            "products": ("product_id", known.products, "unknown_product"),
            "shoppers": ("shopper_id", known.shoppers, "unknown_shopper"),
        }[table]
        given = column(rows, name)
        bad = pc.and_(pc.is_valid(given), pc.invert(pc.is_in(given, ids)))
        return refused(rows, mask(bad), broken, name)

    return rule


def kinds(rows: pa.Table, _: Known) -> Cleaned:
    """Events of a known kind. Cancellations get their kind here, and sizes instead of signs."""
    rows, taken = _without_cancelled(rows)
    kind = pc.if_else(pa.array(taken), "cancellation", column(rows, "kind"))
    rows = replaced(rows, "kind", kind)
    for name in ("quantity", "value"):
        amounts = column(rows, name)
        rows = replaced(rows, name, pc.if_else(pa.array(taken), pc.abs(amounts), amounts))
    return refused(rows, ~pc.is_in(column(rows, "kind"), pa.array(EVENT_KINDS)).to_numpy(zero_copy_only=False), "unknown_kind", "kind")


def _without_cancelled(rows: pa.Table) -> tuple[pa.Table, Mask]:
    """The rows, and which ones the mapping calls cancellations (none where it has no such rule)."""
    if CANCELLED not in rows.column_names:
        return rows, np.zeros(rows.num_rows, np.bool_)
    # empty for the rows of a part whose mapping has no such rule
    return rows.drop_columns([CANCELLED]), mask(column(rows, CANCELLED))


def quantities(rows: pa.Table, _: Known) -> Cleaned:
    """Purchases and cancellations of at least one unit."""
    return refused(rows, mask(pc.less_equal(column(rows, "quantity"), 0)), "not_positive", "quantity")


def past(rows: pa.Table, known: Known) -> Cleaned:
    """Events that have happened."""
    latest = pa.scalar(known.now + CLOCK_SLACK, INSTANT)
    return refused(rows, mask(pc.greater(column(rows, "at"), latest)), "future_event", "at")


def cancellations(rows: pa.Table, _: Known) -> Cleaned:
    """Cancellations matched to purchases, noted either way."""
    return Cleaned(rows, match(rows, pc.equal(column(rows, "kind"), "cancellation").to_numpy(zero_copy_only=False)))


FINISH: dict[str, tuple[Rule, ...]] = {
    "products": (
        locales,
        unique("product_id", "locale"),
        titles,
        names,
        verticals,
        currencies("price", "list_price"),
        prices,
        offers,
        counts,
        attributes,
    ),
    "price_history": (locales, sale_prices, currencies(), references("products"), unique("product_id", "locale", "at")),
    "shoppers": (locales, consents, unique("shopper_id")),
    "events": (
        kinds,
        quantities,
        values,
        past,
        references("products"),
        references("shoppers"),
        unique("event_id"),
        currencies("value"),
        cancellations,
    ),
}
"""Table → its last rules, in order."""


def finish(table: str, rows: pa.Table, known: Known) -> Cleaned:
    """Run a table's rules. Returns the rows that stay and every note."""
    notes: list[Any] = []
    for rule in FINISH[table]:
        rows, told = _parts(rule(rows, known))
        notes.append(told)
    return Cleaned(rows, joined(notes))
