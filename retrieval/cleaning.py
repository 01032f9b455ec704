"""Rules that refuse or change the rows of a source before any table is made of them.

`clean_batch` is local to its rows: a pure function on Arrow tables, run in this process or by Ray Data's map_batches. What needs all
rows at once (exact duplicates, outliers against the median) are `refuse_duplicates` and `refuse_outliers`, group-bys on one table.
Every row refused or changed leaves a note; rows in = rows kept + rows refused.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.expressions import FILE, ROW, ColumnError, Rows, column, evaluate, meets, numbers, texts
from retrieval.mapping import Outlier, Source
from retrieval.sources import Batch
from retrieval.strict import unknown

DIGEST = "_digest"
REFUSED, CHANGED, KEPT = "refused", "changed", "kept"
"""What happened to a row: it isn't in the table; it is, with another value; it is, and worth a look."""

NOTES = pa.schema(
    [
        pa.field(FILE, pa.int32()),
        pa.field(ROW, pa.int64()),
        pa.field("action", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("column", pa.string()),
        pa.field("old", pa.string()),
        pa.field("new", pa.string()),
    ]
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Rows that stay, and a note for each that doesn't or that changed."""

    rows: pa.Table
    notes: pa.Table


def note(
    rows: pa.Table, at: Rows | Mask, label: tuple[str, str, str], old: pa.Array | None = None, new: pa.Array | None = None
) -> pa.Table:
    """Notes on some rows. `at` are their numbers, or a mask; `label` is (action, rule, column); `old` and `new` are columns as long
    as `rows`, or already picked."""
    where = np.flatnonzero(at) if at.dtype == np.bool_ else at
    picked = pa.array(where, pa.int64())

    def values(given: pa.Array | None) -> pa.Array:
        if given is None:
            return pa.nulls(len(where), pa.string())
        return texts(given if len(given) == len(where) != rows.num_rows else given.take(picked))

    constants = [pa.repeat(pa.scalar(text, pa.string()), len(where)) for text in label]
    places = [column(rows, place).take(picked) for place in (FILE, ROW)]
    return pa.table([*places, *constants, values(old), values(new)], schema=NOTES)


def joined(notes: Sequence[pa.Table]) -> pa.Table:
    """Several notes as one table."""
    return pa.concat_tables([NOTES.empty_table(), *notes])


def places(rows: pa.Table) -> Rows:
    """One number for each row's FILE and ROW."""
    numbers: Rows = column(rows, FILE).cast(pa.int64()).to_numpy() * (1 << 40) + column(rows, ROW).to_numpy()
    return numbers


def settled(notes: pa.Table) -> pa.Table:
    """One verdict for each row: of a refused one only the first refusal stays, changes to it don't matter any more."""
    place = places(notes)
    refused = np.flatnonzero(pc.equal(notes["action"], REFUSED).to_numpy())
    gone, first = np.unique(place[refused], return_index=True)
    stays = ~np.isin(place, gone)
    stays[refused[first]] = True
    return notes.filter(pa.array(stays))


def clean_batch(batch: Batch, number: int, source: Source, needed: dict[str, str]) -> Cleaned:
    """Type the fields of a batch and refuse what the row alone shows to be unusable.

    Returns the `needed` fields and columns (with the key path that asks for each) with FILE, ROW and, where exact duplicates are
    refused, a digest of the whole row. Raises ColumnError for one that isn't there.
    """
    table, notes, refused = _typed(_with_absent_keys(_blank_to_null(batch.rows), batch, source, needed), source)
    for name, place in needed.items():
        if name not in table.column_names:
            raise ColumnError(f"{place}: {unknown('column', name, _offered(table))}")
    for rule, name, bad in _broken_rules(table, source):
        fresh = bad & ~refused  # a row is refused once, by the first rule that it breaks
        notes.append(note(table, fresh, (REFUSED, rule, name), column(table, name)))
        refused |= fresh
    verdicts = settled(joined(notes))
    kept = table.select([*sorted(needed), FILE, ROW])
    if source.rules.exact_duplicates == "refuse":
        kept = kept.append_column(DIGEST, _digests(batch.rows))
    return Cleaned(kept.filter(pa.array(~refused)), joined([verdicts, _malformed(batch, number)]))


def _offered(table: pa.Table) -> list[str]:
    """The columns that a mapping may name."""
    return [name for name in table.column_names if name not in (FILE, ROW)]


def _with_absent_keys(rows: pa.Table, batch: Batch, source: Source, needed: dict[str, str]) -> pa.Table:
    """For JSON lines: a key that no line of this batch has is a column without values."""
    if batch.sparse:
        asked, made = needed.keys() - source.fields.keys(), set[str]()
        for field, expression in source.fields.items():  # a field may read the column of its own name, or a field before it
            asked |= expression.columns() - made
            made.add(field)
        for name in sorted(asked - set(rows.column_names)):
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


def _blank_to_null(rows: pa.Table) -> pa.Table:
    """Text without white space around it; blank is missing."""
    columns = {}
    for name in rows.column_names:
        values = column(rows, name)
        if pa.types.is_string(values.type):
            trimmed = pc.utf8_trim_whitespace(values)
            values = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        columns[name] = values
    return pa.table(columns)


def _typed(text: pa.Table, source: Source) -> tuple[pa.Table, list[pa.Table], Mask]:
    """The table with the source's fields, notes on unreadable and missing values, and which rows they refuse."""
    table, notes = text, []
    refused = np.zeros(text.num_rows, np.bool_)
    for name, expression in source.fields.items():
        try:
            found = evaluate(expression, table)
        except ColumnError as error:
            raise ColumnError(f"fields.{name}: {error}") from error
        table = table.drop_columns([name]) if name in table.column_names else table
        table = table.append_column(name, found.values)
        unreadable = _mask(found.unreadable, text.num_rows)
        action = REFUSED if expression.required else CHANGED
        notes.append(note(table, unreadable & ~refused, (action, "unparsable", name), found.given))
        if expression.required:
            missing = pc.is_null(found.values).to_numpy(zero_copy_only=False) & ~unreadable
            notes.append(note(table, missing & ~refused, (REFUSED, "missing_required", name)))
            refused |= missing | unreadable
    return table, notes, refused


def _broken_rules(table: pa.Table, source: Source) -> list[tuple[str, str, Mask]]:
    """(rule, column, which rows break it), in the order of the mapping."""
    broken = [(rule.rule, rule.column, meets(rule, table)) for rule in source.rules.exclude]
    for name in source.rules.positive:
        values, unreadable = numbers(table, name)
        below = pc.less_equal(values, 0.0).fill_null(False)
        broken.append(("unparsable", name, _mask(unreadable, table.num_rows)))
        broken.append(("not_positive", name, below.to_numpy(zero_copy_only=False)))
    return broken


def _mask(at: Rows, count: int) -> Mask:
    """True at these rows."""
    mask = np.zeros(count, np.bool_)
    mask[at] = True
    return mask


def _digests(rows: pa.Table) -> pa.Array:
    """128 bits for each whole row as the file has it, so that a repeat is found however many columns the tables read."""
    names = [name for name in sorted(rows.column_names) if name not in (FILE, ROW)]
    columns = [pc.binary_join_element_wise(name, column(rows, name), "\x1e") for name in names]
    # nulls are skipped: a key that only later lines of a JSON file have must not tell equal rows apart
    whole = pc.binary_join_element_wise(*columns, "\x1f", null_handling="skip") if columns else pa.repeat("", rows.num_rows)
    digests = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in whole.to_pylist()]
    return pa.array(digests, pa.binary(16))


def _malformed(batch: Batch, number: int) -> pa.Table:
    """Notes on the lines that aren't rows."""
    columns = {
        FILE: [number for _ in batch.malformed],
        ROW: [line.row for line in batch.malformed],
        "action": [REFUSED for _ in batch.malformed],
        "rule": ["malformed_row" for _ in batch.malformed],
        "column": [None for _ in batch.malformed],
        "old": [line.text[:500] for line in batch.malformed],
        "new": [line.why for line in batch.malformed],
    }
    return pa.table(columns, schema=NOTES)


def codes(values: pa.Array) -> NDArray[np.int64]:
    """A number for each distinct value; -1 for none."""
    numbers: NDArray[np.int64] = values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def refuse_duplicates(rows: pa.Table) -> Cleaned:
    """Keep the first of rows that are the same in every column of the source."""
    if DIGEST not in rows.column_names:
        return Cleaned(rows, joined([]))
    numbers = codes(column(rows, DIGEST))
    _, first = np.unique(numbers, return_index=True)
    repeated = np.ones(len(numbers), np.bool_)
    repeated[first] = False
    original = column(rows, ROW).take(pa.array(first[numbers]))
    told = pc.binary_join_element_wise("same as row ", original.cast(pa.string()), "")
    notes = note(rows, repeated, (REFUSED, "exact_duplicate", ""), told)
    return Cleaned(rows.drop_columns([DIGEST]).filter(pa.array(~repeated)), notes)


def refuse_outliers(rows: pa.Table, rule: Outlier) -> Cleaned:
    """Refuse values beyond `times` the median of their group, or below the median / `times`, and what is no number; sizes count, not
    signs."""
    read, unreadable = numbers(rows, rule.column)
    values = np.abs(read.to_numpy(zero_copy_only=False))
    groups = codes(texts(column(rows, rule.within))) if rule.within else np.zeros(len(values), np.int64)
    known = ~np.isnan(values) & (groups >= 0)
    middle, size = _medians(groups[known], values[known], int(groups.max(initial=-1)) + 1)
    typical = np.where(known & (size[groups] >= rule.at_least), middle[groups], np.nan)
    far = (values > typical * rule.times) | (values < typical / rule.times)
    told = pa.array([f"median {median:g}" for median in typical[far]], pa.string())
    picked = column(rows, rule.column).filter(pa.array(far))  # picked here, so that both are as long as the notes
    notes = [
        note(rows, unreadable, (REFUSED, "unparsable", rule.column), column(rows, rule.column)),
        note(rows, far, (REFUSED, "outlier", rule.column), picked, told),
    ]
    return Cleaned(rows.filter(pa.array(~(far | _mask(unreadable, rows.num_rows)))), joined(notes))


def _medians(groups: Rows, values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], Rows]:
    """The lower median of each group (a value that occurs, never a mean of two), and its size. NaN and 0 for an empty group."""
    order = np.lexsort((values, groups))
    size = np.bincount(groups, minlength=max(count, 1))
    start = np.cumsum(size) - size
    middle = np.full(len(size), np.nan)
    filled = size > 0
    middle[filled] = values[order][(start + (size - 1) // 2)[filled]]
    return middle, size
