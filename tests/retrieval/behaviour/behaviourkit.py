"""A small shop whose events a test writes: the twelve products of the shelf, shoppers, and the portrait made of them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval import schemas, tables
from retrieval.behaviour.cleaning import Known, Sifted, clean
from retrieval.behaviour.currencies import Rates
from retrieval.portrait import Portrait
from tests.fakes import NOW, make_event, make_shopper, product_rows, shelf

PRODUCTS = pa.array(dict.fromkeys(product.product_id for product in shelf()))
SHOPPERS = pa.array(["ann", "bob", "cleo"])
KNOWN = Known(PRODUCTS, SHOPPERS, NOW)
START = datetime.fromisoformat("2026-01-10T10:00:00+00:00")


def event(
    number: int, kind: str = "view", product_id: str | None = "coat", seconds: float = 0, who: str = "ann", **changes: Any
) -> dict[str, Any]:
    """An event `seconds` after START."""
    at = START + timedelta(seconds=seconds)
    return make_event(who, kind, product_id) | {"event_id": f"e{number}", "at": at} | changes


def bought(number: int, product_id: str, amount: float, seconds: float = 0, who: str = "ann", **changes: Any) -> dict[str, Any]:
    """A purchase of one unit in dollars."""
    return event(number, "purchase", product_id, seconds, who, **({"value": amount, "quantity": 1, "currency": "USD"} | changes))


def rows(*events: dict[str, Any]) -> pa.Table:
    """Events as a table."""
    return pa.Table.from_pylist(list(events), schema=schemas.EVENTS)


def cleaned(*events: dict[str, Any], known: Known = KNOWN) -> Sifted:
    """What the rules leave."""
    return clean(rows(*events), known)[0]


def told(notes: pa.Table) -> list[tuple[str, str, str]]:
    """(event_id, action, rule) of each note."""
    return sorted((note["event_id"], note["action"], note["rule"]) for note in notes.to_pylist())


def write_shop(folder: Path, events: list[dict[str, Any]], shoppers: list[dict[str, Any]] | None = None) -> Path:
    """The tables of a shop. `ann`, `bob` and `cleo` consent unless shoppers are given."""
    shop = folder / "shop"
    tables.write(shop, "products", product_rows(shelf()))
    people = [make_shopper(who) for who in SHOPPERS.to_pylist()] if shoppers is None else shoppers
    tables.write(shop, "shoppers", pa.Table.from_pylist(people, schema=schemas.SHOPPERS))
    tables.write(shop, "events", rows(*events))
    return shop


def portrait(shop: Path, engine: str = "local", **options: Any) -> dict[str, Any]:
    """The report of a run at NOW."""
    return Portrait(shop, engine, now=NOW, **({"rates": Rates()} | options)).run()


def made(shop: Path, table: str) -> list[dict[str, Any]]:
    """Rows of a derived table."""
    return tables.read(shop, table).to_pylist()


def noted(shop: Path) -> list[tuple[str, str, str]]:
    """(event_id, action, rule) of the report's rows."""
    return told(pq.read_table(shop / "behaviour_rows.parquet"))
