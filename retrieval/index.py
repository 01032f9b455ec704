"""Nearest rows by inner product: built, saved, memory-mapped by replicas, searched with filters and deletions, by one query or many.

    index = VectorIndex.build(vectors)                 # flat, a graph or lists, by size (retrieval/index_choice.py says which and why)
    rows, scores = index.search(vector, 10, allowed)   # allowed: an (n,) mask, or a Bitmap that the caller keeps

Rows are 0..n-1 and ids are kept beside the index. A filter is never left to the approximate pass: that pass gathers a pool of near rows,
forbidden ones are dropped from it here, and where fewer than k are left the pool grows, until scanning every allowed row is the cheaper
way. So no forbidden row comes back from any kind of index, and a query whose whole neighbourhood is forbidden (a shopper of tea filtered
to shoes) still gets its best rows: a selector inside the graph found 12 % of them with 70 % of the rows allowed.
Publishing a new index under running searches is `artifacts/versions.py`; encoders and ids are not here.
"""

import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval import tombstones
from retrieval.bitmap import Bitmap
from retrieval.index_choice import Choice, choose, same_length
from retrieval.index_engine import Engine, Rows, Vectors, build, faiss, read, write

Allowed = NDArray[np.bool_] | Bitmap

SCAN_ROWS_PER_POOL_ROW = 50  # a row gathered by the graph costs as much as scanning 50: 4 µs against 0.08 (100,000 × 64, one core)
_POOL_GROWTH = 8
_SPARE = 2  # the pool is expected to hold twice the rows that are enough, so that hardly any filter needs a second pass
_CHECK_ROWS = 65_536
_LARGEST = 60_000.0  # 16-bit numbers, which indexes with lists keep, end at 65,504


class VectorError(ValueError):
    """Vectors or filters that can't be used. The message names the row or the shape, and the remedy."""


