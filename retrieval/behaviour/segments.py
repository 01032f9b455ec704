"""Groups of shoppers that behave alike: FAISS k-means over standardised behaviour, k by silhouette, named by what sets each apart.

`find_segments` makes them, `SegmentModel.assign` places a shopper, a new one with few features too: only what is known of them is
compared. Under eight shoppers there is one segment. Segments are found anew each time; that one keeps its number is not promised.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval import tables
from retrieval.behaviour.segment_names import Name, names
from retrieval.behaviour.segment_vectors import Encoding, Features, fit
from retrieval.schemas import SEGMENTS, SHOPPER_SEGMENTS

Points = NDArray[np.float32]

faiss: Any = _faiss  # its stubs know neither keyword parameters nor numpy arguments

TRIED = range(4, 13)
FEWEST = 8
SAMPLE = 2_000
"""Shoppers that silhouettes are computed on: they compare every two."""
_ITERATIONS, _ATTEMPTS = 25, 5
_BATCH = 5_000
_FITTED = 20_000
"""Shoppers that means, deviations and tastes are learned from: a stride through the file, which is in order of a hash."""
_TOLD_TRAITS = 8


@dataclass(frozen=True, slots=True)
class SegmentModel:
    """Where the segments are: (k, d) centroids of the encoding's vectors, largest segment first."""

    encoding: Encoding
    centroids: list[list[float]]

    def assign(self, features: Features) -> int:
        """The segment of one shopper, from whatever columns of shopper_features are known. Knowing nothing is the largest segment."""
        return int(self.assign_all([features])[0])

    def assign_all(self, rows: Sequence[Features]) -> NDArray[np.int64]:
        """(n,) segments."""
        if not rows:
            return np.zeros(0, np.int64)
        vectors, centroids = self.encoding.vectors(rows), np.array(self.centroids)
        known = ~np.isnan(vectors)
        filled = np.where(known, vectors, 0.0)
        # |x - c|² over the known columns, without x², which is the same for every centroid
        distance = known @ (centroids**2).T - 2 * filled @ centroids.T
        nearest: NDArray[np.int64] = distance.argmin(axis=1)  # of equals the first, which is the largest
        return nearest

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps({"encoding": asdict(self.encoding), "centroids": self.centroids}), encoding="utf-8")

    @classmethod
    def read(cls, shop: Path) -> "SegmentModel":
        """The model of a shop. Raises TableError where there is none."""
        path = shop / "segment_model.json"
        if not path.is_file():
            raise tables.TableError(f"{path}: no such model; make it with `python -m retrieval.portrait {shop}`")
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(Encoding(**stored["encoding"]), stored["centroids"])


@dataclass(frozen=True, slots=True)
class Segments:
    """What was found. `labels` (n,) in the order of the features file."""

    model: SegmentModel
    labels: NDArray[np.int64]
    named: list[Name]
    silhouettes: list[float | None]
    traits: list[dict[str, float]]
    features: Path
    remarks: list[str]

    def table(self) -> pa.Table:
        """The `segments` table."""
        sizes = np.bincount(self.labels, minlength=len(self.named))
        rows = [
            {
                "segment": number, "name_en": name.en, "name_zh": name.zh, "size": int(size), "share": size / max(len(self.labels), 1),
                "silhouette": silhouette, "traits": list(traits.items()),
            }
            for number, (name, size, silhouette, traits) in enumerate(zip(self.named, sizes, self.silhouettes, self.traits, strict=True))
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=SEGMENTS)

    def assignments(self) -> Iterator[pa.Table]:
        """The `shopper_segments` table in parts."""
        start = 0
        with pq.ParquetFile(self.features) as file:
            for batch in file.iter_batches(_BATCH, columns=["shopper_id"]):
                labels = self.labels[start : start + batch.num_rows]
                start += batch.num_rows
                yield pa.table([batch.column(0), labels.astype(np.int32)], schema=SHOPPER_SEGMENTS)


def _read(features: Path) -> Iterator[list[dict[str, Any]]]:
    """The columns that vectors are made of, in batches."""
    wanted = ["recency_days", "frequency", "monetary", "currency", "sessions", "price_quantile", "hours", "weekdays", "category_affinity"]
    with pq.ParquetFile(features) as file:
        for batch in file.iter_batches(_BATCH, columns=wanted):
            yield batch.to_pylist()


