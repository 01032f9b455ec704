"""A folder of Parquet files read as a stream beside the same rows read at once: memory and time: `python -m benchmarks.train_stream [--rows
300000]`.

Rows are prompts with completions of about eighty tokens, made of the copybook's templates. Each way in a process of its own:

whole     one file, read and tokenised by the worker, as every table is
gather    a folder of twenty files, tokenised by Ray Data into a store on disk, by the driver and once for all runs
stored    what a worker then does with the store

`seconds` until the examples are there; `mib` is what the process grew by at its peak, Ray's own processes left out; `batch_ms` is the
median time for the examples of one batch of 32, drawn from everywhere. The rows of both ways are counted, and must be the same.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.record import Figures, record
from copywriting import copybook
from demo.stage import VAR
from serve.config import ROOT
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import start_tokenizer
from train.writing.padding import collate
from train.writing.rows import prepare, rows_of

WORK = VAR / "benchmarks" / "stream"
SEED = 3
_FILES, _BATCHES, _BATCH = 20, 200, 32


def write_tables(rows: int) -> None:
    """The rows as one file and as a folder."""
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "folder").mkdir(parents=True)
    templates = [piece.template for piece in copybook.load(ROOT / "demo" / "copybook")]
    random, parts = Random(SEED), []
    for number in range(_FILES):
        made = range(number * rows // _FILES, (number + 1) * rows // _FILES)
        texts = ["".join(random.choices(templates, k=3)) for _ in made]
        parts.append(pa.table({"prompt": [f"brief {each}: " for each in made], "completion": texts}))
        pq.write_table(parts[-1], WORK / "folder" / f"part-{number:02d}.parquet")
    pq.write_table(pa.concat_tables(parts), WORK / "whole.parquet")


def measured(way: str) -> dict[str, float]:
    """One way, in this process."""
    data = WORK / ("whole.parquet" if way == "whole" else "folder")
    config = GeneratorConfig(
        name="stream", out=WORK / "out", tokenizer=ROOT / "models" / "tokenizer", data=data, storage=str(WORK / "runs"), seed=SEED
    )
    tokenizer = start_tokenizer(config)
    tokenizer("warm")
    before, began = _peak_mib(), time.monotonic()
    if way == "gather":
        prepare(config, tokenizer)
        return {"seconds": time.monotonic() - began, "mib": _peak_mib() - before}
    rows = rows_of(config, tokenizer)
    seconds, random, times = time.monotonic() - began, Random(SEED), []
    for _ in range(_BATCHES):
        numbers, since = random.sample(range(len(rows.training)), _BATCH), time.perf_counter()
        collate([rows.training[number] for number in numbers], 0)
        times.append(time.perf_counter() - since)
    counted = len(rows.training) + len(rows.held_out)
    return {"seconds": seconds, "mib": _peak_mib() - before, "batch_ms": median(times) * 1000, "rows": counted}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--way", choices=("whole", "gather", "stored"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measured(options.way)))
        return
    write_tables(options.rows)
    found = {}
    for way in ("whole", "gather", "stored"):
        command = [sys.executable, "-m", "benchmarks.train_stream", "--way", way]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
        found[way] = json.loads(printed.splitlines()[-1])
    if found["whole"]["rows"] != found["stored"]["rows"]:
        raise AssertionError(f"the two ways found {found['whole']['rows']} and {found['stored']['rows']} rows")
    figures: Figures = {"rows": options.rows, "store_mib": round(_size(WORK / "runs" / "tokens") / 2**20, 1)}
    figures |= {f"{way}_{name}": round(value, 2) for way, each in found.items() for name, value in each.items() if name != "rows"}
    figures["worker_memory_ratio"] = round(found["stored"]["mib"] / found["whole"]["mib"], 3)
    figures["batch_ratio"] = round(found["stored"]["batch_ms"] / found["whole"]["batch_ms"], 2)
    record("train_stream", figures, seed=SEED)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
