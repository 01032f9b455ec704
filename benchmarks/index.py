"""The vector index beside bare FAISS and hnswlib: `python -m benchmarks.index [--rows 1000000] [--dim 384] [--kinds hnsw ivf-rabitq …]`.

Vectors: a Gaussian mixture from a seed, one cluster for 500 rows, centres and noise (0.7 of the centres' spread) with a spectrum that falls
as 1/sqrt(i) like that of text encoders, then unit length. 1,000 queries from the same mixture are held out; the truth is an exact scan.
Each kind is built once by our layer and saved; ours and bare FAISS then search that one file in turns, so graph, parameters and pages are
the same and the difference is our layer. Single queries (one thread, as a replica serves) go in turns of up to 50 for five seconds a side,
the other side first in every second turn; batches of 1,000 in five turns on all cores; figures are medians. hnswlib gets the M,
efConstruction and efSearch of our graph. What our layer adds to a build is seen on the first 20,000 rows, which bare FAISS builds too.
Bytes in memory are those of a fresh process after it opened the file and searched once through the queries.
At 1,000,000 × 384 on two cores: some 5 GB at the peak and 30 to 40 minutes, two thirds of them the two graphs. Filters are not measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.progress import Progress

from benchmarks.index_growth import TARGET_ROWS, extrapolated
from benchmarks.record import Figures, record
from retrieval.index import VectorIndex
from retrieval.index_choice import KINDS, Choice, choose
from retrieval.index_engine import Rows, Vectors, faiss

SEED = 7
QUERIES = 1_000
K = 10
ROUNDS = 5
SIDE_S = 5.0
TURN = 50
ROWS_PER_CLUSTER = 500
BUILD_ROWS = 20_000
BLOCK = 50_000
CORES = os.cpu_count() or 1

Search = Callable[[Vectors], Rows]


def mixture(rows: int, dim: int, seed: int = SEED) -> tuple[Vectors, Vectors]:
    """(rows, dim) vectors and (QUERIES, dim) held-out queries of one mixture, unit length."""
    rng = np.random.default_rng(seed)
    spectrum = ((1 + np.arange(dim)) ** -0.5).astype(np.float32)
    centres = rng.standard_normal((max(20, rows // ROWS_PER_CLUSTER), dim), dtype=np.float32) * spectrum
    drawn = np.empty((rows + QUERIES, dim), np.float32)
    for start in range(0, len(drawn), BLOCK):
        block = drawn[start : start + BLOCK]
        block[:] = (
            rng.standard_normal(block.shape, dtype=np.float32) * (0.7 * spectrum) + centres[rng.integers(len(centres), size=len(block))]
        )
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return drawn[:rows], drawn[rows:]


def truth(vectors: Vectors, queries: Vectors) -> Rows:
    """(q, K) rows by an exact scan on all cores."""
    faiss.omp_set_num_threads(CORES)
    _, rows = faiss.knn(queries, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)
    found: Rows = rows
    return found


def recall(found: Rows, best: Rows) -> float:
    """The share of the true ten that were found."""
    return float(np.mean([len(set(ours) & set(theirs)) / K for ours, theirs in zip(found.tolist(), best.tolist(), strict=True)]))


def one_by_one(search: Search, queries: Vectors) -> float:
    """Queries a second, each by itself."""
    began = time.perf_counter()
    for row in range(len(queries)):
        search(queries[row : row + 1])
    return len(queries) / (time.perf_counter() - began)


def together(search: Search, queries: Vectors) -> float:
    """Queries a second, all in one call."""
    began = time.perf_counter()
    search(queries)
    return len(queries) / (time.perf_counter() - began)


def in_turns(how: Callable[[Search, Vectors], float], searches: dict[str, Search], turns: list[Vectors]) -> dict[str, list[float]]:
    """Queries a second of each search in each turn; who starts changes from turn to turn."""
    speeds: dict[str, list[float]] = {name: [] for name in searches}
    for turn, queries in enumerate(turns):
        for name in sorted(searches, reverse=bool(turn % 2)):
            speeds[name].append(how(searches[name], queries))
    return speeds


def single_turns(queries: Vectors, per_second: float) -> list[Vectors]:
    """Turns of single queries for SIDE_S seconds a side, four at least, shorter where a query is slow."""
    size = max(1, min(TURN, int(per_second * SIDE_S / 20)))
    turns = max(4, min(200, int(per_second * SIDE_S / size)))
    return [queries[np.arange(start, start + size) % len(queries)] for start in range(0, turns * size, size)]


def bare(path: Path, threads: int) -> Search:
    """Search a file with FAISS alone, mapped like ours, with the parameters that the file keeps."""
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)

    def search(queries: Vectors) -> Rows:
        faiss.omp_set_num_threads(threads)
        rows: Rows = index.search(queries, K)[1]
        return rows

    return search


def ours(path: Path, threads: int) -> Search:
    """Search a file with our layer."""
    index = VectorIndex.open(path, gpus=0)
    return lambda queries: index.search_many(queries, K, threads=threads)[0]


def served(path: Path) -> Search:
    """Search a file as a replica does: one vector, one thread, answers without padding."""
    index = VectorIndex.open(path, gpus=0)
    return lambda queries: index.search(queries[0], K)[0]


def compared(path: Path, queries: Vectors, best: Rows) -> Figures:
    """Recall and speed of ours and of bare FAISS on one file."""
    single: dict[str, Search] = {"ours": served(path), "bare_faiss": bare(path, 1)}
    slowest = min(one_by_one(search, queries[:5]) for search in single.values())
    speeds = in_turns(one_by_one, single, single_turns(queries, slowest))
    batch: dict[str, Search] = {"ours": ours(path, CORES), "bare_faiss": bare(path, CORES)}
    batched = in_turns(together, batch, [queries] * ROUNDS)
    overheads = [100 * (theirs / mine - 1) for mine, theirs in zip(speeds["ours"], speeds["bare_faiss"], strict=True)]
    figures: Figures = {f"recall_at_10{_of(name)}": round(recall(search(queries), best), 4) for name, search in batch.items()}
    figures |= {f"qps{_of(name)}": round(statistics.median(found), 1) for name, found in speeds.items()}
    figures |= {f"batched_qps{_of(name)}": round(statistics.median(found), 1) for name, found in batched.items()}
    return figures | {"overhead_percent": round(statistics.median(overheads), 1)}


def _of(name: str) -> str:
    return "" if name == "ours" else f"_{name}"


def small_builds(vectors: Vectors, kind: str) -> Figures:
    """Seconds of our build and of bare FAISS's on the same few vectors: the better of two each, in turns."""
    choice = choose(len(vectors), vectors.shape[1], kind)
    builds: dict[str, Callable[[], object]] = {
        "ours": lambda: VectorIndex.build(vectors, kind, threads=CORES),
        "bare_faiss": lambda: _bare_build(vectors, choice),
    }
    seconds: dict[str, list[float]] = {name: [] for name in builds}
    for turn in range(2):
        for name in sorted(builds, reverse=bool(turn)):
            began = time.perf_counter()
            builds[name]()
            seconds[name].append(time.perf_counter() - began)
    return {f"build_{len(vectors)}_s{_of(name)}": round(min(found), 3) for name, found in seconds.items()}


