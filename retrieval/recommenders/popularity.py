"""Popularity by what is known of a shopper, halved every 30 days: for everybody, and above all for those without a history.

The share of purchases of each product among the shoppers of one word (`locale:zh-CN`, `age_band:25-34`, `country:FR`, and from the first
event on their segment, `segment:3`), pulled towards everybody's share where the word has few events (a Dirichlet prior). A shopper's
vector marks their words.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.interactions import Interactions
from retrieval.recommenders.contract import History, PreferenceModel, Vectors
from retrieval.recommenders.shopper_segments import ShopperSegments

HALF_LIFE_DAYS = 30.0
_SEGMENTS = "segments.json"
_PRIOR_EVENTS = 50.0  # a word with fifty events counts as much as everybody does


class Popularity(PreferenceModel):
    """Vector dimensions: everybody, then one for each context word. Scores are means of log shares, scaled to 0 … 1."""

    name = "popularity"

    def __init__(self, product_vectors: Vectors, words: tuple[str, ...], segments: ShopperSegments | None = None) -> None:
        self.product_vectors = product_vectors
        self._dimension = {word: number for number, word in enumerate(words, 1)}
        self._segments = segments

    @classmethod
    def fit(cls, interactions: Interactions, seed: int = 0, half_life_days: float = HALF_LIFE_DAYS) -> "Popularity":
        """Find the segments and count."""
        segments = ShopperSegments.fit(interactions, seed)
        known = _words(segments, interactions.histories)
        words = tuple(sorted({word for mine in known for word in mine}))
        number = {word: place for place, word in enumerate(words, 1)}
        counts = np.zeros((len(words) + 1, interactions.products))
        for history, mine in zip(interactions.histories, known, strict=True):
            weight = np.maximum(history.weights, 0) * 0.5 ** (history.days / half_life_days)
            for dimension in (0, *(number[word] for word in mine)):
                np.add.at(counts[dimension], history.rows, weight)
        everybody = (counts[0] + 1e-6) / (counts[0] + 1e-6).sum()
        shares = (counts + _PRIOR_EVENTS * everybody) / (counts.sum(1, keepdims=True) + _PRIOR_EVENTS)
        logs = np.log1p(shares * interactions.products)
        return cls(np.ascontiguousarray((logs / logs.max()).T, dtype=np.float32), words, segments)

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Equal parts of everybody and of each word that the shopper has."""
        vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        for row, words in enumerate(_words(self._segments, histories)):
            known = [0, *(self._dimension[word] for word in words if word in self._dimension)]
            vectors[row, known] = 1 / len(known)
        return vectors

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors:
        """A product that nobody could buy yet is as popular as the middle one, so that it is seen at all."""
        return np.tile(np.median(self.product_vectors, axis=0), (len(attributes), 1)).astype(np.float32)

    def save(self, directory: Path) -> None:
        """Counts, and the segments where there are any."""
        np.savez(directory / "popularity.npz", products=self.product_vectors, words=np.array(list(self._dimension), dtype=str))
        if self._segments:
            self._segments.save(directory / _SEGMENTS)

    @classmethod
    def load(cls, directory: Path) -> "Popularity":
        """From `save`."""
        segments = ShopperSegments.load(directory / _SEGMENTS) if (directory / _SEGMENTS).is_file() else None
        with np.load(directory / "popularity.npz", allow_pickle=False) as held:
            return cls(held["products"], tuple(held["words"].tolist()), segments)


def _words(segments: ShopperSegments | None, histories: Sequence[History]) -> list[tuple[str, ...]]:
    """What is known of each shopper."""
    found = segments.words(histories) if segments else [()] * len(histories)
    return [(*history.context, *mine) for history, mine in zip(histories, found, strict=True)]
