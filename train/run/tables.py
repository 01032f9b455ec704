"""Tables of training and examination data: Parquet, JSON lines, or CSV and TSV with a header, compressed or not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from train.run.settings import ConfigError

FORMS = "name a Parquet table, JSON lines (.jsonl) or a table with a header (.csv, .tsv), each perhaps .gz"

_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False, "none": False, "": False}


def read_table(path: Path) -> pa.Table:
    """The table in a file, whose form its name says. Raises ConfigError for one that can't be read or has no row."""
    form, read = _reader(path)
    try:
        table = read(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"data = {str(path)!r}: not {form} ({error}); {FORMS}") from error
    if not table.num_rows:
        raise ConfigError(f"data = {str(path)!r}: has no row; give a table with at least one")
    return table


def _reader(path: Path) -> tuple[str, Callable[[Path], pa.Table]]:
    kind = path.with_suffix("").suffix if path.suffix in {".gz", ".bz2", ".zst"} else path.suffix
    if kind in {".jsonl", ".json"}:
        return "JSON lines", pyarrow.json.read_json
    if kind in {".csv", ".tsv"}:
        return f"{kind[1:].upper()} with a header", lambda file: _read_delimited(file, "\t" if kind == ".tsv" else ",")
    return "Parquet", pq.read_table


def _read_delimited(path: Path, delimiter: str) -> pa.Table:
    """Quotes as in RFC 4180; where a tab-separated file is not so quoted, a quotation mark is a character like any other."""
    try:
        return _read_quoted(path, delimiter, quote='"')
    except pa.ArrowInvalid:
        if delimiter != "\t":
            raise
        return _read_quoted(path, delimiter, quote=False)


def _read_quoted(path: Path, delimiter: str, quote: str | bool) -> pa.Table:
    parsing = pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=bool(quote))
    return pyarrow.csv.read_csv(path, parse_options=parsing, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))


def columns_of(table: pa.Table, names: Sequence[str], path: Path) -> dict[str, list[Any]]:
    """Columns as lists. Raises ConfigError where one is missing or has an empty cell."""
    if missing := [name for name in names if name not in table.column_names]:
        raise ConfigError(f"data = {str(path)!r}: lacks column {missing[0]!r}; it has {table.column_names}")
    found = {name: table[name].to_pylist() for name in names}
    for name, values in found.items():
        if None in values:
            raise ConfigError(f"data = {str(path)!r}: row {values.index(None) + 1} has no {name!r}; fill it or leave the row out")
    return found


def flags_of(table: pa.Table, name: str, path: Path, first: int = 1) -> list[bool]:
    """A column of true or false, also as 1 or 0; all false where there is none. `first` is the number of the first row in the file. Raises
    ConfigError for anything else."""
    values = table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
    found = [_FLAGS.get(str(value).strip().lower()) for value in values]
    if None in found:
        row = found.index(None)
        raise ConfigError(f"data = {str(path)!r}: row {first + row}: {name} = {values[row]!r}; write true or false")
    return [bool(each) for each in found]
