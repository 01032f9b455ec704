"""Content: products by their text (and image) vectors, mapped into the space in which shoppers' choices are near each other.

The map is a ridge regression from content to the factors that iALS finds for products with a past (Gantner et al. 2010), so products
that nobody bought yet have a place too. `ContentMap` is that regression; the hybrid uses it for the new products of any recommender.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.interactions import Interactions
from retrieval.recommenders.contract import ContentRequired, History, PreferenceModel, Vectors

HALF_LIFE_DAYS = 30.0


class ContentMap:
    """Ridge regression from content vectors (k, c) to preference vectors (k, d), with an intercept."""

    def __init__(self, weights: Vectors, mean_content: Vectors, mean_target: Vectors) -> None:
        self._weights, self.mean_content, self._mean_target = weights, mean_content, mean_target

    @classmethod
    def fit(cls, content: Vectors, targets: Vectors, ridge: float = 1.0) -> "ContentMap":
        """Least squares with `ridge` on the weights; the intercept is free."""
        mean_content: Any = content.mean(0)
        mean_target: Any = targets.mean(0)
        x: Any = content - mean_content
        y: Any = targets - mean_target
        solved: Any = np.linalg.solve(x.T @ x + np.float32(ridge) * np.eye(x.shape[1], dtype=np.float32), x.T @ y)
        return cls(solved.astype(np.float32), mean_content, mean_target)

    def __call__(self, content: Vectors) -> Vectors:
        """(k, c) → (k, d)."""
        mapped: Any = (content - self.mean_content) @ self._weights + self._mean_target
        placed_vectors: Vectors = mapped.astype(np.float32)
        return placed_vectors

    def save(self, path: Path) -> None:
        """One .npz file."""
        np.savez(path, weights=self._weights, mean_content=self.mean_content, mean_target=self._mean_target)

    @classmethod
    def load(cls, path: Path) -> "ContentMap":
        """From `save`."""
        with np.load(path, allow_pickle=False) as held:
            return cls(held["weights"], held["mean_content"], held["mean_target"])


class Content(PreferenceModel):
    """Unit product vectors: what content says beside what choices say of it. A shopper is the mean of what they touched, recent first."""

    name = "content"

    def __init__(self, product_vectors: Vectors, mapping: ContentMap) -> None:
        self.product_vectors = product_vectors
        self._mapping = mapping

    @classmethod
    def fit(cls, interactions: Interactions, factors: Vectors, ridge: float = 1.0) -> "Content":
        """`factors` (n, d) are product vectors learned from choices. Raises ContentRequired where the products have no content vectors."""
        if interactions.content is None:
            raise ContentRequired(f"{cls.name}: the products have no text vectors; train on a shop, not on a file of ids, or leave it out")
        touched = np.zeros(interactions.products, bool)
        for history in interactions.histories:
            touched[history.rows] = True
        mapping = ContentMap.fit(interactions.content[touched], factors[touched], ridge)
        return cls(placed(interactions.content, mapping), mapping)

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Unit vectors; of nobody, zero."""
        vectors: Vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        for row, history in enumerate(histories):
            weights = history.weights * 0.5 ** ((history.days - history.days.min(initial=0)) / HALF_LIFE_DAYS)
            vectors[row] = weights @ self.product_vectors[history.rows]
        return unit(vectors)

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors | None:
        """The same map."""
        return None if content is None else placed(content, self._mapping)

    def save(self, directory: Path) -> None:
        """Vectors and map."""
        np.save(directory / "products.npy", self.product_vectors, allow_pickle=False)
        self._mapping.save(directory / "map.npz")

    @classmethod
    def load(cls, directory: Path) -> "Content":
        """From `save`."""
        return cls(np.load(directory / "products.npy", allow_pickle=False), ContentMap.load(directory / "map.npz"))


def placed(content: Vectors, mapping: ContentMap) -> Vectors:
    """(k, c + d) unit vectors: half content as it is, half its place among choices."""
    tastes = unit(content - mapping.mean_content)
    return unit(np.concatenate([tastes, unit(mapping(content))], axis=1))


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