def _bare_build(vectors: Vectors, choice: Choice) -> None:
    faiss.omp_set_num_threads(CORES)
    index = faiss.index_factory(vectors.shape[1], choice.factory, faiss.METRIC_INNER_PRODUCT)
    if choice.has_lists:
        index.train(vectors)
    elif choice.pool:
        index.hnsw.efConstruction = choice.ef_construction
    index.add(vectors)


def resident(kind: str, path: Path, queries: Path) -> int:
    """Bytes that opening and searching a file adds to a process of its own."""
    command = [sys.executable, "-m", "benchmarks.index", "--resident", kind, str(path), str(queries)]
    return int(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _resident_here(kind: str, path: Path, queries: Vectors) -> int:
    before = psutil.Process().memory_info().rss
    search = _hnswlib_search(path, queries.shape[1], 1) if kind == "hnswlib" else served(path)
    one_by_one(search, queries[: 20 if kind == "flat" else QUERIES])
    return int(psutil.Process().memory_info().rss - before)


def _hnswlib_search(path: Path, dim: int, threads: int) -> Search:
    index: Any = import_module("hnswlib").Index(space="ip", dim=dim)
    index.load_index(str(path))
    index.set_ef(KINDS["hnsw"].pool)
    return lambda queries: index.knn_query(queries, k=K, num_threads=threads)[0].astype(np.int64)


def of_hnswlib(vectors: Vectors, queries: Vectors, best: Rows, folder: Path) -> Figures:
    """The same figures for hnswlib."""
    entry, path = KINDS["hnsw"], folder / "hnswlib.bin"
    began = time.perf_counter()
    index: Any = import_module("hnswlib").Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=entry.ef_construction, random_seed=SEED)
    index.add_items(vectors, num_threads=CORES)
    seconds = time.perf_counter() - began
    index.save_index(str(path))
    del index
    search = _hnswlib_search(path, vectors.shape[1], 1)
    speeds = [one_by_one(search, turn) for turn in single_turns(queries, one_by_one(search, queries[:5]))]
    batch = _hnswlib_search(path, vectors.shape[1], CORES)
    return {
        "build_s": round(seconds, 1),
        "recall_at_10": round(recall(search(queries), best), 4),
        "qps": round(statistics.median(speeds), 1),
        "batched_qps": round(statistics.median(together(batch, queries) for _ in range(ROUNDS)), 1),
        **_bytes("hnswlib", path, len(vectors), folder),
    }


