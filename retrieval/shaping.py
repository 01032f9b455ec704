"""Rows of a source into the columns of one of our tables: expressions computed, units applied, values cast to the schema.

What a value can't be cast to is left empty and noted, and a row without a required value is refused: `missing_required`, or
`no_shopper` where it is an event that nobody can be named for.
"""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from copywriting.product import OfferKind
from retrieval.cleaning import CHANGED, REFUSED, Cleaned, joined, note, places, settled
from retrieval.expressions import FILE, ROW, ColumnError, Expression, column, evaluate, fill, meets, texts, transformed
from retrieval.mapping import MADE_WHERE_ABSENT, UNITS, MappingError, TableMapping
from retrieval.schemas import OFFER, SCHEMAS
from retrieval.strict import unknown
from retrieval.transforms import DECIMAL, Step, parse_datetime, to_boolean, to_decimal, to_integer

_OWN_PARTS = {"gift": ("gift",), "spend_save": ("value", "minimum"), "buy_get": ("buy", "free")}
OFFER_PARTS = {kind: (*_OWN_PARTS.get(kind, ("value",)), "starts", "ends") for kind in get_args(OfferKind)}
"""What an offer of each kind must have."""
CANCELLED, MEMBER = "_cancelled", "_member"
"""Columns that only the finishing rules read: is the row a cancellation; which file of the archive is its photo."""


def shape(table: str, mapping: TableMapping, rows: pa.Table) -> Cleaned:
    """The table's columns for these rows, with FILE and ROW. Raises MappingError for a column that the source lacks."""
    columns = {FILE: column(rows, FILE), ROW: column(rows, ROW)}
    notes: list[pa.Table] = []
    for field in SCHEMAS[table]:
        expression = mapping.columns.get(field.name)
        try:
            found, told = column_of(rows, field, expression, UNITS[mapping.units.get(field.name, "major")])
        except ColumnError as error:
            raise MappingError(f"tables.{table}.columns.{field.name}: {error}") from error
        columns[field.name] = found
        notes += told
    if mapping.cancellations:
        columns[CANCELLED] = pa.array(meets(mapping.cancellations.when, rows))
    if mapping.media:
        columns[MEMBER] = fill(mapping.media.member, rows)
    return _complete(table, mapping, pa.table(columns), notes)


def _complete(table: str, mapping: TableMapping, shaped: pa.Table, notes: list[pa.Table]) -> Cleaned:
    """Refuse the rows without a required value, or with one that couldn't be read."""
    for field in SCHEMAS[table]:
        if field.nullable or field.name not in mapping.columns or field.name in MADE_WHERE_ABSENT:
            continue
        missing = pc.is_null(shaped[field.name]).to_numpy()
        rule = "no_shopper" if (table, field.name) == ("events", "shopper_id") else "missing_required"
        notes.append(note(shaped, missing, (REFUSED, rule, field.name)))
    verdicts = settled(joined(notes))
    refused = verdicts.filter(pc.equal(verdicts["action"], REFUSED))
    return Cleaned(shaped.filter(pa.array(~np.isin(places(shaped), places(refused)))), verdicts)


def column_of(rows: pa.Table, field: pa.Field, expression: Expression | None, unit: float = 1.0) -> tuple[pa.Array, list[pa.Table]]:
    """One column of a table, and notes on what couldn't be read or doesn't fit. Raises ColumnError for values of a type that can't."""
    if expression is None:
        return _absent(field, rows.num_rows), []
    if field.type == OFFER and expression.entries is not None:
        return _offer(rows, expression.entries)
    found = evaluate(expression, rows)
    unparsable = (CHANGED if field.nullable or field.name in MADE_WHERE_ABSENT else REFUSED, "unparsable", field.name)
    notes = [note(rows, found.unreadable, unparsable, found.given)]
    values = found.values
    if pa.types.is_boolean(field.type) and _is_number(values.type):
        values = texts(values)  # 1 and 0 are yes and no, 2 is neither
    step = _reader(field.type)
    if step and pa.types.is_string(values.type):  # text for a number or an instant: read it the plain way
        read = transformed(values, [step])
        notes.append(note(rows, read.unreadable, unparsable, values))
        values = read.values
    fitted, told = _fit(rows, field, values, unit)
    return fitted, notes + told


def _absent(field: pa.Field, count: int) -> pa.Array:
    """What a column holds that the mapping doesn't make: nothing, an empty list or map, version 1."""
    if field.nullable or field.name in ("name", "vertical"):
        return pa.array([None] * count, field.type)  # not pa.nulls: it fills required parts of a struct with nulls too
    return pa.array([1 if pa.types.is_integer(field.type) else []] * count, field.type)


def _reader(kind: pa.DataType) -> Step | None:
    """The transform that a text needs to become a column of this type."""
    readers: tuple[tuple[Callable[[pa.DataType], bool], Callable[[], Step]], ...] = (
        (pa.types.is_decimal, to_decimal),
        (pa.types.is_floating, to_decimal),
        (pa.types.is_integer, to_integer),
        (pa.types.is_timestamp, parse_datetime),
        (pa.types.is_boolean, to_boolean),
    )
    return next((make() for fits, make in readers if fits(kind)), None)


