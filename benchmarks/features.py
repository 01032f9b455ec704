"""From raw events to features, segments and rules, at two sizes and on three engines: `python -m benchmarks.features [--small]`.

`python -m retrieval.portrait` in a process of its own, on UCI Online Retail (a year of invoices, made into a shop by its example mapping)
and on made-up events: 200 thousand rows and ten times as many, of 20 and 200 thousand shoppers over 2,000 products (a seed, no data).
Engines: local, and Ray Data with 1 and 2 workers. Rows per second count everything, start included. Peak memory is the resident memory
of the whole process tree, summed, so pages that processes share count more than once; `flat` is the local peak of ten times the rows
over that of the small log. `--small` is a tenth of the made-up rows on the local engine only, and keeps no figures.
Online Retail is looked for in SUASION_DATA (default: ../shared/data beside the project) and skipped where it is missing.
"""

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from benchmarks.ingest import MAPPING, data_file, measured
from benchmarks.record import Figures, record
from copywriting.taxonomy import VERTICALS
from retrieval import schemas, tables

SEED = 7
ROWS = 200_000
TIMES = 10
EVENTS_EACH = 10
"""Events of a shopper, on average."""
PRODUCTS = 2_000
ENGINES = {"local": [], "ray1": ["--engine", "ray", "--workers", "1"], "ray2": ["--engine", "ray", "--workers", "2"]}
END = datetime(2026, 1, 31, tzinfo=UTC)
_DAY_US = 86_400_000_000
_CHUNK = 100_000


def made_up(shop: Path, rows: int) -> None:
    """A shop with so many events: a few products are popular, each shopper has a favourite hour, one row in fifty is a repeated tap."""
    rng = np.random.default_rng([SEED, rows])
    kinds = [(vertical, kind) for vertical, mine in VERTICALS.items() for kind in mine]
    products = [_product(number, *kinds[number % len(kinds)]) for number in range(PRODUCTS)]
    tables.write(shop, "products", pa.Table.from_pylist(products, schema=schemas.PRODUCTS))
    people = rows // EVENTS_EACH
    ids = pa.array([f"s{number}" for number in range(people)])
    empty = pa.array([[] for _ in range(people)], pa.map_(pa.string(), pa.string()))
    consent = pa.array(rng.random(people) < 0.9)
    columns = [ids, consent, pa.nulls(people, schemas.INSTANT), pa.repeat(pa.scalar("en-GB"), people), empty]
    tables.write(shop, "shoppers", pa.Table.from_arrays(columns, schema=schemas.SHOPPERS))
    with pq.ParquetWriter(tables.path_of(shop, "events"), schemas.EVENTS) as writer:
        for start in range(0, rows, _CHUNK):
            writer.write_table(_events(rng, start, min(_CHUNK, rows - start), people))


def _product(number: int, vertical: str, kind: str) -> dict[str, Any]:
    price = Decimal(5 + number % 97)
    empty: dict[str, list[str]] = {name: [] for name in ("attributes", "certificates", "images", "videos")}
    return {"product_id": f"p{number}", "locale": "en-GB", "title": f"Product {number}", "name": f"Product {number}", "vertical": vertical,
            "kind": kind, "category": [vertical, kind], "price": price, "currency": "GBP", "version": 1} | empty  # fmt: skip


def _events(rng: np.random.Generator, start: int, count: int, people: int) -> pa.Table:
    """Some of the events, in no order of time, as a log of many machines is."""
    who = rng.integers(people, size=count)
    product = (PRODUCTS * rng.random(count) ** 2).astype(np.int64)
    hour_us = ((who % 24) * 3600 + rng.integers(3600, size=count)) * 1_000_000
    at = int(END.timestamp() * 1e6) - rng.integers(1, 90, size=count) * _DAY_US + hour_us
    kind = rng.choice(4, p=[0.7, 0.15, 0.1, 0.05], size=count)
    tap = np.flatnonzero(rng.random(count) < 0.02)
    tap = tap[tap > 0]
    for values in (who, product, kind):
        values[tap] = values[tap - 1]
    at[tap] = at[tap - 1] + 800_000
    amount = np.where(kind == 2, 5.0 + product % 97, np.nan)
    columns = {
        "event_id": pa.array([f"e{number}" for number in range(start, start + count)]),
        "shopper_id": pa.array(np.char.add("s", who.astype(str))),
        "product_id": pa.array(np.char.add("p", product.astype(str)), mask=kind == 3),
        "kind": pa.array(np.array(["view", "cart", "purchase", "search"])[kind]),
        "value": pa.array(amount, mask=kind != 2),
        "quantity": pa.array(np.ones(count, np.int32), mask=kind != 2),
        "currency": pa.array(np.full(count, "GBP"), mask=kind != 2),
        "text": pa.array(np.char.add("words ", (product % 50).astype(str)), mask=kind != 3),
        "at": pa.array(at, schemas.INSTANT),
    }
    return pa.table(columns).cast(schemas.EVENTS)


def figures_of(name: str, shop: Path, engines: list[str], progress: "tqdm[Any]") -> Figures:
    """Rows per second and peak of each engine on a shop."""
    found: Figures = {f"{name}_rows": pq.read_metadata(tables.path_of(shop, "events")).num_rows}
    for engine in engines:
        command = [sys.executable, "-m", "retrieval.portrait", str(shop), *ENGINES[engine]]
        seconds, peak, cpu = measured(command, progress)
        rate = int(found[f"{name}_rows"]) / seconds
        found |= {f"{name}_{engine}_rows_per_second": round(rate), f"{name}_{engine}_cpu_seconds": round(cpu, 1)}
        found[f"{name}_{engine}_peak_mb"] = round(peak)
    return found


def main() -> int:
    """Run, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features")
    parser.add_argument("--small", action="store_true", help="a tenth of the made-up rows, local engine only; keeps no figures")
    given = parser.parse_args()
    engines = ["local"] if given.small else list(ENGINES)
    rows = ROWS // 10 if given.small else ROWS
    figures: Figures = {}
    real = data_file().is_file() and not given.small
    if not data_file().is_file():
        print(f"benchmarks.features: Online Retail skipped, {data_file()} is missing; set SUASION_DATA to the directory of online_retail/")
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(engines) * (2 + real) + real, desc="features", unit="run") as progress:
        if real:
            shop = Path(folder) / "retail"
            measured([sys.executable, "-m", "retrieval.ingest", str(MAPPING), "--out", str(shop)], progress)
            figures |= figures_of("retail", shop, engines, progress)
        for name, size in (("made_up", rows), (f"made_up_x{TIMES}", TIMES * rows)):
            shop = Path(folder) / name
            shop.mkdir()
            made_up(shop, size)
            figures |= figures_of(name, shop, engines, progress)
    figures["flat"] = round(float(figures[f"made_up_x{TIMES}_local_peak_mb"]) / float(figures["made_up_local_peak_mb"]), 2)
    figures["load_average"] = round(os.getloadavg()[0], 1)
    if given.small:
        print(figures)
    else:
        record("features", figures, SEED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
