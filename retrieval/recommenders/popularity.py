"""Popularity by what is known of a shopper, halved every 30 days: for everybody, and above all for those without a history.

The share of purchases of each product among the shoppers of one context word (`locale:zh-CN`, `age_band:25-34`, `country:FR`), pulled
towards everybody's share where the word has few events (a Dirichlet prior). A shopper's vector marks their words.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.interactions import Interactions
from retrieval.recommenders.contract import History, PreferenceModel, Vectors

HALF_LIFE_DAYS = 30.0
_PRIOR_EVENTS = 50.0  # a word with fifty events counts as much as everybody does


class Popularity(PreferenceModel):
    """Vector dimensions: everybody, then one for each context word. Scores are means of log shares, scaled to 0 … 1."""

    name = "popularity"

    def __init__(self, product_vectors: Vectors, words: tuple[str, ...]) -> None:
        self.product_vectors = product_vectors
        self._dimension = {word: number for number, word in enumerate(words, 1)}

    @classmethod
    def fit(cls, interactions: Interactions, half_life_days: float = HALF_LIFE_DAYS) -> "Popularity":
        """Count."""
        words = tuple(sorted({word for history in interactions.histories for word in history.context}))
        number = {word: place for place, word in enumerate(words, 1)}
        counts = np.zeros((len(words) + 1, interactions.products))
        for history in interactions.histories:
            weight = np.maximum(history.weights, 0) * 0.5 ** (history.days / half_life_days)
            for dimension in (0, *(number[word] for word in history.context)):
                np.add.at(counts[dimension], history.rows, weight)
        everybody = (counts[0] + 1e-6) / (counts[0] + 1e-6).sum()
        shares = (counts + _PRIOR_EVENTS * everybody) / (counts.sum(1, keepdims=True) + _PRIOR_EVENTS)
        logs = np.log1p(shares * interactions.products)
        return cls(np.ascontiguousarray((logs / logs.max()).T, dtype=np.float32), words)

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Equal parts of everybody and of each word that the shopper has."""
        vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        for row, history in enumerate(histories):
            known = [0, *(self._dimension[word] for word in history.context if word in self._dimension)]
            vectors[row, known] = 1 / len(known)
        return vectors

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors:
        """A product that nobody could buy yet is as popular as the middle one, so that it is seen at all."""
        return np.tile(np.median(self.product_vectors, axis=0), (len(attributes), 1)).astype(np.float32)

    def save(self, directory: Path) -> None:
        """One file."""
        np.savez(directory / "popularity.npz", products=self.product_vectors, words=np.array(list(self._dimension), dtype=str))

    @classmethod
    def load(cls, directory: Path) -> "Popularity":
        """From `save`."""
        with np.load(directory / "popularity.npz", allow_pickle=False) as held:
            return cls(held["products"], tuple(held["words"].tolist()))