class VectorIndex:
    """Nearest neighbours over n vectors of any length. Safe to search from several threads; read-only once opened, but for `remove`."""

    def __init__(self, index: Any, choice: Choice | None = None, path: Path | None = None, gpus: int = 0) -> None:
        self._index = index
        self._engine = Engine(index, gpus)
        self._path = path
        self._lock = threading.Lock()
        self._removed: Bitmap | None = None
        self._live: Bitmap | None = None
        self._stamp: tuple[int, int] | None = None
        self.choice = choice  # what it was built as, with the reason; None for an index that was opened
        self.dim = self._engine.dim
        self.kind = self._engine.kind

    @classmethod
    def build(cls, vectors: Vectors, kind: str | None = None, *, threads: int | None = None, quiet: bool = True) -> "VectorIndex":
        """(n, d) float32 vectors, row by row. The kind is chosen by size unless given. Raises VectorError for a vector that is not finite,
        IndexKindError for an unknown kind."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        _check(vectors)
        choice = choose(len(vectors), vectors.shape[1], kind, unit=same_length(vectors), gpus=gpu_count())
        if choice.has_lists and np.abs(vectors).max(initial=0.0) > _LARGEST:
            raise VectorError(f"vectors: hold a number above {_LARGEST:.0f}, which kind {choice.kind!r} can't keep; scale them down")
        return cls(build(vectors, choice, threads or os.cpu_count() or 1, quiet), choice)

    @classmethod
    def open(cls, path: Path, *, gpus: int | None = None) -> "VectorIndex":
        """Memory-map an index file, so that replicas of one node share its pages. Check its hash first (artifacts.card.verify). `gpus`: how
        many may be used, all that FAISS sees by default."""
        index = cls(read(path), path=path, gpus=gpu_count() if gpus is None else gpus)
        index.refresh()
        return index

    def save(self, path: Path) -> None:
        """Write the index file. Rows removed stay in it: `compacted` leaves them out."""
        write(self._index, path)

    def __len__(self) -> int:
        return self._engine.rows

    def vector(self, row: int) -> Vectors:
        """(d,) the vector of one row; of 16-bit numbers where the index has lists."""
        found: Vectors = self._engine.vectors(np.array([row]))[0]
        return found

    def vectors(self, rows: Rows) -> Vectors:
        """(k, d) the vectors of several rows, at once."""
        found: Vectors = self._engine.vectors(np.asarray(rows, np.int64))
        return found

    def search(self, vector: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Rows, Vectors]:
        """The up to k best rows for a (d,) vector and their inner products, best first. Rows outside `allowed` (n,) and rows removed
        never come back. Raises VectorError for another dimension or length."""
        rows, scores = self.search_many(vector[None, :], k, allowed)
        if rows.shape[1] and rows[0, -1] < 0:
            found = rows[0] >= 0
            return rows[0][found], scores[0][found]
        return rows[0], scores[0]

    def search_many(self, vectors: Vectors, k: int, allowed: Allowed | None = None, *, threads: int = 1) -> tuple[Rows, Vectors]:
        """(q, d) vectors under one filter → (q, k') rows and inner products, best first; k' is k, or fewer where fewer are allowed. A row
        of -1 fills up where a query has no answer (its numbers are not finite)."""
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise VectorError(
                f"query of shape {queries.shape[1:]}: the index holds vectors of {self.dim} numbers; use the encoder it was built with"
            )
        within = self._within(allowed)
        k = min(k, len(self) if within is None else within.count)
        if k <= 0 or not len(queries):
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        rows, scores = self._unfiltered(queries, k, threads) if within is None else self._filtered(queries, k, within, threads)
        if self._engine.lifted:
            scores, rows = self._engine.ranked(queries, rows, k)
        return rows, scores

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Delete rows, at once and for good: of an index that was opened, the deletion is on disk before this returns."""
        rows = np.asarray(rows, np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise VectorError(f"rows {int(rows.min())}..{int(rows.max())}: the index has rows 0..{len(self) - 1}")
        with self._lock:
            known = np.empty(0, np.int64) if self._removed is None else self._removed.rows
            self._forget(np.union1d(known, rows) if self._path is None else tombstones.add(self._path, rows))

    @property
    def removed(self) -> int:
        """How many rows are deleted."""
        return 0 if self._removed is None else self._removed.count

    def refresh(self) -> None:
        """Take over what other processes deleted from the same file. Costs one look at the file's date where nothing changed."""
        if self._path is None:
            return
        with self._lock:
            stamp = tombstones.stamp(self._path)
            if stamp != self._stamp:
                self._forget(tombstones.load(self._path))
                self._stamp = stamp

    def allowed(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n,) mask without the rows that were removed, for rankings made without a search."""
        live = self._live
        return rows if live is None else rows & live.holds(np.arange(len(self)))

    def compacted(self, kind: str | None = None) -> tuple["VectorIndex", Rows]:
        """A new index of what is left, and the old row of each new one. Build from the source vectors instead where the index has lists."""
        rows = np.arange(len(self)) if self._live is None else self._live.rows
        return VectorIndex.build(self._engine.vectors(rows), kind), rows

    def _forget(self, rows: Rows) -> None:
        removed = Bitmap.of_rows(rows, len(self)) if len(rows) else None
        # searches read _live once: a new object swapped in whole, never one that changes
        self._removed, self._live = removed, None if removed is None else removed.inverted()

    def _within(self, allowed: Allowed | None) -> Bitmap | None:
        """The rows that may come back; None for all."""
        live = self._live
        if allowed is None:
            return live
        if len(allowed) != len(self):
            raise VectorError(
                f"allowed has {len(allowed)} entries, the index {len(self)} rows; make the filter from the catalogue it was built with"
            )
        asked = allowed if isinstance(allowed, Bitmap) else Bitmap.pack(allowed)
        return asked if live is None else asked.both(live)

    def _unfiltered(self, queries: Vectors, k: int, threads: int) -> tuple[Rows, Vectors]:
        scores, rows = self._engine.nearest(queries, k, max(self._engine.pool, k) if self._engine.pool else 0, threads)
        if len(rows) == 1 and rows[0, -1] >= 0:  # as served: a test of arrays would cost as much as the call of FAISS
            return rows, scores
        short = rows[:, -1] < 0  # a graph may not reach every row
        if short.any():
            scores[short], rows[short] = self._engine.scan(queries[short], k, None, threads)
        return rows, scores

    def _filtered(self, queries: Vectors, k: int, within: Bitmap, threads: int) -> tuple[Rows, Vectors]:
        rows, scores = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
        waiting = np.arange(len(queries))
        pool = self._pool_for(k, within)
        while len(waiting) and pool and pool * SCAN_ROWS_PER_POOL_ROW < within.count:
            found_scores, found, held = _only(within, *self._engine.nearest(queries[waiting], pool, pool, threads), k)
            done = held >= self._enough(k)
            rows[waiting[done]], scores[waiting[done]] = found[done], found_scores[done]
            waiting, pool = waiting[~done], pool * _POOL_GROWTH
        if len(waiting):
            scores[waiting], rows[waiting] = self._engine.scan(queries[waiting], k, within, threads)
        return rows, scores

    def _enough(self, k: int) -> int:
        """Allowed rows in a pool that make its best k trustworthy: a graph thins out at the edge of its pool, and codes of few bits rank
        so roughly that most of the kind's own pool has to be there."""
        return max(2 * k, self._engine.pool // 2) if self._engine.has_lists else 2 * k

    def _pool_for(self, k: int, within: Bitmap) -> int:
        """Rows to gather so that enough allowed ones are among them: a power of two times the kind's own pool; 0 for a kind that scans."""
        if not self._engine.pool:
            return 0
        wanted = _SPARE * self._enough(k) * len(self) / within.count
        return self._engine.pool << max(0, math.ceil(math.log2(wanted / self._engine.pool)))


def gpu_count() -> int:
    """GPUs that this build of FAISS sees: 0 for faiss-cpu."""
    return int(faiss.get_num_gpus())


def _only(within: Bitmap, scores: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows, Rows]:
    """The k best of each (q, pool) line that are allowed, then rows of -1; and how many are allowed."""
    held = within.holds(rows)
    order = np.argsort(~held, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(np.where(held, rows, -1), order, 1), held.sum(1)


def _check(vectors: Vectors) -> None:
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise VectorError(f"vectors of shape {vectors.shape}: an index needs (rows, numbers), at least one number a row")
    for start in range(0, len(vectors), _CHECK_ROWS):
        finite = np.isfinite(vectors[start : start + _CHECK_ROWS]).all(1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise VectorError(f"vectors: row {row} holds a number that is not finite; clean the text or image of that row, or leave it out")
