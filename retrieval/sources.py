"""Merchants' files as streams of text tables: CSV, TSV, JSON lines and Parquet, plain or .gz, one batch of rows at a time.

Every value is text here, as the file has it; typing is the mapping's business. Each row carries its file's number and its own, from
1 after the header. A line that isn't a row (too many fields, broken JSON) is handed over with the batch, never skipped in silence.
"""

import csv
import glob
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from retrieval.expressions import FILE, ROW, texts
from retrieval.mapping import FORMATS, Source

BLOCK_BYTES = 4 << 20
BATCH_ROWS = 32_768


class SourceError(ValueError):
    """A file that can't be read. The message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that isn't a row."""

    row: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of one file: text columns, FILE and ROW; the lines among them that aren't rows; and whether a column may be absent
    because no row here has it (JSON lines)."""

    rows: pa.Table
    malformed: list[Malformed] = field(default_factory=list)
    sparse: bool = False


def files(pattern: Path) -> list[Path]:
    """The files of a path with or without `*`. Raises SourceError where there are none."""
    found = [Path(name) for name in sorted(glob.glob(str(pattern)))]
    if not found:
        raise SourceError(f"{pattern}: no such file; correct the mapping's path, or give the directory it is relative to with --root")
    return found


def form(path: Path, source: Source) -> str:
    """The file's format, by the mapping or its ending."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    found = source.format or {"txt": "tsv", "tab": "tsv", "ndjson": "jsonl"}.get(ending, ending)
    if found not in FORMATS:
        raise SourceError(
            f"{path}: format can't be told from the ending {ending!r}; set the source's format to one of {', '.join(FORMATS)}"
        )
    return found


def batches(path: Path, number: int, source: Source) -> Iterator[Batch]:
    """Stream one file. Raises SourceError for one that can't be read or lacks a required column."""
    readers = {"csv": _delimited, "tsv": _delimited, "jsonl": _json_lines, "parquet": _parquet}
    try:
        for batch in readers[form(path, source)](path, source):
            files_column = pa.repeat(pa.scalar(number, pa.int32()), batch.rows.num_rows)
            yield Batch(batch.rows.append_column(FILE, files_column), batch.malformed, batch.sparse)
    except (pa.ArrowInvalid, UnicodeDecodeError, gzip.BadGzipFile, EOFError, LookupError, OSError) as error:
        raise SourceError(
            f"{path}: can't be read as {form(path, source)} in {source.encoding}: {error}; correct format or encoding"
        ) from error


def _check_columns(path: Path, found: list[str], source: Source) -> None:
    """Refuse a header with repeats or without a required column."""
    if missing := [name for name in source.required if name not in found]:
        raise SourceError(
            f"{path}: column(s) {missing} missing; it has {found}. Correct the file, its delimiter or the mapping's `required`"
        )
    if repeated := sorted({name for name in found if found.count(name) > 1}):
        raise SourceError(f"{path}: column(s) {repeated} stand twice in the header; rename one of each")


