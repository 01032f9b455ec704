"""The market table: a merchant's own holidays and competitors' promotions, read from the shop and brought in from a CSV file.

    python -m retrieval.market SHOP FILE.csv

The CSV has the columns of `schemas.MARKET` in any order; empty cells are null. A row that can't be used refuses the whole file, with its
number, field, value and remedy: half a calendar would be worse than none. Which rows hold for a product on a day is decided in
`copywriting/market.py`.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from copywriting.market import MarketError, MarketRow
from retrieval import schemas, tables


class MarketCalendar:
    """Every row of a shop's market table; none where the shop has no such table. Reads only."""

    def __init__(self, rows: Iterable[MarketRow] = ()) -> None:
        self._rows = tuple(rows)

    @classmethod
    def read(cls, shop: Path) -> "MarketCalendar":
        """Read `market.parquet` of a shop. Raises TableError naming the row, the field, its value and the remedy."""
        path = tables.path_of(shop, "market")
        return cls(rows_of(tables.read(shop, "market"), path)) if path.is_file() else cls()

    def __len__(self) -> int:
        return len(self._rows)

    def near(self, day: date, locale: str) -> tuple[MarketRow, ...]:
        """The rows of a locale that hold on this day, the day before or after: whoever asks may be on the other side of midnight."""
        margin = timedelta(days=1)
        return tuple(row for row in self._rows if row.locale == locale and row.from_day - margin <= day <= row.until + margin)


def rows_of(table: pa.Table, where: Path) -> list[MarketRow]:
    """The rows of a table with the columns of `schemas.MARKET`. Raises TableError for the first that can't be used."""
    return [_row(values, number, where) for number, values in enumerate(table.to_pylist(), start=1)]


def _row(values: Mapping[str, Any], number: int, where: Path) -> MarketRow:
    discount = values["discount_percent"]
    try:
        return MarketRow(
            values["from"], values["until"], values["locale"], values["kind"], values["name"],
            values["competitor"], values["category"], None if discount is None else round(discount, 2),
        )  # fmt: skip
    except MarketError as error:
        raise tables.TableError(f"{where}: row {number}: {error}") from error


def bring_in(shop: Path, source: Path) -> int:
    """Check a CSV file and make it the shop's market table. Returns the number of rows; raises TableError and leaves the old table."""
    types = {field.name: field.type for field in schemas.MARKET}
    options = pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    try:
        table = pacsv.read_csv(source, convert_options=options)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise tables.TableError(
            f"{source}: {error}; a CSV with the columns {schemas.MARKET.names} is needed, days as 2026-01-31"
        ) from error
    if unknown := sorted(set(table.column_names) - set(schemas.MARKET.names)):
        raise tables.TableError(f"{source}: unknown column(s) {unknown}; remove them, the table has {schemas.MARKET.names}")
    absent = [field for field in schemas.MARKET if field.nullable and field.name not in table.column_names]
    for field in absent:
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    rows_of(tables.conform(table, schemas.MARKET, source), source)
    tables.write(shop, "market", table)
    return int(table.num_rows)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Bring holidays and competitors' promotions into a shop")
    parser.add_argument("shop", type=Path, help="directory of the shop's tables")
    parser.add_argument("file", type=Path, help="CSV with the columns of the market table")
    options = parser.parse_args()
    try:
        count = bring_in(options.shop, options.file)
    except tables.TableError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} rows: {tables.path_of(options.shop, 'market')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
