"""Clustered vectors and what brute force says about them, for the tests of the index."""

from functools import cache

import numpy as np

from retrieval.index import VectorIndex

CLUSTERS = 50


class Corpus:
    """Rows, queries, the cluster of each, and the truth about them."""

    def __init__(self, rows: int, dim: int, spread: float) -> None:
        rng = np.random.default_rng(5)
        spectrum = (1 + np.arange(dim)) ** -0.5
        self.centres = rng.normal(size=(CLUSTERS, dim)) * spectrum
        self.cluster = rng.integers(CLUSTERS, size=rows)
        self.query_cluster = rng.integers(CLUSTERS, size=30)
        self.vectors = unit(self.centres[self.cluster] + 0.7 * rng.normal(size=(rows, dim)) * spectrum)
        self.vectors *= np.exp(spread * rng.normal(size=(rows, 1))).astype(np.float32)
        self.queries = unit(self.centres[self.query_cluster] + 0.7 * rng.normal(size=(30, dim)) * spectrum)

    def best(self, query: np.ndarray, k: int, allowed: np.ndarray) -> set[int]:
        scores = np.where(allowed, self.vectors @ query, -np.inf)
        return {int(row) for row in np.argsort(-scores)[:k] if allowed[row]}

    def far_from(self, query: int, share: float) -> np.ndarray:
        """A mask of the clusters that are least like the one of a query: its own neighbourhood is forbidden."""
        likeness = unit(self.centres) @ unit(self.centres[[self.query_cluster[query]]])[0]
        return np.isin(self.cluster, np.argsort(likeness)[: int(share * CLUSTERS)])

    def recall(self, index: VectorIndex, masks: list[np.ndarray], k: int = 10) -> float:
        """Recall over all queries, each under its own mask."""
        found = [index.search(query, k, mask)[0] for query, mask in zip(self.queries, masks, strict=True)]
        truth = [self.best(query, k, mask) for query, mask in zip(self.queries, masks, strict=True)]
        return float(np.mean([len(set(ours.tolist()) & best) / len(best) for ours, best in zip(found, truth, strict=True)]))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@cache
def corpus(spread: float = 0.0, rows: int = 20_000, dim: int = 24) -> Corpus:
    return Corpus(rows, dim, spread)


@cache
def built(kind: str, spread: float = 0.0) -> VectorIndex:
    """One build of each kind for all tests: none of them changes it."""
    return VectorIndex.build(corpus(spread).vectors, kind, threads=2)
