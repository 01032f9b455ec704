"""From a shop's events to what its shoppers and products are like: `python -m retrieval.portrait SHOP [--engine local|ray] [--workers N]`.

Reads the tables that `retrieval.ingest` wrote and adds to the same directory, each replaced only once it is made: clean_events, sessions,
shopper_features, product_features, segments, shopper_segments and associations (`retrieval.tables` describes their columns), and a
report of every row refused, changed or noted. Sessions, features, segments, baskets and remarks on money are of shoppers who consent and
of nobody else; clean_events and the report keep everybody's rows, as events does, and a machine is named whoever it says it is.
Options: `--rates FILE` converts amounts, `--basket session|day|shopper` says what was bought together, `--seed` is that of the segments.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from retrieval import schemas, tables
from retrieval.behaviour.associations import associations
from retrieval.behaviour.backdrop import UTC_ZONE, Setting, backdrop
from retrieval.behaviour.bots import limit
from retrieval.behaviour.bucket_work import BASKETS, Verdict, describe_bucket, first_anchor, settle_bucket
from retrieval.behaviour.buckets import ENGINES, ROWS_PER_BUCKET, Engine, Stats, bucket_count, engine_of
from retrieval.behaviour.currencies import Rates, RatesError, load_rates
from retrieval.behaviour.product_features import Totals
from retrieval.behaviour.report import BehaviourReport, marks, show
from retrieval.behaviour.segments import find_segments

BY_BUCKET = ("clean_events", "sessions", "shopper_features")
"""Tables whose parts are simply put one after the other."""


@dataclass(slots=True)
class Portrait:
    """One run over a shop. `now` is the instant that consent, the future and ages are judged by; `rows_per_bucket` what is held at once."""

    shop: Path
    engine: str = "local"
    workers: int | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    rates: Rates = field(default_factory=Rates)
    basket: str = "session"
    seed: int = 0
    rows_per_bucket: int = ROWS_PER_BUCKET

    def run(self) -> dict[str, Any]:
        """Make the tables and the report; returns the report's summary. Raises TableError, ValueError."""
        began = time.perf_counter()
        engine = engine_of(self.engine, self.workers)
        with _work_directory(self.shop) as work:
            setting = Setting(self.shop, work, self.now, self.basket, self.rates)
            report = BehaviourReport(str(self.shop), self.engine, self.now.isoformat())
            _Run(setting, engine, report, self.seed, self.rows_per_bucket).go()
            report.seconds = time.perf_counter() - began
            return report.close(self.shop / "behaviour_report.json")


@contextmanager
def _work_directory(shop: Path) -> Iterator[Path]:
    """Beside the tables, so that every node of a cluster sees it and a rename into place is one step."""
    if not shop.is_dir():
        raise tables.TableError(f"{shop}: no such directory; make a shop with `python -m retrieval.ingest MAPPING.yaml --out {shop}`")
    work = Path(tempfile.mkdtemp(prefix=".portrait-", dir=shop.resolve()))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(slots=True)
