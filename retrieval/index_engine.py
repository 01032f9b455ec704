"""One FAISS index taken apart: the pass that gathers near rows, and the storage that holds full vectors. Every FAISS call is here.

An engine knows nothing of filters and deletions beyond `scan`, which scores allowed rows exactly. Facts of FAISS 1.15 that it lives by:
rows are 0..n-1 and never behind an IDMap, which reads selectors around other types as internal rows; indexes on a GPU ignore selectors
without a word (faiss#3924), so only unfiltered gathering goes there; `add` on a mapped index aborts the process; the number of OpenMP
threads belongs to the calling thread, so every call sets it.
"""

import threading
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from retrieval.bitmap import Bitmap
from retrieval.index_choice import Choice, on_gpu

faiss: Any = _faiss  # its stubs know neither keyword parameters nor numpy arguments

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

_ADD_ROWS = 50_000  # a block that progress is shown after
_TRAIN_ROWS_PER_LIST = 64
_GPU_POOL = 2048  # the most neighbours FAISS's GPU search returns
_GPU_SCRATCH_BYTES = 64 << 20  # its default takes 1.5 GB, which a generator on the same card may need
_LIFTED_SPARE = 4  # rounding the new dimension to 16 bits shuffles neighbours (0.95 of the best ten kept); four times as many hold them
FEW = 8  # below one row in eight, visiting the allowed rows one by one beats testing each row (0.4 ms against 1.9 at 2 % of 100,000)


def build(vectors: Vectors, choice: Choice, threads: int, quiet: bool = True) -> Any:
    """Train where the kind needs it and add all rows. Returns a FAISS index whose file keeps the search parameters of the choice."""
    faiss.omp_set_num_threads(threads)
    if choice.lifted:
        vectors = lift(vectors)
    metric = faiss.METRIC_L2 if choice.lifted else faiss.METRIC_INNER_PRODUCT
    index = faiss.index_factory(int(vectors.shape[1]), choice.factory, metric)
    if choice.has_lists:
        lists = faiss.extract_index_ivf(index.base_index)
        size = min(len(vectors), max(_TRAIN_ROWS_PER_LIST * lists.nlist, 4096))
        sample = np.sort(np.random.default_rng(0).choice(len(vectors), size, replace=False))
        index.train(vectors[sample])
        index.k_factor, lists.nprobe = float(choice.pool / 10), choice.probes
    elif choice.pool:
        index.hnsw.efConstruction, index.hnsw.efSearch = choice.ef_construction, choice.pool
    for start in track(range(0, len(vectors), _ADD_ROWS), "Adding vectors", disable=quiet):
        index.add(vectors[start : start + _ADD_ROWS])
    return index


def lift(vectors: Vectors) -> Vectors:
    """(n, d) → (n, d + 1), all of one length, so that L2 ranks them as inner product does (Bachrach et al. 2014)."""
    squares = np.einsum("nd,nd->n", vectors, vectors)
    rest = np.sqrt(np.maximum(squares.max(initial=0.0) - squares, 0.0))
    return np.column_stack([vectors, rest]).astype(np.float32)


def read(path: Path) -> Any:
    """Map an index file: processes of one node share its pages."""
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def write(index: Any, path: Path) -> None:
    """Write an index file."""
    faiss.write_index(index, str(path))


