"""Popularity by what is known of a shopper, halved every 30 days: for everybody, and above all for those without a history.

    score(product) = log share among all + Σ_words weight(kind of word) · log(share among shoppers with the word / share among all)

Words are context (`locale:zh-CN`, `age_band:25-34`, `country:FR`) and, from the first event on, the shopper's segment (`segment:3`). Shares
of a word with few events are pulled towards everybody's (a Dirichlet prior). How much each kind of word counts is learned: the weights
under which half of the shoppers explain the latest choices of the other half best, so that a kind which says nothing costs nothing. They
are learned twice: for those with a segment, which says most of what age does too, and for newcomers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retrieval.interactions import Interactions
from retrieval.recommenders.contract import History, PreferenceModel, Vectors
from retrieval.recommenders.shopper_segments import SEGMENT, ShopperSegments

HALF_LIFE_DAYS = 30.0
_SEGMENTS = "segments.json"
_PRIOR_EVENTS = 50.0  # a word with fifty events counts as much as everybody does
_EVEN = 0.1  # of everybody's choices are taken to be spread over all products, so that none is impossible
_CANDIDATES, _JUDGED = 2_000, 4_000  # products, the most popular, and shoppers that weights are learned on


class Popularity(PreferenceModel):
    """Vector dimensions: everybody, then one for each word. `weights` (2, words): of newcomers, of shoppers with a segment."""

    name = "popularity"

    def __init__(self, product_vectors: Vectors, words: tuple[str, ...], weights: Vectors, segments: ShopperSegments | None = None) -> None:
        self.product_vectors = product_vectors
        self.words, self.weights = words, weights
        self._dimension = {word: number for number, word in enumerate(words, 1)}
        self._segments = segments

    @classmethod
    def fit(cls, interactions: Interactions, seed: int = 0, half_life_days: float = HALF_LIFE_DAYS) -> "Popularity":
        """Find the segments, learn the weights, count."""
        segments = ShopperSegments.fit(interactions, seed)
        known = _words(segments, interactions.histories)
        words = tuple(sorted({word for mine in known for word in mine}))
        logs = _logs(interactions.histories[::2], known[::2], words, interactions.products, half_life_days)
        judged = [one for one in interactions.histories[1::2] if len(one) and one.weights[-1] > 0]
        before = [one.until(-1) for one in judged]
        latest = np.array([int(one.rows[-1]) for one in judged], np.int64)
        weights = np.array([_learned(logs, words, told, latest) for told in ([one.context for one in before], _words(segments, before))])
        vectors = _logs(interactions.histories, known, words, interactions.products, half_life_days)
        return cls(np.ascontiguousarray(vectors.T, dtype=np.float32), words, weights.astype(np.float32), segments)

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """1 for everybody, the word's weight for each word that the shopper has."""
        vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        vectors[:, 0] = 1
        for row, words in enumerate(_words(self._segments, histories)):
            held = [self._dimension[word] for word in words if word in self._dimension]
            vectors[row, held] = self.weights[int(any(_kind(word) == SEGMENT for word in words)), np.array(held, np.int64) - 1]
        return vectors

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors:
        """A product that nobody could buy yet is as popular as the middle one, so that it is seen at all."""
        return np.tile(np.median(self.product_vectors, axis=0), (len(attributes), 1)).astype(np.float32)

    def save(self, directory: Path) -> None:
        """Vectors, and the segments where there are any."""
        np.savez(directory / "popularity.npz", products=self.product_vectors, words=np.array(self.words, dtype=str), weights=self.weights)
        if self._segments:
            self._segments.save(directory / _SEGMENTS)

    @classmethod
    def load(cls, directory: Path) -> "Popularity":
        """From `save`."""
        segments = ShopperSegments.load(directory / _SEGMENTS) if (directory / _SEGMENTS).is_file() else None
        with np.load(directory / "popularity.npz", allow_pickle=False) as held:
            return cls(held["products"], tuple(held["words"].tolist()), held["weights"], segments)


def _words(segments: ShopperSegments | None, histories: Sequence[History]) -> list[tuple[str, ...]]:
    """What is known of each shopper."""
    found = segments.words(histories) if segments else [()] * len(histories)
    return [(*history.context, *mine) for history, mine in zip(histories, found, strict=True)]


def _kind(word: str) -> str:
    return word.partition(":")[0]


def _logs(
    histories: Sequence[History], known: Sequence[tuple[str, ...]], words: Sequence[str], products: int, half_life_days: float
) -> np.ndarray[Any, Any]:
    """(1 + words, products): log share among all, then what each word adds to it."""
    number = {word: place for place, word in enumerate(words, 1)}
    counts = np.zeros((len(words) + 1, products))
    for history, mine in zip(histories, known, strict=True):
        weight = np.maximum(history.weights, 0) * 0.5 ** (history.days / half_life_days)
        for dimension in (0, *(number[word] for word in mine)):
            np.add.at(counts[dimension], history.rows, weight)
    everybody = (1 - _EVEN) * counts[0] / max(counts[0].sum(), 1e-9) + _EVEN / products
    shares = (counts + _PRIOR_EVENTS * everybody) / (counts.sum(1, keepdims=True) + _PRIOR_EVENTS)
    logs: np.ndarray[Any, Any] = np.log(shares) - np.log(everybody)
    logs[0] = np.log(everybody)
    return logs


def _learned(logs: np.ndarray[Any, Any], words: Sequence[str], told: Sequence[tuple[str, ...]], latest: NDArray[np.int64]) -> Vectors:
    """(words,) weights between 0 and 1, the same for words of one kind, by maximum likelihood: `logs` of some shoppers, `latest` (m,)
    choices of others of whom these words were known before. The log-likelihood of a softmax is concave in the weights."""
    candidates = np.argsort(-logs[0], kind="stable")[:_CANDIDATES]
    place_of = {int(row): place for place, row in enumerate(candidates)}
    judged = [i for i, row in enumerate(latest.tolist()) if row in place_of][:_JUDGED]
    kinds = sorted({_kind(word) for word in words})
    number = {word: place for place, word in enumerate(words, 1)}
    features = np.zeros((len(judged), len(kinds), len(candidates)), np.float32)
    for row, i in enumerate(judged):
        for word in told[i]:
            if word in number:
                features[row, kinds.index(_kind(word))] += logs[number[word], candidates]
    targets = np.array([place_of[int(latest[i])] for i in judged], np.int64)
    chosen = features[np.arange(len(judged)), :, targets].mean(0) if judged else np.zeros(len(kinds), np.float32)

    def loss(weights: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
        logits = logs[0, candidates] + np.einsum("k,mkn->mn", weights.astype(np.float32), features)
        logits -= logits.max(1, keepdims=True)
        odds = np.exp(logits)
        odds /= odds.sum(1, keepdims=True)
        gradient = np.einsum("mn,mkn->k", odds.astype(np.float32), features) / len(judged) - chosen
        return float(-np.log(odds[np.arange(len(judged)), targets]).mean()), gradient.astype(np.float64)

    found = np.full(len(kinds), 0.5)
    if judged and kinds:
        found = minimize(loss, found, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(kinds)).x
    weights: Vectors = np.array([found[kinds.index(_kind(word))] for word in words], np.float32)
    return weights
