"""A folder of Parquet files: which they are, whether they fit together, and a row of them by its number."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from train.run.settings import ConfigError
from train.writing.dialogues import HELD_OUT, DialogueColumns, names_of

_PARQUET = {".parquet", ".pq"}
_OTHER_TABLES = {".csv", ".tsv", ".jsonl", ".json", ".gz", ".zst", ".bz2", ".arrow", ".feather", ".orc", ".avro", ".xlsx"}
_HIDDEN = (".", "_")  # as _SUCCESS and .crc files are called


@dataclass(frozen=True, slots=True)
class Folder:
    """The files, which hold the columns `names`, of the same kinds; `counts` are their rows."""

    root: Path
    files: tuple[Path, ...]
    names: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def read(cls, root: Path, columns: DialogueColumns) -> Self:
        """Raises ConfigError where there is no file, no row, a table of another form besides, or where files differ in what matters."""
        files = _files_of(root)
        schemas = [opened(path).schema_arrow for path in files]
        names = names_of(schemas[0].empty_table(), files[0], columns)
        _check_paths(root, files, names)
        for path, schema in zip(files, schemas, strict=True):
            _check_columns(path, schema, files[0], schemas[0], names)
        counts = tuple(opened(path).metadata.num_rows for path in files)
        if not sum(counts):
            raise ConfigError(f"data = {str(root)!r}: has no row; give at least two, better a thousand")
        return cls(root, tuple(files), tuple(names), counts)

    def first(self, count: int = 64) -> tuple[pa.Table, Path]:
        """(some rows of the first file that has any, that file)."""
        path = next(path for path, rows in zip(self.files, self.counts, strict=True) if rows)
        batch = next(iter(opened(path).iter_batches(count, columns=list(self.names))))
        return pa.Table.from_batches([batch]), path

    def row(self, number: int) -> tuple[pa.Table, Path, int]:
        """(the row of this number, counted over all files from 0; its file; its number there, from 1)."""
        which, within = _place(self.counts, number)
        file = opened(self.files[which])
        group, inside = _place([file.metadata.row_group(each).num_rows for each in range(file.num_row_groups)], within)
        return file.read_row_group(group, columns=list(self.names)).slice(inside, 1), self.files[which], within + 1


def opened(path: Path) -> pq.ParquetFile:
    """Raises ConfigError for a file that is no Parquet."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"data = {str(path)!r}: not Parquet ({error}); write it again") from error


def _place(counts: Sequence[int], number: int) -> tuple[int, int]:
    """(which part, place within it)."""
    ends = list(accumulate(counts))
    which = bisect_right(ends, number)
    return which, number - (ends[which] - counts[which])


def _files_of(root: Path) -> list[Path]:
    """By name. What is hidden, as temporary files of many writers are, is left alone."""
    found = []
    for folder, inner, names in os.walk(root, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(_HIDDEN)]
        found += [Path(folder) / name for name in names if not name.startswith(_HIDDEN)]
    files = sorted(path for path in found if path.suffix.lower() in _PARQUET)
    if not files:
        raise ConfigError(f"data = {str(root)!r}: a folder without a .parquet file; convert its tables to Parquet, or name a single table")
    if others := sorted(path for path in found if path.suffix.lower() in _OTHER_TABLES):
        raise ConfigError(f"data = {str(root)!r}: holds {others[0].name} beside Parquet files; convert it or move it elsewhere")
    return files


def _check_paths(root: Path, files: Sequence[Path], names: Sequence[str]) -> None:
    """Columns that stand in the names of folders (`held_out=1/`) are not read."""
    for path in files:
        for part in path.relative_to(root).parts[:-1]:
            if (name := part.partition("=")[0]) != part and name in {*names, HELD_OUT}:
                raise ConfigError(f"data = {str(path)!r}: {name!r} stands in the name of a folder; write it into the files as a column")


def _check_columns(path: Path, schema: pa.Schema, first: Path, expected: pa.Schema, names: Sequence[str]) -> None:
    has = {*names, HELD_OUT} & set(schema.names)
    if missing := sorted(set(names) - has):
        raise ConfigError(f"data = {str(path)!r}: lacks column {missing[0]!r}, which {first.name} has; it has {schema.names}")
    if HELD_OUT in has - set(names):
        raise ConfigError(f"data = {str(path)!r}: has a column {HELD_OUT!r}, which {first.name} lacks; give it to all files or to none")
    for name in names:
        kind, other = _kind(schema.field(name).type), _kind(expected.field(name).type)
        if kind == "bytes":
            raise ConfigError(f"data = {str(path)!r}: column {name!r} holds bytes; write it as text (UTF-8)")
        if kind != other and "nothing" not in (kind, other):
            raise ConfigError(f"data = {str(path)!r}: column {name!r} holds {kind}, in {first.name} {other}; write both alike")


def _kind(type_: pa.DataType) -> str:
    """What a column holds, however it is stored."""
    if pa.types.is_dictionary(type_):
        return _kind(type_.value_type)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return "text"
    if pa.types.is_null(type_):
        return "nothing"
    if "binary" in str(type_):
        return "bytes"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "lists"
    return str(type_)