class Engine:
    """The parts of an index and the two ways to search it. Threads may share one."""

    def __init__(self, index: Any, gpus: int = 0) -> None:
        self.index = faiss.downcast_index(index)
        self.kind = _kind_of(self.index)
        self.lifted = int(self.index.metric_type) == int(faiss.METRIC_L2)
        self.dim = int(self.index.d) - self.lifted
        self.rows = int(self.index.ntotal)
        self.has_lists = self.kind in _LIST_KINDS.values()
        self._lists: Any = faiss.downcast_index(self.index.base_index) if self.has_lists else None
        self._storage = faiss.downcast_index(_storage_of(self.index, self.kind))
        self.pool = _pool_of(self.index, self.kind)
        self._parameters: dict[tuple[int, int], Any] = {}
        self._gpu_lock = threading.Lock()  # FAISS's GPU resources belong to one thread at a time
        self._gpu: Any = self._copied_to_gpu() if on_gpu(self.kind, gpus) else None

    def nearest(self, queries: Vectors, k: int, pool: int, threads: int = 1) -> tuple[Vectors, Rows]:
        """(q, k) scores and rows of the best of the `pool` rows nearest to each (q, d) query, best first; row -1 where there are fewer. A
        lifted index answers with distances: `ranked` turns them into inner products."""
        faiss.omp_set_num_threads(threads)
        if self._gpu is not None and max(k, pool) <= _GPU_POOL:
            return self._nearest_on_gpu(queries, k, pool)
        parameters = None if pool == self.pool and (not self.has_lists or k == 10) else self._parameters_for(k, pool)
        scores, rows = self.index.search(self._lift_queries(queries), k, params=parameters)
        return scores, rows

    def scan(self, queries: Vectors, k: int, allowed: Bitmap | None, threads: int = 1) -> tuple[Vectors, Rows]:
        """(q, k) scores and rows like those of `nearest`, exactly: every allowed row is scored against the stored vectors."""
        faiss.omp_set_num_threads(threads)
        if allowed is None or allowed.count == self.rows:
            return self._scan_selected(queries, k, None)
        if self.has_lists or allowed.count * FEW > self.rows:  # decoding 16-bit rows one by one costs 6 µs each, testing one 4 ns
            return self._scan_selected(queries, k, faiss.IDSelectorBitmap(allowed.bits))
        return self._scan_selected(queries, k, faiss.IDSelectorArray(allowed.rows))

    def vectors(self, rows: Rows) -> Vectors:
        """(k, d) stored vectors of some rows: full numbers, or 16-bit ones where the kind has lists."""
        found: Vectors = self._storage.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
        return found[:, : self.dim]

    def ranked(self, queries: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows]:
        """(q, k) of (q, m) candidate rows by their inner product, best first; a row of -1 stays last."""
        m = rows.shape[1]
        stored = self.vectors(np.maximum(rows, 0).ravel()).reshape(len(queries), m, self.dim)
        scores = np.where(rows >= 0, np.einsum("qmd,qd->qm", stored, queries), -np.inf).astype(np.float32)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    def _scan_selected(self, queries: Vectors, k: int, selector: Any) -> tuple[Vectors, Rows]:
        parameters = None if selector is None else faiss.SearchParameters(sel=selector)
        gathered = k * _LIFTED_SPARE if self.lifted else k
        scores, rows = self._storage.search(self._lift_queries(queries), gathered, params=parameters)
        return self.ranked(queries, rows, k) if self.lifted else (scores, rows)

    def _lift_queries(self, queries: Vectors) -> Vectors:
        return np.column_stack([queries, np.zeros(len(queries), np.float32)]) if self.lifted else queries

    def _parameters_for(self, k: int, pool: int) -> Any:
        """Search parameters of a pool of rows; kept, because FAISS's Python objects cost tens of microseconds to make."""
        key = (k if self.has_lists else 0, pool)
        if key not in self._parameters:
            self._parameters[key] = self._make_parameters(k, pool)
        return self._parameters[key]

    def _make_parameters(self, k: int, pool: int) -> Any:
        if not self.has_lists:
            return faiss.SearchParametersHNSW(efSearch=pool)
        probes = min(int(self._lists.nlist), max(1, int(self._lists.nprobe) * pool // self.pool))
        base = _LIST_PARAMETERS[self.kind](nprobe=probes)
        return faiss.IndexRefineSearchParameters(k_factor=max(1.0, pool / k), base_index_params=base)

    def _copied_to_gpu(self) -> Any:
        self._gpu_resources = faiss.StandardGpuResources()
        self._gpu_resources.setTempMemory(_GPU_SCRATCH_BYTES)
        return faiss.index_cpu_to_gpu(self._gpu_resources, 0, self.index if not self.has_lists else self._lists)

    def _nearest_on_gpu(self, queries: Vectors, k: int, pool: int) -> tuple[Vectors, Rows]:
        with self._gpu_lock:
            scores, rows = self._gpu.search(self._lift_queries(queries), k if not self.has_lists else max(pool, k))
        return self.ranked(queries, rows, k) if self.has_lists else (scores, rows)


_LIST_PARAMETERS: dict[str, Any] = {
    "ivf-rabitq": faiss.IVFRaBitQSearchParameters,
    "ivf-pq": faiss.IVFPQSearchParameters,
    "ivf-sq8": faiss.SearchParametersIVF,
}
_LIST_KINDS = {"IndexIVFRaBitQFastScan": "ivf-rabitq", "IndexIVFPQFastScan": "ivf-pq", "IndexIVFScalarQuantizer": "ivf-sq8"}


class IndexFileError(ValueError):
    """A file that holds an index of a type that this project does not build. The message names the type and the remedy."""


def _kind_of(index: Any) -> str:
    name = type(index).__name__
    if name.startswith("IndexFlat"):
        return "flat"
    if name == "IndexHNSWFlat":
        return "hnsw"
    base = type(faiss.downcast_index(index.base_index)).__name__ if name == "IndexRefine" else name
    if base not in _LIST_KINDS:
        raise IndexFileError(f"index type {base!r}: is none that this project builds; build the index again with python -m retrieval.build")
    return _LIST_KINDS[base]


def _storage_of(index: Any, kind: str) -> Any:
    if kind == "flat":
        return index
    return index.storage if kind == "hnsw" else index.refine_index


def _pool_of(index: Any, kind: str) -> int:
    if kind == "flat":
        return 0
    return int(index.hnsw.efSearch) if kind == "hnsw" else round(10 * index.k_factor)
