"""Bring a merchant's files into a shop: `python -m retrieval.ingest MAPPING.yaml [--out DIR] [--root DIR] [--engine local|ray]`.

Reads the files that the mapping names, cleans their rows, makes the four tables and media/, and reports every row refused or changed.
A table that the mapping doesn't make is written empty. Tables are replaced only once all of them are made.

Two engines run the same functions and give the same tables. `local`, the default, streams the files through this process. `ray` gives
each file to a Ray Data task, on this machine or on the cluster at RAY_ADDRESS (whose nodes see the same files and have this project
installed): worth it for exports of many files, since a single file is read by one task. The rules that need all rows at once
(duplicates, medians, folding) are Arrow group-bys in this process either way.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from retrieval.cleaning import KEPT, NOTES, Cleaned, clean_batch, joined, note, refuse_duplicates, refuse_outliers, settled
from retrieval.consent import statements
from retrieval.expressions import FILE, ColumnError, column
from retrieval.finishing import finish
from retrieval.folding import daily_changes, fold
from retrieval.mapping import Mapping, MappingError, Source, TableMapping, expand, load
from retrieval.photos import extract
from retrieval.report import Report, Stage, show
from retrieval.rules import Known
from retrieval.schemas import SCHEMAS
from retrieval.shaping import MEMBER, shape
from retrieval.sources import SourceError, batches, files
from retrieval.tables import TableError, path_of, read, write

ORDER = ("products", "shoppers", "price_history", "events")
"""Prices and events point at products and shoppers, so those come first."""

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What one mapping gives for a table, before the table's last rules. `statements`: shoppers' consent, row by row."""

    rows: pa.Table
    stage: Stage
    notes: pa.Table
    statements: pa.Table | None = None

    def apart(self, offset: int) -> "Part":
        """With file numbers of its own, so that a row which two parts read is two rows to the rules and the report."""
        moved = [
            rows
            and rows.set_column(rows.column_names.index(FILE), rows.schema.field(FILE), pc.add(rows[FILE], pa.scalar(offset, pa.int32())))
            for rows in (self.rows, self.notes, self.statements)
        ]
        return Part(moved[0], self.stage, moved[1], moved[2])


class IngestError(ValueError):
    """A shop that can't be made. The message names the file and the reasons."""


def clean_file(path: Path, number: int, source: Source, needed: dict[str, str]) -> Iterator[Cleaned]:
    """One file as cleaned batches. Pure but for reading: what the Ray engine runs on its workers."""
    for batch in batches(path, number, source):
        yield clean_batch(batch, number, source, needed)


def local_engine(paths: list[tuple[int, Path]], source: Source, needed: dict[str, str]) -> Iterator[Cleaned]:
    """The files one after the other in this process."""
    for number, path in paths:
        yield from clean_file(path, number, source, needed)


