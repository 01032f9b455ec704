"""Merchants' files as streams of text tables: CSV, TSV, JSON lines and Parquet, plain or .gz, one batch of rows at a time.

Every value is text here, as the file has it; typing is the mapping's business. Each row carries its file's number and its own, from
1 after the header. A line that isn't a row (too many fields, broken JSON) is handed over with the batch, never skipped in silence.
A file without rows gives one empty batch, so that its columns are known.
"""

import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

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
    except (pa.ArrowInvalid, UnicodeDecodeError, csv.Error, zlib.error, EOFError, LookupError, OSError) as error:
        raise SourceError(
            f"{path}: can't be read as {form(path, source)} in {source.encoding}: {error}; correct the source's format, encoding or "
            "quote, or export the file again"
        ) from error


def _check_columns(path: Path, found: list[str], source: Source) -> None:
    """Refuse a header with repeats or without a required column."""
    if missing := [name for name in source.required if name not in found]:
        raise SourceError(
            f"{path}: column(s) {missing} missing; it has {found}. Correct the file, its delimiter or the mapping's `required`"
        )
    if repeated := sorted({name for name in found if found.count(name) > 1}):
        raise SourceError(f"{path}: column(s) {repeated} stand twice in the header; rename one of each")


def _numbered(columns: dict[str, pa.Array], numbers: NDArray[np.int64]) -> pa.Table:
    """Columns with the row numbers beside them."""
    return pa.table(columns | {ROW: pa.array(numbers, pa.int64())})


def _empty(names: list[str]) -> pa.Table:
    """No rows of these columns."""
    return _numbered({name: pa.array([], pa.string()) for name in names}, np.empty(0, np.int64))


def _opened(path: Path) -> Any:
    """The file's bytes, decompressed; the caller closes it."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _encoding(source: Source) -> str:
    """The source's encoding; a byte order mark is no part of a UTF-8 text."""
    return "utf-8-sig" if source.encoding.lower().replace("-", "") == "utf8" else source.encoding


def _header(path: Path, delimiter: str, source: Source) -> list[str]:
    """The first record of a delimited file."""
    raw = _opened(path)
    with raw, io.TextIOWrapper(raw, encoding=_encoding(source), newline="") as text:
        if source.quote_char:
            reader = csv.reader(text, delimiter=delimiter, quotechar=source.quote_char)
        else:
            reader = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        found = next(reader, [])
    if not any(found):
        raise SourceError(f"{path}: empty, not even a header; export it again")
    if open_quote := [name for name in found if "\n" in name and delimiter in name]:
        raise SourceError(
            f"{path}: the header's quote before {open_quote[0][:40]!r} takes in the lines after it; close it in the file, or set the "
            "source's quote to none"
        )
    return found


def _delimited(path: Path, source: Source) -> Iterator[Batch]:
    """CSV and TSV. Arrow parses; the rows it can't fit to the header come with the next batch, those with a stray quote with theirs."""
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
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter,
            quote_char=source.quote_char or False,
            double_quote=bool(source.quote_char),
            newlines_in_values=bool(source.quote_char),
            invalid_row_handler=keep,
        ),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    following, handed = 1, 0
    for block in reader:
        refused = {bad.row for bad in malformed}
        numbers = _around(refused, following, block.num_rows)
        following = int(numbers[-1]) + 1 if len(numbers) else following
        rows, swallowing = _without_stray_quotes(
            _numbered(dict(zip(block.schema.names, block.columns, strict=True)), numbers), delimiter, source
        )
        yield Batch(rows, [*malformed[handed:], *swallowing])
        handed = len(malformed)
    if handed < len(malformed) or following == 1:
        yield Batch(_empty(names), malformed[handed:])


def _without_stray_quotes(rows: pa.Table, delimiter: str, source: Source) -> tuple[pa.Table, list[Malformed]]:
    """The rows, without those that have a field with both a line break and the delimiter.

    A quote that nobody closed takes in the lines up to the next quote, and the row may still have as many fields as the header.
    """
    if source.multiline or not source.quote_char:
        return rows, []
    names = [name for name in rows.column_names if name != ROW]
    stray = np.zeros(rows.num_rows, np.bool_)
    for name in names:
        broken = pc.match_substring(rows[name], "\n")
        if pc.any(broken).as_py():
            both = pc.and_(broken, pc.match_substring(rows[name], delimiter)).fill_null(False)
            stray |= both.to_numpy()
    if not stray.any():
        return rows, []
    bad = rows.filter(pa.array(stray))
    why = f"a quoted field holds a line break and {delimiter!r}: a stray quote? Set the source's quote: none, or multiline: true if not"
    texts_of = zip(*(bad[name].to_pylist() for name in names), strict=True)
    swallowing = [Malformed(row, delimiter.join(values), why) for row, values in zip(bad[ROW].to_pylist(), texts_of, strict=True)]
    return rows.filter(pa.array(~stray)), swallowing


def _around(refused: set[int], start: int, count: int) -> NDArray[np.int64]:
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
    with raw, io.TextIOWrapper(raw, encoding=_encoding(source)) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                read = json.loads(line, parse_float=str, parse_int=str)
                if not isinstance(read, dict):
                    raise ValueError("not an object")
            except (ValueError, RecursionError) as error:
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
    return Batch(_numbered(columns, np.array([number for number, _ in held], np.int64)), malformed, sparse=True)


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
            yield Batch(_numbered(columns, np.arange(start, start + block.num_rows)))
            start += block.num_rows
        if start == 1:
            yield Batch(_empty(names))


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
