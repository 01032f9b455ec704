"""Bring a shop's shoppers and their last 200 events into the shopper state.

    python -m feedback.load SHOP DATABASE_URL
    python -m feedback.load var/shop sqlite:///var/state.db

Reads `shoppers.parquet` and `events.parquet`; a second run changes nothing, a newer file wins over what was loaded before. Of shoppers
without consent only that and their locale are kept, and events of theirs that are stored already go. Other tables are not read.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa
from rich.progress import track

from feedback.database import Database, DatabaseUnavailable, SchemaMismatch, events, shoppers
from feedback.state import KEPT_EVENTS, trim

_INSTANT = pa.timestamp("us", tz="UTC")
SHOPPER_COLUMNS: dict[str, pa.DataType] = {
    "shopper_id": pa.string(), "consent": pa.bool_(), "consent_until": _INSTANT, "locale": pa.string(),
    "attributes": pa.map_(pa.string(), pa.string()),
}  # fmt: skip
EVENT_COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(), "shopper_id": pa.string(), "product_id": pa.string(), "kind": pa.string(), "value": pa.float64(),
    "quantity": pa.int32(), "currency": pa.string(), "text": pa.string(), "at": _INSTANT,
}  # fmt: skip
ROWS_AT_ONCE = 5000  # one transaction: long enough to be quick, short enough that the graph's own writers don't wait for it
SHOPPERS_AT_ONCE = 500
MAX_ID = 200


class LoadError(ValueError):
    """A table that can't be loaded. The message names the file, the column and the remedy."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much was read: shoppers, those of them who consent, and their events that count."""

    shoppers: int
    consenting: int
    events: int


def load(shop: Path, database: Database, now: datetime | None = None, *, quiet: bool = False) -> Loaded:
    """Load a shop. Raises LoadError before anything is written; DatabaseUnavailable or SchemaMismatch, and a later run goes on."""
    people, done = _table(shop / "shoppers.parquet", SHOPPER_COLUMNS), _table(shop / "events.parquet", EVENT_COLUMNS)
    lasting = pc.fill_null(pc.greater(people["consent_until"], pa.scalar(now or datetime.now(UTC), _INSTANT)), True)
    consents = pc.and_(people["consent"], lasting)
    consenting = people.filter(consents)["shopper_id"]
    latest = _latest(done.filter(pc.is_in(done["shopper_id"], value_set=consenting.combine_chunks())))
    for rows in track(list(_batches(_minimal(people, consents))), "Loading shoppers", disable=quiet):
        _replace(database, shoppers, [row | {"attributes": dict(row["attributes"])} for row in rows])
    for rows in track(list(_batches(latest)), "Loading events", disable=quiet):
        _replace(database, events, rows)
    silent = people.filter(pc.invert(consents))["shopper_id"].to_pylist()
    for ids in _groups(silent):
        with database.writing() as connection:
            connection.execute(events.delete().where(events.c.shopper_id.in_(ids)))
    for ids in _groups(consenting.to_pylist()):  # what the graph stored before counts too
        with database.writing() as connection:
            trim(connection, ids)
    return Loaded(people.num_rows, len(consenting), latest.num_rows)


def _table(path: Path, columns: dict[str, pa.DataType]) -> pa.Table:
    """The columns that are loaded, in the types that they must have."""
    if not path.is_file():
        raise LoadError(f"{path}: no such table; make it with `python -m retrieval.ingest MAPPING.yaml` or `python -m demo.shop`")
    present = pq.read_schema(path).names
    if missing := [name for name in columns if name not in present]:
        raise LoadError(f"{path}: missing column(s) {missing}; the table needs {list(columns)}")
    try:
        rows = pq.read_table(path, columns=list(columns)).cast(pa.schema(list(columns.items())))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LoadError(f"{path}: {error}; correct the column's type") from error
    for name in ("event_id", "shopper_id", "product_id"):
        if name in columns and (pc.max(pc.utf8_length(rows[name])).as_py() or 0) > MAX_ID:
            raise LoadError(f"{path}: column {name!r} holds an id of more than {MAX_ID} characters; shorten it")
    if "text" in columns:  # PostgreSQL keeps every character but this one
        rows = rows.set_column(rows.column_names.index("text"), "text", pc.replace_substring(rows["text"], "\x00", ""))
    return rows


def _latest(done: pa.Table) -> pa.Table:
    """Each shopper's last events, as many as are kept."""
    ordered = done.sort_by([("shopper_id", "ascending"), ("at", "descending"), ("event_id", "descending")])
    if not ordered.num_rows:
        return ordered
    codes = pc.dictionary_encode(ordered["shopper_id"].combine_chunks()).indices.to_numpy()
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    place = np.arange(len(codes)) - np.repeat(first, np.diff(np.r_[first, len(codes)]))
    return ordered.filter(pa.array(place < KEPT_EVENTS))


def _minimal(people: pa.Table, consents: pa.ChunkedArray) -> pa.Table:
    """Nothing is kept of the attributes of those who don't consent."""
    empty = pa.array([[]] * people.num_rows, SHOPPER_COLUMNS["attributes"])
    attributes = pa.chunked_array([empty]) if not people.num_rows else pc.if_else(consents, people["attributes"], empty)
    return people.set_column(people.column_names.index("attributes"), "attributes", attributes)


def _batches(rows: pa.Table) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, rows.num_rows, ROWS_AT_ONCE):
        yield rows.slice(start, ROWS_AT_ONCE).to_pylist()


def _groups(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), SHOPPERS_AT_ONCE):
        yield ids[start : start + SHOPPERS_AT_ONCE]


def _replace(database: Database, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or overwrite those with the same key: the file is what the shop says today."""
    statement = database.insert(table)
    key = [column.name for column in table.primary_key]
    update = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    with database.writing() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=update), rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", type=Path)
    parser.add_argument("database", metavar="DATABASE_URL")
    options = parser.parse_args()
    try:
        loaded = load(options.shop, Database(options.database))
    except (ValueError, DatabaseUnavailable, SchemaMismatch) as error:
        sys.exit(f"error: {error}")
    print(f"{loaded.shoppers} shoppers, {loaded.consenting} of them consenting, with {loaded.events} events")


if __name__ == "__main__":
    main()