def of_kind(kind: str, vectors: Vectors, queries: Vectors, best: Rows, folder: Path) -> Figures:
    """All figures of one kind of ours."""
    path = folder / f"{kind}.faiss"
    began = time.perf_counter()
    built = VectorIndex.build(vectors, kind, threads=CORES)
    seconds = time.perf_counter() - began
    built.save(path)
    choice = built.choice or choose(len(vectors), vectors.shape[1], kind)
    del built
    figures: Figures = {"factory": choice.factory, "pool": choice.pool, "probes": choice.probes, "build_s": round(seconds, 1)}
    figures |= small_builds(vectors[:BUILD_ROWS], kind) | compared(path, queries, best)
    figures |= _bytes(kind, path, len(vectors), folder)
    figures |= extrapolated(kind, len(vectors), figures)
    path.unlink()  # one index on disk at a time
    return figures


def _bytes(kind: str, path: Path, rows: int, folder: Path) -> Figures:
    memory = resident(kind, path, folder / "queries.npy")
    return {"file_bytes_per_vector": round(path.stat().st_size / rows, 1), "memory_bytes_per_vector": round(memory / rows, 1)}


def main() -> int:
    """Run, print and keep the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.index", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=["flat", "hnsw", "ivf-rabitq", "ivf-pq", "ivf-sq8"])
    parser.add_argument(
        "--resident", nargs=3, metavar=("KIND", "FILE", "QUERIES"), help="print bytes in memory (this benchmark calls itself so)"
    )
    given = parser.parse_args()
    if given.resident:
        kind, path, queries_file = given.resident
        print(_resident_here(kind, Path(path), np.load(queries_file)))
        return 0
    figures: Figures = {"rows": given.rows, "dim": given.dim, "queries": QUERIES, "faiss": faiss.__version__}
    with tempfile.TemporaryDirectory() as name, Progress() as progress:
        folder = Path(name)
        task = progress.add_task("vectors and truth", total=2 + len(given.kinds))
        vectors, queries = mixture(given.rows, given.dim)
        np.save(folder / "queries.npy", queries)
        best = truth(vectors, queries)
        for kind in [*given.kinds, "hnswlib"]:
            progress.update(task, advance=1, description=kind)
            found = of_hnswlib(vectors, queries, best, folder) if kind == "hnswlib" else of_kind(kind, vectors, queries, best, folder)
            figures |= {f"{kind}.{key}": value for key, value in found.items()}
            progress.console.print(kind, found)
        progress.update(task, advance=1)
    figures |= {"extrapolated_to_rows": TARGET_ROWS, "load_average": round(os.getloadavg()[0], 1)}
    record("index", figures, seed=SEED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