class _Run:
    """The steps, in order."""

    setting: Setting
    engine: Engine
    report: BehaviourReport
    seed: int
    rows_per_bucket: int

    def go(self) -> None:
        settled = self._settle()
        numbers = [stats["number"] for stats in settled]
        self.report.read = sum(stats["read"] for stats in settled)
        verdict = _verdict(settled, self.setting.now)
        described = self.engine.describe(numbers, partial(describe_bucket, setting=self.setting, verdict=verdict))
        self.report.kept = sum(stats["kept"] for stats in described)
        for table in BY_BUCKET:
            self.report.made[table] = self._put(table, self._parts(table, numbers))
        mixed = self._products(numbers)
        self._segments()
        made = associations(lambda: self._parts("baskets", numbers), backdrop(self.setting).known.products)
        self.report.remarks.append(made.told)
        self.report.made["associations"] = self._put("associations", [made.rules])
        self._write_report(numbers, mixed)
        self._remark(verdict)
        self._publish()

    def _settle(self) -> list[Stats]:
        path = tables.path_of(self.setting.shop, "events")
        if not path.is_file():
            raise tables.TableError(
                f"{path}: no such table; make it with `python -m retrieval.ingest MAPPING.yaml` or `python -m demo.shop`"
            )
        backdrop(self.setting)  # a shop that can't be read is told of here, not by a task
        if pq.read_metadata(path).num_rows == 0:
            return []
        return self.engine.settle(self.setting, bucket_count(path, self.rows_per_bucket), partial(settle_bucket, setting=self.setting))

    def _parts(self, name: str, numbers: list[int]) -> Iterator[pa.Table]:
        for number in numbers:
            yield pq.read_table(self.setting.part(name, number))

    def _put(self, table: str, parts: Any) -> int:
        """Write a table into the work directory, part by part. Returns its rows."""
        path, schema, rows = self.setting.run / f"{table}.parquet", schemas.DERIVED[table], 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in parts:
                writer.write_table(tables.conform(part, schema, path))
                rows += part.num_rows
        return rows

    def _products(self, numbers: list[int]) -> pa.Table:
        """product_features, and the marks on products that were paid in several currencies."""
        totals = Totals(backdrop(self.setting).known.products)
        for part in self._parts("products", numbers):
            totals.add(part)
        self.report.made["product_features"] = self._put("product_features", [totals.table()])
        return marks("product", "mixed_currencies", totals.mixed())

    def _segments(self) -> None:
        found = find_segments(self.setting.run / "shopper_features.parquet", self.seed)
        self.report.made["segments"] = self._put("segments", [found.table()])
        self.report.made["shopper_segments"] = self._put("shopper_segments", found.assignments())
        found.model.save(self.setting.run / "segment_model.json")
        self.report.remarks += found.remarks

    def _write_report(self, numbers: list[int], mixed: pa.Table) -> None:
        notes = (part for number in numbers for name in ("notes-settled", "notes-described") for part in self._parts(name, [number]))
        self.report.write_rows(notes, self.setting.run / "behaviour_rows.parquet")
        self.report.write_marks((*self._parts("marks", numbers), mixed), self.setting.run / "behaviour_marks.parquet")

    def _remark(self, verdict: Verdict) -> None:
        """What a reader has to know to read the tables right."""
        said = [f"ages count from {verdict.anchor.isoformat()}"]
        said += [
            f"more than {bound.most:,.0f} events in a {bound.unit} are a machine's; typical is {bound.typical:,.0f}"
            for bound in verdict.limits
        ]
        said.append(f"a basket is what was {BASKETS[self.setting.basket]}")
        rates = self.setting.rates
        if rates.base:
            said.append(f"amounts were converted to {rates.base} at the given rates, whatever the day of the purchase")
        elif any(rule == "mixed_currencies" for _, rule in self.report.marked):
            said.append("amounts were not converted (no --rates): monetary and mean_basket are in each shopper's main currency alone")
        facts = backdrop(self.setting)
        elsewhere = facts.zones.to_pylist().count(UTC_ZONE)
        if elsewhere:
            said.append(f"hours and weekdays of {elsewhere:,} shoppers are in UTC: their locale has no single known time zone")
        self.report.remarks = [*said, *self.report.remarks]

    def _publish(self) -> None:
        """Everything is made: put it in place, each file by a rename."""
        names = (
            *(f"{table}.parquet" for table in schemas.DERIVED),
            "segment_model.json",
            "behaviour_rows.parquet",
            "behaviour_marks.parquet",
        )
        for name in names:
            (self.setting.run / name).replace(self.setting.shop / name)


def _verdict(settled: list[Stats], now: datetime) -> Verdict:
    """Limits from every bucket's histograms, and the anchor."""
    limits = []
    for unit in ("minute", "day"):
        together: dict[int, int] = {}
        for stats in settled:
            for peak, shoppers in stats["histograms"][unit]:
                together[peak] = together.get(peak, 0) + shoppers
        limits.append(limit(unit, dict(sorted(together.items()))))
    return Verdict(tuple(limits), first_anchor([stats["latest"] for stats in settled if stats["latest"] is not None], now))


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status: 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m retrieval.portrait", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("shop", type=Path)
    parser.add_argument("--engine", choices=ENGINES, default="local")
    parser.add_argument("--workers", type=int, help="tasks at a time, with --engine ray (default: every core)")
    parser.add_argument("--rates", type=Path, help="YAML with base and rates")
    parser.add_argument("--basket", choices=BASKETS, default="session")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        rates = load_rates(given.rates) if given.rates else Rates()
        summary = Portrait(given.shop, given.engine, given.workers, rates=rates, basket=given.basket, seed=given.seed).run()
    except (tables.TableError, RatesError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    show(summary, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
