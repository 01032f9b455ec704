"""Ingestion of a year of invoice lines, beside the pandas script that one would write for it: `python -m benchmarks.ingest [--ray]`.

Both make the same four tables out of the 541,909 lines of UCI Online Retail, in processes of their own, in turns; figures are medians
of three runs. The script has no report, no cancellation matching, no names and no verticals. Peak memory is the resident memory of the
whole process tree, summed, so pages that processes share count more than once.
CPU seconds stay true on a machine that is shared. `--ray` adds one run of the Ray Data engine.
The data is looked for in SUASION_DATA (default: ../shared/data beside the project).
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow.parquet as pq
from tqdm import tqdm

from benchmarks.record import record

PROJECT = Path(__file__).resolve().parents[1]
MAPPING = PROJECT / "examples" / "mappings" / "online_retail.yaml"
RUNS = 3
SAMPLE_S = 0.05


def data_file() -> Path:
    """Where the lines are."""
    root = Path(os.environ.get("SUASION_DATA") or PROJECT.parent / "shared" / "data")
    return root / "online_retail" / "online_retail.tsv.gz"


def pandas_script(source: Path, out: Path) -> None:
    """The alternative: the same tables by plain pandas."""
    lines = pd.read_csv(source, sep="\t", dtype={"InvoiceNo": str, "StockCode": str, "CustomerID": str}, parse_dates=["InvoiceDate"])
    lines["line"] = range(1, len(lines) + 1)
    lines["StockCode"] = lines["StockCode"].str.upper()
    lines = lines[~lines["StockCode"].str.contains(r"^(?:POST|DOT|C2|D|M|S|B|CRUK|PADS|AMAZONFEE|BANK CHARGES)$|^GIFT_")]
    lines = lines[lines["UnitPrice"] > 0].drop_duplicates(subset=lines.columns.difference(["line"]))
    ratio = lines["UnitPrice"] / lines.groupby("StockCode")["UnitPrice"].transform("median")
    lines = lines[ratio.between(1 / 50, 50)]
    lines = lines[lines["Quantity"].abs() <= 5000 * lines["Quantity"].abs().median()]
    lines["at"] = lines["InvoiceDate"].dt.tz_localize("Europe/London", ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
    cancelled = lines["InvoiceNo"].str.startswith("C")
    sales = lines[~cancelled]
    titles = sales.groupby(["StockCode", "Description"]).size().sort_values(ascending=False).reset_index().drop_duplicates("StockCode")
    recent = sales[sales["at"] >= sales.groupby("StockCode")["at"].transform("max") - pd.Timedelta(days=30)]
    price = recent.groupby("StockCode")["UnitPrice"].quantile(0.5, interpolation="lower").rename("price")
    products = titles.merge(price, left_on="StockCode", right_index=True)[["StockCode", "Description", "price"]]
    products.to_parquet(out / "products.parquet")
    daily = sales.groupby(["StockCode", sales["at"].dt.date, "UnitPrice"]).size().sort_values(ascending=False).reset_index()
    daily = daily.drop_duplicates(["StockCode", "at"]).sort_values(["StockCode", "at"])
    daily[daily["UnitPrice"] != daily.groupby("StockCode")["UnitPrice"].shift()].to_parquet(out / "price_history.parquet")
    known = lines[lines["CustomerID"].notna()]
    countries = known.groupby(["CustomerID", "Country"]).size().sort_values(ascending=False).reset_index()
    countries.drop_duplicates("CustomerID").to_parquet(out / "shoppers.parquet")
    events = known[known["StockCode"].isin(products["StockCode"])].copy()
    events["event_id"] = events["InvoiceNo"] + "-" + events["line"].astype(str)
    events["kind"] = cancelled.loc[events.index].map({True: "cancellation", False: "purchase"})
    events["value"] = (events["UnitPrice"] * events["Quantity"]).abs()
    events.to_parquet(out / "events.parquet")


def measured(command: list[str], progress: "tqdm[Any]") -> tuple[float, float, float]:
    """Wall seconds, peak MB and CPU seconds of a command's whole process tree. Raises CalledProcessError where it fails."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        tree = psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, _resident(tree))
            time.sleep(SAMPLE_S)
        if running.returncode:
            raise subprocess.CalledProcessError(running.returncode, command, stderr=running.stderr.read() if running.stderr else b"")
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    progress.update()
    return wall, peak / 1e6, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _resident(tree: psutil.Process) -> int:
    """Bytes resident in a process and all below it."""
    total = 0
    try:
        processes = [tree, *tree.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # ended between the listing and the look
            continue
    return total


def same_prices(ours: Path, theirs: Path) -> float:
    """The share of the products of both whose price is the same: how far the two do the same work."""
    left = pq.read_table(ours / "products.parquet", columns=["product_id", "price"]).to_pandas().set_index("product_id")["price"]
    right = pd.read_parquet(theirs / "products.parquet").set_index("StockCode")["price"]
    both = pd.concat([left.astype(float), right.rename("script")], axis=1, join="inner")
    return float(((both["price"] - both["script"]).abs() < 0.005).mean())


def main() -> int:
    """Run, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest")
    parser.add_argument("--ray", action="store_true", help="measure the Ray Data engine too, once")
    parser.add_argument("--script", nargs=1, type=Path, metavar="OUT", help="only run the pandas script (this benchmark calls itself so)")
    given = parser.parse_args()
    source = data_file()
    if not source.is_file():
        print(f"benchmarks.ingest: skipped, {source} is missing; set SUASION_DATA to the directory that holds online_retail/")
        return 0
    if given.script:
        pandas_script(source, given.script[0])
        return 0
    with tempfile.TemporaryDirectory() as folder, tqdm(total=2 * RUNS + given.ray, desc="ingest", unit="run") as progress:
        ours, script, ray = (Path(folder) / name for name in ("ours", "script", "ray"))
        script.mkdir()
        ingest = [sys.executable, "-m", "retrieval.ingest", str(MAPPING), "--out"]
        alone = [sys.executable, "-m", "benchmarks.ingest", "--script", str(script)]
        pairs = [(measured([*ingest, str(ours)], progress), measured(alone, progress)) for _ in range(RUNS)]
        lines = 541_909
        seconds, peak, cpu = (statistics.median(ours_run[part] for ours_run, _ in pairs) for part in range(3))
        script_seconds, script_peak, script_cpu = (statistics.median(script_run[part] for _, script_run in pairs) for part in range(3))
        figures: dict[str, float | int | str] = {
            "rows": lines,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(cpu, 2),
            "rows_per_second": round(lines / seconds),
            "peak_mb": round(peak),
            "pandas_seconds": round(script_seconds, 2),
            "pandas_cpu_seconds": round(script_cpu, 2),
            "pandas_peak_mb": round(script_peak),
            "seconds_vs_pandas": round(seconds / script_seconds, 2),
            "cpu_vs_pandas": round(cpu / script_cpu, 2),
            "peak_vs_pandas": round(peak / script_peak, 2),
            "same_prices": round(same_prices(ours, script), 4),
            "load_average": round(os.getloadavg()[0], 1),
        }
        if given.ray:
            ray_seconds, ray_peak, _ = measured([*ingest, str(ray), "--engine", "ray"], progress)
            figures |= {"ray_seconds": round(ray_seconds, 2), "ray_peak_mb": round(ray_peak)}
    record("ingest", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
