"""Tables of training and examination data: Parquet, or JSON lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from train.settings import ConfigError


def read_table(path: Path) -> pa.Table:
    """A Parquet file, or JSON lines in a .jsonl file. Raises ConfigError for one that can't be read or has no row."""
    lines = path.suffix in {".jsonl", ".json"}
    try:
        table = pyarrow.json.read_json(path) if lines else pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        form = "JSON lines" if lines else "Parquet"
        raise ConfigError(f"data = {str(path)!r}: not {form} ({error}); name a Parquet table, or JSON lines in a .jsonl file") from error
    if not table.num_rows:
        raise ConfigError(f"data = {str(path)!r}: has no row; give a table with at least one")
    return table


def columns_of(table: pa.Table, names: Sequence[str], path: Path) -> dict[str, list[Any]]:
    """Columns as lists. Raises ConfigError where one is missing or has an empty cell."""
    if missing := [name for name in names if name not in table.column_names]:
        raise ConfigError(f"data = {str(path)!r}: lacks column {missing[0]!r}; it has {table.column_names}")
    found = {name: table[name].to_pylist() for name in names}
    for name, values in found.items():
        if None in values:
            raise ConfigError(f"data = {str(path)!r}: row {values.index(None) + 1} has no {name!r}; fill it or leave the row out")
    return found