def find_segments(features: Path, seed: int = 0) -> Segments:
    """Segments of the shoppers in a shopper_features file. None for an empty one."""
    stride = max(1, -(-pq.read_metadata(features).num_rows // _FITTED))
    encoding = fit([row for rows in _read(features) for row in rows[::stride]], seed)
    vectors = [np.nan_to_num(encoding.vectors(rows)).astype(np.float32) for rows in _read(features)]
    points = np.vstack(vectors) if vectors else np.zeros((0, len(encoding.weights)), np.float32)
    labels, scores, centroids = clusters(points, seed)
    count = len(centroids)
    traits = _trait_means(encoding, features, labels, count)
    silhouettes = _silhouettes(points, labels, count, seed)
    model = SegmentModel(encoding, centroids or [[0.0] * len(encoding.weights)])
    told = ", ".join(f"{k} {score:.3f}" for k, score in scores.items())
    remark = f"{count} segments; silhouette by number of segments: {told}" if scores else f"{len(labels)} shoppers are too few to divide"
    strongest = [dict(sorted(mine.items(), key=lambda item: -abs(item[1]))[:_TOLD_TRAITS]) for mine in traits]
    return Segments(model, labels, names(traits), silhouettes, strongest, features, [remark])


def clusters(points: Points, seed: int) -> tuple[NDArray[np.int64], dict[int, float], list[list[float]]]:
    """((n,) labels, largest cluster first; silhouette of each number of clusters tried; centroids). One where there are too few points."""
    labels, scores = _best(points, seed)
    labels = _largest_first(labels)
    count = int(labels.max(initial=-1)) + 1
    return labels, scores, [points[labels == segment].mean(axis=0, dtype=np.float64).tolist() for segment in range(count)]


def _best(points: Points, seed: int) -> tuple[NDArray[np.int64], dict[int, float]]:
    """The labels of the k with the best silhouette, and every k's."""
    scores: dict[int, float] = {}
    best = np.zeros(len(points), np.int64)
    different = len(np.unique(points, axis=0)) if len(points) >= FEWEST else 0
    for k in TRIED if different >= TRIED.start else range(2, different + 1):
        if k > min(different, len(points) // 2):
            break
        labels = _kmeans(points, k, seed)
        score = _silhouette(points, labels, seed)
        if not scores or score > max(scores.values()):
            best = labels
        scores[k] = score
    return best, scores


def _kmeans(points: Points, k: int, seed: int) -> NDArray[np.int64]:
    """(n,) labels, the best of several beginnings."""
    data = np.ascontiguousarray(points, dtype=np.float32)
    kmeans = faiss.Kmeans(data.shape[1], k, niter=_ITERATIONS, nredo=_ATTEMPTS, seed=seed + 1, min_points_per_centroid=1)
    kmeans.train(data)
    nearest: NDArray[np.int64] = kmeans.index.search(data, 1)[1][:, 0].astype(np.int64)
    return nearest


def _sample(size: int, seed: int) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = np.sort(np.random.default_rng(seed).permutation(size)[:SAMPLE])
    return chosen


def _silhouette(points: Points, labels: NDArray[np.int64], seed: int) -> float:
    """Mean over a seeded sample."""
    from sklearn.metrics import silhouette_score

    at = _sample(len(points), seed)
    return float(silhouette_score(points[at], labels[at])) if 1 < len(np.unique(labels[at])) < len(at) else -1.0


def _silhouettes(points: Points, labels: NDArray[np.int64], count: int, seed: int) -> list[float | None]:
    """Of each segment, over the sample."""
    from sklearn.metrics import silhouette_samples

    at = _sample(len(points), seed)
    if not 1 < len(np.unique(labels[at])) < len(at):
        return [None] * count
    values = silhouette_samples(points[at], labels[at])
    return [float(values[labels[at] == segment].mean()) if (labels[at] == segment).any() else None for segment in range(count)]


def _largest_first(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups, numbered by size; empty ones are gone."""
    found, sizes = np.unique(labels, return_counts=True)
    order = found[np.lexsort((found, -sizes))]
    number = {old: new for new, old in enumerate(order.tolist())}
    return np.array([number[label] for label in labels.tolist()], np.int64)


def _trait_means(encoding: Encoding, features: Path, labels: NDArray[np.int64], count: int) -> list[dict[str, float]]:
    """Of each segment, trait → mean standard deviations from the mean shopper."""
    total, size, start = np.zeros((count, len(encoding.columns))), np.zeros((count, len(encoding.columns))), 0
    for rows in _read(features):
        mine = labels[start : start + len(rows)]
        start += len(rows)
        values = encoding.traits(rows)
        np.add.at(total, mine, np.nan_to_num(values))
        np.add.at(size, mine, ~np.isnan(values))
    means = total / np.maximum(size, 1)
    return [dict(zip(encoding.columns, row.tolist(), strict=True)) for row in means]