def ray_engine(paths: list[tuple[int, Path]], source: Source, needed: dict[str, str]) -> Iterator[Cleaned]:
    """The files as Ray Data tasks. Rows and notes have different schemas, so a task hands both over as Arrow IPC bytes."""
    import ray.data

    def cleaned(files_of_task: pa.Table) -> Iterator[pa.Table]:
        for number, path in zip(files_of_task["number"].to_pylist(), files_of_task["path"].to_pylist(), strict=True):
            for done in clean_file(Path(path), number, source, needed):
                yield pa.table({"rows": [_to_bytes(done.rows)], "notes": [_to_bytes(done.notes)]})

    if not ray.is_initialized():
        # a small object store: batches of cleaned rows are all that ever lies in it
        alone: dict[str, Any] = {"address": "local", "include_dashboard": False, "object_store_memory": 400_000_000}
        ray.init(**({} if os.environ.get("RAY_ADDRESS") else alone), log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [{"number": number, "path": str(path.resolve())} for number, path in paths]
    dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(cleaned, batch_format="pyarrow")
    for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for rows, notes in zip(block["rows"], block["notes"], strict=True):
            yield Cleaned(pa.ipc.open_stream(rows.as_buffer()).read_all(), pa.ipc.open_stream(notes.as_buffer()).read_all())


ENGINES = {"local": local_engine, "ray": ray_engine}


def _to_bytes(table: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


class Ingestion:
    """One run: a mapping, where its files and its shop are, and the report that it fills."""

    def __init__(self, mapping_file: Path, out: Path | None = None, root: Path | None = None, engine: str = "local") -> None:
        self.mapping_file = mapping_file
        self.mapping: Mapping = load(mapping_file)
        self.shop = out or Path(self.mapping.shop)
        self.root = root
        self.engine = ENGINES[engine]
        self.report = Report(str(mapping_file), str(self.shop), engine, self.mapping.assumptions)

    def run(self, told: Told = lambda rows: None) -> Report:
        """Make the shop. `told` hears how many rows have been read. Raises MappingError, SourceError, TableError or IngestError."""
        began = time.perf_counter()
        sources = {name: self._source(name, source, told) for name, source in self.mapping.sources.items()}
        tables: dict[str, pa.Table] = {}
        known = Known()
        for table in ORDER:
            tables[table] = self._table(table, sources, known)
            if table == "products":
                self._refuse_empty(tables[table])
                known.products = tables[table]["product_id"].combine_chunks()
            if table == "shoppers":
                known.shoppers = tables[table]["shopper_id"].combine_chunks()
        tables["products"] = _versioned(tables["products"], self.shop)
        for table, rows in tables.items():
            write(self.shop, table, rows)
        self.report.seconds = time.perf_counter() - began
        return self.report

    def _source(self, name: str, source: Source, told: Told) -> pa.Table:
        """A source's rows that stay, typed; the rest is in the report."""
        first = len(self.report.files)
        paths = list(enumerate(files(expand(source.path, self.mapping_file, self.root)), first))
        self.report.files += [str(path) for _, path in paths]
        needed = self.mapping.needed(name)
        rows: list[pa.Table] = []
        notes: list[pa.Table] = []
        try:
            for cleaned in self.engine(paths, source, needed):
                rows.append(cleaned.rows)
                notes.append(cleaned.notes)
                told(cleaned.rows.num_rows)
        except ColumnError as error:
            raise MappingError(f"{self.mapping_file}: {error} (source {name}: {source.path})") from error
        kept = pa.concat_tables(rows, promote_options="default")
        empty = [column for column in sorted(needed) if kept.num_rows and kept[column].null_count == kept.num_rows]
        self.report.remarks += [f"source {name}: no row has a value in {empty}"] if empty else []
        notes = [joined(notes)]
        refused = pc.sum(pc.equal(notes[0]["action"], "refused")).as_py() or 0
        stage = Stage(read=kept.num_rows + refused)
        for rule in (
            refuse_duplicates,
            *((lambda table, outlier=outlier: refuse_outliers(table, outlier)) for outlier in source.rules.outliers),
        ):
            cleaned = rule(kept)
            kept = cleaned.rows
            notes.append(cleaned.notes)
        stage.written = kept.num_rows
        self.report.add(f"source {name}", stage, settled(joined(notes)))
        return kept

    def _table(self, table: str, sources: dict[str, pa.Table], known: Known) -> pa.Table:
        """One of our tables, out of every part that the mapping gives for it."""
        parts = [self._part(table, mapping, sources[mapping.source]) for mapping in self.mapping.tables.get(table, [])]  # type: ignore[call-overload]
        if not parts:
            self.report.add(table, Stage(), joined([]))
            return SCHEMAS[table].empty_table()
        files = max(len(self.report.files), 1)
        parts = [part.apart(number * files) for number, part in enumerate(parts)]
        if said := [part.statements for part in parts if part.statements is not None]:
            known.statements = pa.concat_tables(said)
        finished = finish(table, pa.concat_tables([part.rows for part in parts], promote_options="default"), known)
        stage = Stage()
        for part in parts:
            stage.add(part.stage)
        stage.written = finished.rows.num_rows
        notes = settled(joined([*(part.notes for part in parts), finished.notes]))
        numbers = pa.array(notes[FILE].to_numpy() % files, pa.int32())
        self.report.add(table, stage, notes.set_column(0, NOTES.field(FILE), numbers))
        return finished.rows

    def _part(self, table: str, mapping: TableMapping, rows: pa.Table) -> Part:
        """One mapping's rows for a table, before the table's last rules."""
        try:
            folded = fold(rows, mapping)
            shaped = shape(table, mapping, folded.rows)
            said = statements(mapping, folded) if table == "shoppers" else None
        except ColumnError as error:
            raise MappingError(f"{self.mapping_file}: tables.{table}: {error}") from error
        except MappingError as error:
            raise MappingError(f"{self.mapping_file}: {error}") from error
        stage = Stage(read=rows.num_rows, set_aside=folded.set_aside, folded=folded.folded)
        made, notes = shaped.rows, [folded.notes, shaped.notes]
        if mapping.daily_changes:
            daily = daily_changes(made)
            stage.folded += made.num_rows - daily.num_rows
            made = daily
        if mapping.media:
            made, told = self._photos(made, mapping.media.tar)
            notes.append(told)
        return Part(made, stage, joined(notes), said)

    def _photos(self, rows: pa.Table, tar: str) -> tuple[pa.Table, pa.Table]:
        """Products with their photo from the archive, and a note on each without one."""
        members = column(rows, MEMBER)
        found = extract(expand(tar, self.mapping_file, self.root), set(members.drop_null().to_pylist()), self.shop / "media")
        images = [[f"media/{Path(name).name}"] if name in found else [] for name in members.to_pylist()]
        at = rows.column_names.index("images")
        lacking = pc.invert(pc.is_in(members, pa.array(sorted(found), pa.string()))).to_numpy(zero_copy_only=False)
        told = note(rows, lacking, (KEPT, "no_photo", "images"), members)
        return rows.set_column(at, "images", pa.array(images, pa.list_(pa.string()))).drop_columns([MEMBER]), told

    def _refuse_empty(self, products: pa.Table) -> None:
        """A shop without a product is an error, with the report written all the same so that its rows can be looked at."""
        if products.num_rows:
            return
        self.report.write(self.shop)
        reasons = self.report.refusals("products", *(f"source {name}" for name in self.mapping.sources)) or "the files have no rows"
        raise IngestError(
            f"{', '.join(self.report.files)}: no product is left: {reasons}. "
            f"Correct the mapping {self.mapping_file}; {self.shop / 'report_rows.parquet'} lists the rows"
        )


def _versioned(products: pa.Table, shop: Path) -> pa.Table:
    """A row that differs from the shop's present one gets the next version; one that doesn't keeps its version."""
    if not path_of(shop, "products").is_file():
        return products
    before = {(row["product_id"], row["locale"]): row for row in read(shop, "products").to_pylist()}
    versions = []
    for row in products.select(SCHEMAS["products"].names).cast(SCHEMAS["products"]).to_pylist():
        old = before.get((row["product_id"], row["locale"]))
        same = old is not None and all(row[name] == old[name] for name in row if name != "version")
        versions.append(row["version"] if old is None else max(row["version"], old["version"] + (not same)))
    return products.set_column(products.column_names.index("version"), "version", pa.array(versions, pa.int64()))


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status: 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m retrieval.ingest", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("mapping", type=Path)
    parser.add_argument("--out", type=Path, help="the shop's directory (default: the mapping's `shop`)")
    parser.add_argument("--root", type=Path, help="what the mapping's paths are relative to (default: the mapping file)")
    parser.add_argument("--engine", choices=ENGINES, default="local")
    given = parser.parse_args(arguments)
    progress = Progress(
        TextColumn("reading"), BarColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn(), console=Console(stderr=True)
    )
    try:
        with progress:
            task = progress.add_task("reading", total=None)
            ingestion = Ingestion(given.mapping, given.out, given.root, given.engine)
            report = ingestion.run(lambda rows: progress.advance(task, rows))
    except (MappingError, SourceError, TableError, IngestError) as error:
        print(error, file=sys.stderr)
        return 1
    show(report.write(ingestion.shop), Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
