"""The events by whole shoppers: rows are spread over buckets by a hash of shopper_id, and each bucket is worked on by itself.

A bucket is what is held in memory at once, about 100,000 rows, however long the log is; what a bucket becomes lies in Parquet files of
the run's work directory. Two engines run the same functions and give the same tables. `local` streams row groups through this process
and spills them to bucket files. `ray` leaves the spreading to Ray Data's own shuffle and gives each bucket to a task, on this machine or
on the cluster at RAY_ADDRESS (whose nodes see the shop's directory and have this project installed). One shopper is never split, so a
shopper with millions of events makes a large bucket.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval import schemas, tables
from retrieval.behaviour.backdrop import Setting
from retrieval.expressions import column

ROWS_PER_BUCKET = 100_000
BATCH_ROWS = 64_000
BUFFERED_ROWS = 256_000
"""Rows waiting for their bucket files, in all: few and large writes, within a bound."""
BUCKET = "_bucket"

Stats = dict[str, Any]
Settle = Callable[[pa.Table, int], Stats]
Describe = Callable[[int], Stats]


class Engine(Protocol):
    """`settle` runs on the rows of each bucket, `describe` on each bucket's number; both give small JSON, in order of the buckets."""

    def settle(self, setting: Setting, buckets: int, work: Settle) -> list[Stats]:
        """Spread the shop's events and run `work(rows, number)` on every bucket that has rows."""
        ...

    def describe(self, numbers: list[int], work: Describe) -> list[Stats]:
        """Run `work(number)` on these buckets."""
        ...


def events_schema(path: Path) -> pa.Schema:
    """The columns to read, with their types: those of the events table, and `channel` where the file has it. Raises TableError."""
    present = pq.read_schema(path).names
    if missing := [name for name in schemas.EVENTS.names if name not in present]:
        raise tables.TableError(f"{path}: missing column(s) {missing}; the table needs {schemas.EVENTS.names}")
    return schemas.EVENTS.append(pa.field("channel", pa.string())) if "channel" in present else schemas.EVENTS


def bucket_count(path: Path, rows_per_bucket: int) -> int:
    """Buckets for a file: by its rows."""
    rows: int = pq.read_metadata(path).num_rows
    return max(1, -(-rows // rows_per_bucket))


def with_bucket(rows: pa.Table, buckets: int) -> pa.Table:
    """The rows with their bucket. CRC-32: the same in every process, unlike `hash`."""
    shoppers = column(rows, "shopper_id").dictionary_encode()
    number = pa.array([zlib.crc32(shopper.encode()) % buckets for shopper in shoppers.dictionary.to_pylist()], pa.int32())
    return rows.append_column(BUCKET, number.take(shoppers.indices))


class LocalEngine:
    """Everything in this process, a bucket after the other."""

    def settle(self, setting: Setting, buckets: int, work: Settle) -> list[Stats]:
        """Spread over spill files, then one bucket at a time."""
        path = tables.path_of(setting.shop, "events")
        schema = events_schema(path)
        spill = Spill(setting, schema)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=schema.names):
                spill.add(with_bucket(tables.conform(pa.Table.from_batches([batch]), schema, path), buckets))
        return [work(rows, number) for number, rows in spill.buckets()]

    def describe(self, numbers: list[int], work: Describe) -> list[Stats]:
        """One after the other."""
        return [work(number) for number in numbers]


class Spill:
    """Bucket files, written in few large pieces."""

    def __init__(self, setting: Setting, schema: pa.Schema, buffered_rows: int = BUFFERED_ROWS) -> None:
        self._setting, self._schema, self._buffered_rows = setting, schema, buffered_rows
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._writers: dict[int, pq.ParquetWriter] = {}

    def add(self, rows: pa.Table) -> None:
        """Take rows that have their bucket."""
        self._waiting.append(rows)
        self._rows += rows.num_rows
        if self._rows >= self._buffered_rows:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        together = pa.concat_tables(self._waiting).sort_by(BUCKET)
        runs = column(together, BUCKET).value_counts()
        start = 0
        for number, size in zip(runs.field("values").to_pylist(), runs.field("counts").to_pylist(), strict=True):
            writer = self._writers.get(number) or pq.ParquetWriter(self._setting.part("spill", number), self._schema, compression="lz4")
            self._writers[number] = writer
            writer.write_table(together.slice(start, size).drop_columns([BUCKET]))
            start += size
        self._waiting, self._rows = [], 0

    def buckets(self) -> Iterator[tuple[int, pa.Table]]:
        """Each bucket's rows; its file is gone afterwards."""
        self._flush()
        for writer in self._writers.values():
            writer.close()
        for number in sorted(self._writers):
            path = self._setting.part("spill", number)
            yield number, pq.read_table(path)
            path.unlink()


class RayEngine:
    """Buckets as Ray Data tasks, `workers` at a time (default: every core)."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers

    def settle(self, setting: Setting, buckets: int, work: Settle) -> list[Stats]:
        """Spread by Ray's shuffle."""
        data = self._started()
        path = tables.path_of(setting.shop, "events")
        schema = events_schema(path)

        def spread(rows: pa.Table) -> pa.Table:
            return with_bucket(tables.conform(rows, schema, path), buckets)

        def settled(rows: pa.Table) -> pa.Table:
            number = rows[BUCKET][0].as_py()
            return _row(number, work(rows.drop_columns([BUCKET]).cast(schema), number))

        read = data.read_parquet(str(path.resolve())).select_columns(schema.names)
        grouped = read.map_batches(spread, batch_format="pyarrow", batch_size=BATCH_ROWS).groupby(BUCKET, num_partitions=buckets)
        return _rows(grouped.map_groups(settled, batch_format="pyarrow"))

    def describe(self, numbers: list[int], work: Describe) -> list[Stats]:
        """One task a bucket."""

        def described(rows: pa.Table) -> pa.Table:
            return pa.concat_tables([_row(number, work(number)) for number in rows["number"].to_pylist()])

        if not numbers:
            return []
        items = self._started().from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
        return _rows(items.map_batches(described, batch_format="pyarrow", batch_size=None))

    def _started(self) -> Any:
        """Ray Data, on a cluster of this process's own where there is none."""
        import ray.data

        if not ray.is_initialized():
            alone: dict[str, Any] = {"address": "local", "include_dashboard": False, "object_store_memory": 400_000_000}
            if self._workers:
                alone["num_cpus"] = self._workers
            ray.init(**({} if os.environ.get("RAY_ADDRESS") else alone), log_to_driver=False, logging_level="ERROR")
        ray.data.DataContext.get_current().enable_progress_bars = False
        return ray.data


def _row(number: int, stats: Stats) -> pa.Table:
    return pa.table({"number": pa.array([number], pa.int64()), "stats": [json.dumps(stats)]})


def _rows(dataset: Any) -> list[Stats]:
    """What the tasks said, in order of the buckets."""
    found = sorted((row["number"], row["stats"]) for row in dataset.iter_rows())
    return [json.loads(stats) for _, stats in found]


def engine_of(name: str, workers: int | None = None) -> Engine:
    """`local` or `ray`. Raises ValueError for workers that the engine doesn't have."""
    if name == "local" and workers:
        raise ValueError(f"--workers {workers}: the local engine is one process; leave it out, or give --engine ray")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers {workers}: give 1 or more")
    return ENGINES[name](workers)


ENGINES: dict[str, Callable[[int | None], Engine]] = {"local": lambda workers: LocalEngine(), "ray": RayEngine}
