"""What the figures of one size of index mean for ten million vectors, with the arithmetic in words. Used by benchmarks/index.py.

An estimate and no measurement: caches, page faults of files larger than memory and recall at the larger size are not in it.
"""

import math

from benchmarks.record import Figures
from retrieval.index_choice import KINDS, lists_for

TARGET_ROWS = 10_000_000


def extrapolated(kind: str, rows: int, figures: Figures) -> Figures:
    """File bytes and single-thread queries a second at TARGET_ROWS, and how they were computed from a kind's `figures` at `rows`."""
    each, qps = float(figures["file_bytes_per_vector"]), float(figures["qps"])
    share, how = slowdown(kind, rows)
    gigabytes = each * TARGET_ROWS / 1e9
    words = f"{each} B × {TARGET_ROWS} = {gigabytes:.1f} GB; {qps} queries/s ÷ {share:.2f} ({how}) = {qps / share:.1f}"
    return {"gb_at_10m": round(gigabytes, 1), "qps_at_10m": round(qps / share, 1), "arithmetic_at_10m": words}


def slowdown(kind: str, rows: int) -> tuple[float, str]:
    """How many times the work of a query grows from `rows` to TARGET_ROWS, and why."""
    if kind == "flat":
        return TARGET_ROWS / rows, f"a scan reads every row: {TARGET_ROWS} / {rows}"
    if kind == "hnsw":
        return math.log(TARGET_ROWS) / math.log(rows), f"a graph's path grows as ln n: ln {TARGET_ROWS} / ln {rows}"
    probes, lists, more = KINDS[kind].probes, lists_for(rows), lists_for(TARGET_ROWS)
    before, after = lists + probes * rows / lists, more + probes * TARGET_ROWS / more
    return (
        after / before,
        f"centroids compared + rows in {probes} lists: ({more} + {probes}×{TARGET_ROWS}/{more}) / ({lists} + {probes}×{rows}/{lists})",
    )
