"""Arrow schemas of every table, with units and nullability, and how tables are read and written.

A shop is one directory: `products.parquet price_history.parquet shoppers.parquet events.parquet`, plus `media/`. Money is
decimal in major units of `currency`; instants are UTC with microseconds.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MONEY = pa.decimal128(12, 2)
INSTANT = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, note: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=not required, metadata={"note": note})


OFFER = pa.struct(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("value", MONEY),
        pa.field("gift", pa.string()),
        pa.field("starts", INSTANT, nullable=False),
        pa.field("ends", INSTANT, nullable=False),
    ]
)

PRODUCTS = pa.schema(
    [
        _column("product_id", pa.string(), "the merchant's id; (product_id, locale) is unique", required=True),
        _column("locale", pa.string(), "language and market of this row's texts and price: zh-CN, en-US, en-GB …", required=True),
        _column("title", pa.string(), "the merchant's title", required=True),
        _column(
            "name", pa.string(), "short name that copy uses; made at ingestion where the title is a search-engine title", required=True
        ),
        _column("vertical", pa.string(), "copywriting.taxonomy.VERTICALS, or general", required=True),
        _column("kind", pa.string(), "kind within the vertical"),
        _column("brand", pa.string(), "brand"),
        _column("category", pa.list_(pa.string()), "the merchant's category path, broad to narrow", required=True),
        _column("description", pa.string(), "the merchant's description"),
        _column(
            "attributes",
            pa.map_(pa.string(), pa.string()),
            "snake_case key → value; known: feature, feature_2, material, color, origin",
            required=True,
        ),
        _column(
            "price",
            MONEY,
            "price before the offer, major units of currency; null where the merchant gives none: copy then has no price slot",
        ),
        _column("list_price", MONEY, "reference price, when above price"),
        _column("currency", pa.string(), "ISO 4217; null where there is no price"),
        _column("stock", pa.int32(), "units on hand; null where unknown"),
        _column("rating", pa.float32(), "mean rating, 0 to 5"),
        _column("rating_count", pa.int32(), "number of ratings"),
        _column("offer", OFFER, "running or coming offer; kind is percent_off (value in percent), amount_off (value in currency) or gift"),
        _column("certificates", pa.list_(pa.string()), "certificates and awards, in the row's language", required=True),
        _column("images", pa.list_(pa.string()), "picture paths, absolute or relative to the shop's directory", required=True),
        _column("videos", pa.list_(pa.string()), "video paths", required=True),
        _column("version", pa.int64(), "increases with every change of the row", required=True),
    ]
)

PRICE_HISTORY = pa.schema(
    [
        _column("product_id", pa.string(), "product", required=True),
        _column("locale", pa.string(), "market", required=True),
        _column("price", MONEY, "price from this instant on", required=True),
        _column("currency", pa.string(), "ISO 4217", required=True),
        _column("at", INSTANT, "when the price began", required=True),
    ]
)

SHOPPERS = pa.schema(
    [
        _column("shopper_id", pa.string(), "pseudonymous id", required=True),
        _column("consent", pa.bool_(), "may behaviour and attributes be used to personalise", required=True),
        _column("consent_until", INSTANT, "when consent lapses; null while it has no end"),
        _column("locale", pa.string(), "preferred locale", required=True),
        _column("attributes", pa.map_(pa.string(), pa.string()), "optional: name, city, age_band, gender, country …", required=True),
    ]
)

EVENT_KINDS = ("view", "search", "cart", "purchase", "review", "cancellation")

EVENTS = pa.schema(
    [
        _column("event_id", pa.string(), "unique", required=True),
        _column("shopper_id", pa.string(), "who", required=True),
        _column("product_id", pa.string(), "what; null for a search"),
        _column("kind", pa.string(), "one of EVENT_KINDS", required=True),
        _column("value", pa.float64(), "purchase, cancellation: amount paid in currency; review: stars 1 to 5; cart: units"),
        _column("quantity", pa.int32(), "units bought or cancelled"),
        _column("currency", pa.string(), "ISO 4217 of value where it is money"),
        _column("text", pa.string(), "search terms or review text"),
        _column("at", INSTANT, "when", required=True),
    ]
)

SCHEMAS: dict[str, pa.Schema] = {"products": PRODUCTS, "price_history": PRICE_HISTORY, "shoppers": SHOPPERS, "events": EVENTS}


class TableError(ValueError):
    """A table that can't be used. The message names the file, the column and the remedy."""


def path_of(shop: Path, table: str) -> Path:
    """Where a table of a shop lies."""
    return shop / f"{table}.parquet"


def write(shop: Path, table: str, rows: pa.Table) -> Path:
    """Cast to the table's schema and write it. Raises TableError naming the column that doesn't fit."""
    schema = SCHEMAS[table]
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
        raise TableError(f"{path}: no such table; make it with `python -m retrieval.ingest MAPPING.yaml` or `python -m demo.shop`")
    return conform(pq.read_table(path), SCHEMAS[table], path)