def _fit(rows: pa.Table, field: pa.Field, values: pa.Array, unit: float) -> tuple[pa.Array, list[pa.Table]]:
    """Values in the field's type: money rounded to cents, numbers out of the type's range left empty."""
    if pa.types.is_null(values.type):
        return _absent(field, len(values)), []
    if pa.types.is_list(field.type) and pa.types.is_string(values.type):
        return pa.array([[] if value is None else [value] for value in values.to_pylist()], field.type), []
    _check_type(field, values)
    if pa.types.is_string(field.type):
        return texts(values), []
    if pa.types.is_nested(field.type):
        empty = pa.array([[]], field.type)[0].as_py()
        filled = values if not values.null_count else pa.array([empty if v is None else v for v in values.to_pylist()], field.type)
        return filled.cast(field.type), []
    return _number(rows, field, values, unit) if _is_number(field.type) else (values.cast(field.type), [])


def _is_number(kind: pa.DataType) -> bool:
    """Integers, decimals and floats."""
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind))


def _is_list_of_values(kind: pa.DataType) -> bool:
    """Lists whose elements can be text."""
    return bool(pa.types.is_list(kind) and not pa.types.is_nested(kind.value_type))


TYPES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_map, pa.types.is_map, "entries, or parse_pairs on the text"),
    (pa.types.is_list, _is_list_of_values, "split on the text, or a list as the constant"),
    (pa.types.is_struct, lambda kind: False, "entries"),
    (pa.types.is_timestamp, lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind), "parse_datetime on the text"),
    (pa.types.is_boolean, pa.types.is_boolean, "to_boolean on the text"),
    (_is_number, _is_number, "to_decimal or to_integer on the text"),
    (pa.types.is_string, lambda kind: not pa.types.is_nested(kind), "a template, or split with `part`"),
)
"""For each kind of column: which types of values fit, and what makes such of others."""


def _check_type(field: pa.Field, values: pa.Array) -> None:
    """Raise ColumnError for values that no cast brings into the column."""
    accepts, remedy = next((accepts, remedy) for is_kind, accepts, remedy in TYPES if is_kind(field.type))
    if accepts(values.type):
        return
    example = next((str(value) for value in values.to_pylist() if value is not None), "nothing")
    raise ColumnError(f"{values.type} values such as {example:.60} can't become {field.name} ({field.type}); use {remedy}")


def _number(rows: pa.Table, field: pa.Field, values: pa.Array, unit: float) -> tuple[pa.Array, list[pa.Table]]:
    """A numeric column in the field's type and our units."""
    if unit != 1:
        scaled = pc.multiply(values.cast(pa.float64()), unit)
        values = pc.round(scaled, 6).cast(DECIMAL) if pa.types.is_decimal(field.type) else scaled
    if pa.types.is_floating(field.type):
        return values.cast(pa.float64()).cast(field.type), []
    limit = 10.0 ** (field.type.precision - field.type.scale) if pa.types.is_decimal(field.type) else 2.0 ** (field.type.bit_width - 1)
    beyond = pc.greater_equal(pc.abs(values.cast(pa.float64())), limit).fill_null(False)
    notes = [note(rows, beyond.to_numpy(zero_copy_only=False), (CHANGED, "out_of_range", field.name), values)]
    within = pc.if_else(beyond, pa.scalar(None, values.type), values)
    if pa.types.is_integer(field.type):
        broken = pc.not_equal(within.cast(pa.float64()), pc.round(within.cast(pa.float64()))).fill_null(False)
        notes.append(note(rows, broken.to_numpy(zero_copy_only=False), (CHANGED, "unparsable", field.name), within))
        return pc.if_else(broken, pa.scalar(None, within.type), within).cast(field.type), notes
    whole = pa.types.is_integer(within.type)  # Arrow makes decimals of no fraction digits of them only
    exact = (within.cast(pa.decimal128(19, 0)) if whole else within).cast(DECIMAL)
    money = pc.round(exact, field.type.scale, round_mode="half_towards_infinity")
    changed = pc.not_equal(exact, money).fill_null(False).to_numpy(zero_copy_only=False)
    fitted = money.cast(field.type)
    return fitted, [*notes, note(rows, changed, (CHANGED, "rounded", field.name), exact, fitted)]


def _offer(rows: pa.Table, entries: dict[str, Expression]) -> tuple[pa.Array, list[pa.Table]]:
    """Offers from their parts; none, and a note, where the kind is not one of ours or one of its parts is missing."""
    names = [part.name for part in OFFER]
    if strange := [name for name in entries if name not in names]:
        raise ColumnError(unknown("part of an offer", strange[0], names))
    made = {part.name: column_of(rows, part, entries.get(part.name)) for part in OFFER.fields if part.name in entries}
    values = {name: made[name][0].to_pylist() if name in made else [None] * rows.num_rows for name in names}
    offers = [dict(zip(names, parts, strict=True)) for parts in zip(*values.values(), strict=True)]
    whole = [one["kind"] in OFFER_PARTS and all(one[part] is not None for part in OFFER_PARTS[one["kind"]]) for one in offers]
    begun = np.array([one["kind"] is not None for one in offers], np.bool_)
    told = pa.array([str(one) for one in offers], pa.string())
    notes = [note(rows, begun & ~np.array(whole, np.bool_), (CHANGED, "incomplete_offer", "offer"), told)]
    # a part that can't be read makes its offer incomplete, never its product
    notes += [told.set_column(2, "action", pa.repeat(CHANGED, told.num_rows)) for _, parts in made.values() for told in parts]
    return pa.array([one if fine else None for one, fine in zip(offers, whole, strict=True)], OFFER), notes
