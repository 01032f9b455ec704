"""A small made-up merchant for the ingestion tests: real files in a directory, a mapping, and what came out."""

import gzip
import json
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from retrieval import schemas, tables
from retrieval.ingest import Ingestion
from retrieval.report import Report

HEADER = ["invoice", "sku", "title", "units", "at", "price", "customer"]
LINES = [
    ["1", "A1", "RED ENAMEL MUG", "2", "2024-03-01 10:00", "4.50", "c1"],
    ["2", "A1", "RED ENAMEL MUG", "1", "2024-03-02 10:00", "4.50", "c2"],
    ["3", "A1", "RED  ENAMEL MUG", "6", "2024-03-03 10:00", "4.20", "c1"],
    ["4", "B2", "Oak shelf", "1", "2024-03-03 11:00", "30", "c2"],
    ["5", "B2", "Oak shelf", "1", "2024-03-04 11:00", "32", "c3"],
]
"""Clean lines: tests add what is wrong."""


_MAPPING: dict[str, Any] = {
    "shop": "shop",
    "sources": {
        "lines": {
            "path": "lines.csv",
            "fields": {
                "invoice": {"column": "invoice", "required": True},
                "sku": {"column": "sku", "transforms": ["upper"], "required": True},
                "units": {"column": "units", "transforms": ["to_integer"], "required": True},
                "price": {"column": "price", "transforms": ["to_decimal"], "required": True},
                "at": {"column": "at", "transforms": [{"parse_datetime": {"timezone": "Europe/London"}}], "required": True},
            },
            "rules": {
                "exclude": [{"rule": "non_product", "column": "sku", "matches": "^POST$"}],
                "positive": ["price"],
                "outliers": [{"column": "price", "within": "sku", "times": 50}, {"column": "units", "times": 5000}],
            },
        }
    },
    "tables": {
        "products": {
            "source": "lines",
            "where": [{"column": "invoice", "not_matches": "^C"}],
            "one_per": ["sku"],
            "combine": {"title": "most_common", "price": {"recent_median": {"at": "at", "days": 30}}},
            "columns": {
                "product_id": "sku",
                "locale": {"constant": "en-GB"},
                "title": "title",
                "price": "price",
                "currency": {"constant": "GBP"},
            },
        },
        "price_history": {
            "source": "lines",
            "where": [{"column": "invoice", "not_matches": "^C"}],
            "daily_changes": True,
            "columns": {
                "product_id": "sku",
                "locale": {"constant": "en-GB"},
                "price": "price",
                "currency": {"constant": "GBP"},
                "at": "at",
            },
        },
        "shoppers": {
            "source": "lines",
            "where": [{"column": "customer", "present": True}],
            "one_per": ["customer"],
            "columns": {"shopper_id": "customer", "consent": {"constant": True}, "locale": {"constant": "en-GB"}},
        },
        "events": {
            "source": "lines",
            "cancellations": {"when": {"column": "invoice", "matches": "^C"}},
            "columns": {
                "event_id": {"template": "{invoice}-{source_row}"},
                "shopper_id": "customer",
                "product_id": "sku",
                "kind": {"constant": "purchase"},
                "value": {"multiply": ["price", "units"]},
                "quantity": "units",
                "at": "at",
            },
        },
    },
}


def mapping(**changes: Any) -> dict[str, Any]:
    """A whole mapping for `lines.csv`; `changes` replace keys by dotted path with __ for the dot."""
    given = deepcopy(_MAPPING)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = given
        for parent in parents:
            place = place[parent]
        place[last] = value
    return given


def catalogue(columns: dict[str, Any], **source: Any) -> dict[str, Any]:
    """A mapping of products only, from `products.csv`."""
    base: dict[str, Any] = {"product_id": "id", "locale": {"constant": "en-GB"}, "title": "title"}
    products = {"source": "products", "columns": base | columns}
    return {"shop": "shop", "sources": {"products": {"path": "products.csv"} | source}, "tables": {"products": products}}


def write_csv(path: Path, rows: list[list[str]], delimiter: str = ",") -> None:
    """Rows as delimited text, quoted where needed; gzipped where the name says so."""
    text = "".join(delimiter.join(f'"{cell}"' if delimiter in cell or "\n" in cell else cell for cell in row) + "\n" for row in rows)
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Text as a file, gzipped where the name says so."""
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def ingest(folder: Path, given: dict[str, Any], engine: str = "local") -> tuple[Report, dict[str, list[dict[str, Any]]]]:
    """Run a mapping in `folder`: the report, and every table's rows as written."""
    file = folder / "mapping.yaml"
    file.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    report = Ingestion(file, folder / "shop", engine=engine).run()
    report.write(folder / "shop")
    return report, {table: tables.read(folder / "shop", table).to_pylist() for table in schemas.SCHEMAS}


def ingest_lines(folder: Path, extra: list[list[str]], **changes: Any) -> tuple[Report, dict[str, list[dict[str, Any]]]]:
    """The clean lines and some more, through the mapping."""
    write_csv(folder / "lines.csv", [HEADER, *LINES, *extra])
    return ingest(folder, mapping(**changes))


def told(report: Report) -> list[tuple[str, str, str, int, str | None, str | None]]:
    """What the report lists: (table, action, rule, row, old, new)."""
    keys = ("table", "action", "rule", "source_row", "old", "new")
    return [tuple(row[key] for key in keys) for row in report.rows().to_pylist()]  # type: ignore[misc]


def refused(report: Report) -> Counter[str]:
    """Refused rows by rule."""
    return Counter(row["rule"] for row in report.rows().to_pylist() if row["action"] == "refused")


def summary(folder: Path) -> dict[str, Any]:
    """What report.json says."""
    found: dict[str, Any] = json.loads((folder / "shop" / "report.json").read_text())
    return found