def _numbered(rows: pa.Table, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Table:
    """With the row numbers beside the values."""
    return rows.append_column(ROW, pa.array(numbers, pa.int64()))


def _opened(path: Path) -> Any:
    """The file's bytes, decompressed; the caller closes it."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _header(path: Path, delimiter: str, source: Source) -> list[str]:
    """The first record of a delimited file."""
    raw = _opened(path)
    encoding = "utf-8-sig" if source.encoding.lower().replace("-", "") == "utf8" else source.encoding
    with raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        found = next(csv.reader(text, delimiter=delimiter, quotechar=source.quote), [])
    if not any(found):
        raise SourceError(f"{path}: empty, not even a header; export it again")
    return found


def _delimited(path: Path, source: Source) -> Iterator[Batch]:
    """CSV and TSV. Arrow parses; the rows it can't fit to the header come with the next batch."""
    delimiter = source.delimiter or ("\t" if form(path, source) == "tsv" else ",")
    names = _header(path, delimiter, source)
    _check_columns(path, names, source)
    malformed: list[Malformed] = []

    def keep(row: Any) -> str:
        malformed.append(Malformed(row.number - 1, row.text, f"{row.actual_columns} fields where the header has {row.expected_columns}"))
        return "skip"

    reader = pa_csv.open_csv(
        pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None),
        # one thread: Arrow numbers the rows it refuses only then, and decompression is the slow part anyway
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, encoding=source.encoding),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, quote_char=source.quote, newlines_in_values=True, invalid_row_handler=keep),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    following, handed = 1, 0
    for block in reader:
        refused = {bad.row for bad in malformed}
        numbers = _around(refused, following, block.num_rows)
        following = int(numbers[-1]) + 1 if len(numbers) else following
        yield Batch(_numbered(pa.table(block), numbers), malformed[handed:])
        handed = len(malformed)
    if handed < len(malformed):
        yield Batch(_numbered(pa.table({name: pa.array([], pa.string()) for name in names}), np.empty(0, np.int64)), malformed[handed:])


def _around(refused: set[int], start: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """`count` row numbers from `start` on, without the refused ones."""
    candidates = np.arange(start, start + count + len(refused))
    return candidates[~np.isin(candidates, list(refused))][:count]


def _json_lines(path: Path, source: Source) -> Iterator[Batch]:
    """One object a line. Numbers keep their digits; lists and objects stay JSON text."""
    raw = _opened(path)
    seen: dict[str, None] = dict.fromkeys(source.required)
    held: list[tuple[int, dict[str, Any]]] = []
    malformed: list[Malformed] = []
    present: set[str] = set()
    with raw, io.TextIOWrapper(raw, encoding=source.encoding) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                read = json.loads(line, parse_float=str, parse_int=str)
                if not isinstance(read, dict):
                    raise ValueError("not an object")
            except ValueError as error:
                malformed.append(Malformed(number, line.strip(), str(error)))
                continue
            held.append((number, read))
            seen |= dict.fromkeys(read)
            present |= read.keys()
            if len(held) == BATCH_ROWS:
                yield _objects(held, list(seen), malformed)
                held, malformed = [], []
    _check_columns(path, list(present), source)
    yield _objects(held, list(seen), malformed)


def _objects(held: list[tuple[int, dict[str, Any]]], names: list[str], malformed: list[Malformed]) -> Batch:
    """Objects as a text table."""
    columns = {name: pa.array([_text(read.get(name)) for _, read in held], pa.string()) for name in names}
    return Batch(_numbered(pa.table(columns), np.array([number for number, _ in held], np.int64)), malformed, sparse=True)


def _text(value: Any) -> str | None:
    """A JSON value as text; null and a missing key are nothing."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _parquet(path: Path, source: Source) -> Iterator[Batch]:
    """Parquet, row groups at a time; typed columns are written out as text."""
    opened = pa.BufferReader(pa.input_stream(str(path), compression="gzip").read()) if path.suffix == ".gz" else str(path)
    with pq.ParquetFile(opened) as parquet:
        names = parquet.schema_arrow.names
        _check_columns(path, names, source)
        start = 1
        for block in parquet.iter_batches(batch_size=BATCH_ROWS):
            columns = {name: _written(block.column(name)) for name in names}
            yield Batch(_numbered(pa.table(columns), np.arange(start, start + block.num_rows)))
            start += block.num_rows


def _written(values: pa.Array) -> pa.Array:
    """A typed Parquet column as text."""
    if pa.types.is_nested(values.type):
        return pa.array(
            [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values.to_pylist()], pa.string()
        )
    if pa.types.is_floating(values.type):  # the shortest digits that mean the same number, and whole ones without .0
        return pa.array(
            [None if value is None else format(Decimal(repr(value)).normalize(), "f") for value in values.to_pylist()], pa.string()
        )
    return texts(values)
