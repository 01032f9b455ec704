"""The tables of a shop: where each lies, and how it is read, checked against its schema (`schemas.py`) and written.

A shop is one directory: `products.parquet price_history.parquet shoppers.parquet events.parquet`, `market.parquet` where wanted, and
`media/`.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.schemas import DERIVED, OPTIONAL, SCHEMAS

_ALL = SCHEMAS | DERIVED | OPTIONAL
_MADE_BY = (
    dict.fromkeys(SCHEMAS, "`python -m retrieval.ingest MAPPING.yaml` or `python -m demo.shop`")
    | dict.fromkeys(DERIVED, "`python -m retrieval.portrait SHOP`")
    | {"knowledge": "`python -m retrieval.knowledge SHOP FILE.yaml`"}
    | {"market": "`python -m retrieval.market SHOP FILE.csv`", "picture_vectors": "`python -m multimodal.picture_vectors SHOP`"}
)


class TableError(ValueError):
    """A table that can't be used. The message names the file, the column and the remedy."""


def path_of(shop: Path, table: str) -> Path:
    """Where a table of a shop lies."""
    return shop / f"{table}.parquet"


def write(shop: Path, table: str, rows: pa.Table) -> Path:
    """Cast to the table's schema and write it. Raises TableError naming the column that doesn't fit."""
    schema = _ALL[table]
    path = path_of(shop, table)
    checked = conform(rows, schema, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(checked, partial)
    partial.replace(path)  # a rename, so that readers see the old table or the new one
    return path


def conform(rows: pa.Table, schema: pa.Schema, where: Path) -> pa.Table:
    """Reorder and cast columns to `schema`. Raises TableError for a missing column, a null in a required one, or a bad type."""
    if missing := [name for name in schema.names if name not in rows.column_names]:
        raise TableError(f"{where}: missing column(s) {missing}; the table needs {schema.names}")
    ordered = rows.select(schema.names)
    for field in schema:
        if not field.nullable and ordered[field.name].null_count:
            note, empty = field.metadata[b"note"].decode(), ordered[field.name].null_count
            raise TableError(f"{where}: column {field.name!r} has {empty} empty values; it is required ({note})")
    try:
        return ordered.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(f"{where}: {error}; expected {schema.to_string(show_field_metadata=False)}") from error


def read(shop: Path, table: str) -> pa.Table:
    """Read a table of a shop and check it against its schema."""
    path = path_of(shop, table)
    if not path.is_file():
        raise TableError(f"{path}: no such table; make it with {_MADE_BY[table]}")
    return conform(pq.read_table(path), _ALL[table], path)
