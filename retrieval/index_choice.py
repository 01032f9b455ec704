"""Which FAISS index a corpus gets, with which parameters and why: the one place that decides. Pure data, no FAISS.

    from retrieval.index_choice import choose
    choose(rows=1_000_000, dim=384).reason

Every kind searches by inner product. HNSW does so on vectors of any length: its graph over inner products (Morozov & Babenko 2018) kept
recall@10 at 0.98 where lengths spread by a log-normal of sigma 0.7, and the lift to one more dimension (Bachrach et al. 2014) fell to 0.46
(50,000 × 64, efSearch 128). For inverted lists it is the other way round (0.79 against 0.95 at 64 of 512 lists), so those are lifted.
OPQ rotations, several shards and on-disk graphs are not here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLAT_FLOATS = 1 << 24  # 64 MiB: one core reads it in some 5 ms, and nothing is missed
HNSW_ROWS = 10_000_000  # above, the graph takes hours to build on one machine
HNSW_FLOATS = 1 << 32  # 16 GiB of full vectors are kept in memory beside the graph
LISTS_ROWS = 1_000  # fewer rows train no useful lists
_ROWS_PER_LIST = 39  # FAISS's own least number of training rows per centroid
_ROWS_OF_POOL = 100_000
_LIFTED_PROBES = 4  # lifted vectors are spread along the new dimension: four times the lists held recall at 0.95


class IndexKindError(ValueError):
    """A kind of index that does not exist. The message names the kinds that do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How an index is built and searched. `pool`: how many nearest rows a search gathers (efSearch, or what is re-ranked); `probes`:
    lists read for a pool of that size, 0 where there are none; `lifted`: vectors get one dimension more, so that L2 ranks as inner product
    does."""

    kind: str
    reason: str
    factory: str
    pool: int = 0
    probes: int = 0
    ef_construction: int = 0
    lifted: bool = False

    @property
    def has_lists(self) -> bool:
        """Is it an inverted file, which needs training?"""
        return self.probes > 0


@dataclass(frozen=True, slots=True)
class _Kind:
    """A row of the table. `factory` may name {lists} and {subquantisers} (two dimensions each)."""

    factory: str
    reason: str
    gpu: bool = False
    pool: int = 0
    probes: int = 0
    ef_construction: int = 0

    def pool_for(self, rows: int) -> int:
        """A graph must be searched further in a larger corpus: its pool grows with the logarithm of the rows, 128 at 100,000, 256 at a
        million (recall@10 was 0.93 with 128 there, at 384 dimensions)."""
        return round(self.pool * (1 + math.log10(max(1.0, rows / _ROWS_OF_POOL)))) if self.ef_construction else self.pool


# pool and probes give recall@10 of 0.983 (ivf-pq) to 0.999 (hnsw) on 100,000 × 128 clustered vectors: 0.95 and a reserve for larger corpora
KINDS: dict[str, _Kind] = {
    "flat": _Kind("Flat", "up to 2^24 numbers an exact scan takes milliseconds and misses nothing", gpu=True),
    "hnsw": _Kind(
        "HNSW16,Flat",
        "above 2^24 numbers a scan is too slow; a graph answers in well under a millisecond while the vectors fit in memory",
        pool=128,
        ef_construction=80,
    ),
    "ivf-rabitq": _Kind(
        "IVF{lists},RaBitQfs,Refine(SQfp16)",
        "from 10 million rows or 2^32 numbers on a graph no longer fits: one bit a dimension is scanned, 16-bit vectors re-rank",
        pool=256,
        probes=32,
    ),
    "ivf-pq": _Kind(
        "IVF{lists},PQ{subquantisers}x4fs,Refine(SQfp16)",
        "asked for: twice the bits of ivf-rabitq and a slower training, for corpora whose first pass must be sharper",
        pool=320,
        probes=32,
    ),
    "ivf-sq8": _Kind(
        "IVF{lists},SQ8,Refine(SQfp16)",
        "large, and a GPU is there or lengths differ: FAISS's GPU runs neither graphs nor fast-scan codes, and these lose such an order",
        gpu=True,
        pool=80,
        probes=32,
    ),
}


def choose(rows: int, dim: int, kind: str | None = None, *, unit: bool = True, gpus: int = 0) -> Choice:
    """The index for `rows` vectors of `dim` numbers. `kind` overrides; `unit`: are all vectors of one length? Raises IndexKindError."""
    if kind is not None and kind not in KINDS:
        raise IndexKindError(f"kind = {kind!r}: is no kind of index; name one of {', '.join(KINDS)}, or none to have it chosen by size")
    name = kind or _by_size(rows, dim, unit, gpus)
    entry = KINDS[name]
    reason = entry.reason if kind is None else f"asked for; {entry.reason}"
    if entry.probes and rows < LISTS_ROWS:
        return Choice("flat", f"{rows} rows train no lists, {LISTS_ROWS} would: {name} becomes an exact scan", "Flat")
    lifted = bool(entry.probes) and not unit
    if lifted and name != "ivf-sq8":
        raise IndexKindError(
            f"kind = {kind!r}: the vectors differ in length, and codes of few bits lose their order (recall@10 of 0.7 and less); "
            "name ivf-sq8, hnsw or flat, or make the vectors one length"
        )
    lists = lists_for(rows)
    return Choice(
        name,
        reason,
        entry.factory.format(lists=lists, subquantisers=_subquantisers(dim)),
        pool=entry.pool_for(rows),
        probes=min(lists, entry.probes * (_LIFTED_PROBES if lifted else 1)),
        ef_construction=entry.ef_construction,
        lifted=lifted,
    )


def _by_size(rows: int, dim: int, unit: bool, gpus: int) -> str:
    if rows * dim <= FLAT_FLOATS:
        return "flat"
    if rows < HNSW_ROWS and rows * dim <= HNSW_FLOATS:
        return "hnsw"
    return "ivf-rabitq" if unit and not gpus else "ivf-sq8"


def lists_for(rows: int) -> int:
    """Inverted lists for a corpus: the power of two next to four square roots of its rows, where that leaves enough rows to train each."""
    wanted = min(4 * math.sqrt(max(rows, 1)), rows / _ROWS_PER_LIST)
    return int(2 ** max(0, math.floor(math.log2(max(wanted, 1)) + 0.5)))


def on_gpu(kind: str, gpus: int) -> bool:
    """Is an index of this kind copied to a GPU? Flat and plain lists can be; graphs and fast-scan codes run on the CPU only."""
    return gpus > 0 and kind in KINDS and KINDS[kind].gpu


def _subquantisers(dim: int) -> int:
    """Half the dimensions, or the largest number below that divides them: FAISS cuts a vector into equal parts."""
    return next(parts for parts in range(max(dim // 2, 1), 0, -1) if dim % parts == 0)


def same_length(vectors: NDArray[np.float32]) -> bool:
    """Are all (n, d) vectors of one length, within a thousandth? Then inner product ranks as distance does."""
    if not len(vectors):
        return True
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return bool(lengths.max() - lengths.min() <= 1e-3 * lengths.max())
