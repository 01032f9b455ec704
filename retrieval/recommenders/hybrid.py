"""The hybrid: a weighted sum of recommenders, which is again one shopper vector and one product vector.

Each part's scores are brought to one scale (their spread over products), then weighted by how much history the shopper has and whether
they are here right now: popularity and context carry a newcomer, factors a regular who is written to, the sequence of the last clicks one
who is in the middle of a visit. Weights are those that rank best on validation shoppers in that situation (`fit_weights`).
A product that came after training is placed by each part that can, else by the map from its content.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.interactions import Interactions
from retrieval.recommenders.content import ContentMap
from retrieval.recommenders.contract import History, PreferenceModel, Vectors

BUCKETS = (0, 1, 3, 10)
"""A history of at least so many events has weights of its own."""
_SAMPLE = 800
_FITTED = 1_500
"""Shoppers of one bucket that its weights are learned on, at most."""
_LEAST = 30
"""With fewer than these, weights would follow chance."""
_FACTORS = (0.0, 0.5, 0.8, 1.25, 2.0)
_ROUNDS = 12
_IDLE = 0.003
"""All the parts left out together may cost this share of the NDCG."""
_K = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """Validation data of one bucket: `scores` (parts, m, n) on one scale, seen products at -inf; `targets[i]` product rows."""

    scores: NDArray[np.float32]
    targets: Sequence[Sequence[int]]


class Choosers(Protocol):
    """Validation shoppers: what is known of each, and what they took next."""

    @property
    def histories(self) -> Sequence[History]:
        """(m,)."""
        ...

    @property
    def targets(self) -> Sequence[set[int]]:
        """(m,) product rows."""
        ...


class Hybrid(PreferenceModel):
    """`scales` (parts,) make the parts' scores alike; `weights` (2, buckets, parts): away, and in a visit."""

    name = "hybrid"

    def __init__(
        self,
        parts: Mapping[str, PreferenceModel],
        scales: NDArray[np.float32],
        weights: NDArray[np.float32],
        maps: Mapping[str, ContentMap],
    ) -> None:
        self.parts, self.scales, self.weights, self._maps = dict(parts), scales, weights, dict(maps)
        self.product_vectors = np.concatenate(
            [part.product_vectors * scale for part, scale in zip(self.parts.values(), scales, strict=True)], axis=1
        )

    @classmethod
    def fit(
        cls,
        parts: Mapping[str, PreferenceModel],
        away: Choosers,
        visiting: Choosers | None,
        interactions: Interactions,
        seed: int,
    ) -> "Hybrid":
        """Learn scales and weights from shoppers whose later choices the parts have not seen: `visiting` are asked in the middle of a
        visit, None where that is not known. Histories are shortened too, so that every bucket has some, that of newcomers too."""
        scales = np.array([_scale(part, away.histories) for part in parts.values()], np.float32)
        weights = np.ones((2, len(BUCKETS), len(parts)), np.float32)
        for number in range(len(BUCKETS)):
            weights[0, number] = _bucket_weights(parts, scales, number, away, np.random.default_rng([seed, number]), weights[0, number])
            weights[1, number] = weights[0, number]
            if visiting is not None and BUCKETS[number]:  # who has done nothing is in no visit
                rng = np.random.default_rng([seed, number])
                weights[1, number] = _bucket_weights(parts, scales, number, visiting, rng, weights[0, number])
        return cls(parts, scales, weights, _content_maps(parts, interactions))

    def with_parts(self, parts: Mapping[str, PreferenceModel], histories: Sequence[History], interactions: Interactions) -> "Hybrid":
        """The same weights over parts that were fitted again, on all data."""
        scales = np.array([_scale(part, histories) for part in parts.values()], np.float32)
        return Hybrid(parts, scales, self.weights, _content_maps(parts, interactions))

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Parts side by side, each times the weight for this shopper's situation; a part is not asked where that is zero."""
        bucket = np.searchsorted(BUCKETS, [len(history) for history in histories], side="right") - 1
        here = np.array([history.in_visit for history in histories], np.int64)
        joined: Vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        start = 0
        for place, part in enumerate(self.parts.values()):
            end = start + part.product_vectors.shape[1]
            weights = self.weights[here, bucket, place]
            asked = np.flatnonzero(weights)
            if len(asked):
                joined[asked, start:end] = part.shopper_vectors([histories[row] for row in asked]) * weights[asked, None]
            start = end
        return joined

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors:
        """Each part's own, else the map from content, else the middle of its products."""
        pieces = []
        for place, (name, part) in enumerate(self.parts.items()):
            vectors = part.new_product_vectors(attributes, content)
            if vectors is None and content is not None and name in self._maps:
                vectors = self._maps[name](content)
            if vectors is None:
                vectors = np.tile(part.product_vectors.mean(0), (len(attributes), 1))
            pieces.append(vectors * self.scales[place])
        joined: Vectors = np.concatenate(pieces, axis=1).astype(np.float32)
        return joined

    def save(self, directory: Path) -> None:
        """Each part in a directory of its own."""
        for name, part in self.parts.items():
            (directory / name).mkdir()
            part.save(directory / name)
            if name in self._maps:
                self._maps[name].save(directory / name / "content_map.npz")
        held = {
            "parts": {name: part.name for name, part in self.parts.items()},
            "scales": self.scales.tolist(),
            "weights": self.weights.tolist(),
        }
        (directory / "hybrid.json").write_text(json.dumps(held))

    @classmethod
    def load(cls, directory: Path) -> "Hybrid":
        """From `save`."""
        from retrieval.recommenders.registry import MODELS

        held = json.loads((directory / "hybrid.json").read_text())
        parts = {name: MODELS[model].load(directory / name) for name, model in held["parts"].items()}
        maps = {name: ContentMap.load(path) for name in parts if (path := directory / name / "content_map.npz").is_file()}
        return cls(parts, np.array(held["scales"], np.float32), np.array(held["weights"], np.float32), maps)


def _content_maps(parts: Mapping[str, PreferenceModel], interactions: Interactions) -> dict[str, ContentMap]:
    """For the parts that can't place a new product themselves."""
    content = interactions.content
    if content is None:
        return {}
    example = interactions.attributes[:1]
    lost = {name: part for name, part in parts.items() if part.new_product_vectors(example, content[:1]) is None}
    return {name: ContentMap.fit(content, part.product_vectors) for name, part in lost.items()}


def _scale(part: PreferenceModel, histories: Sequence[History]) -> float:
    """1 ÷ the spread of a part's scores over products, for the middle shopper that it knows."""
    scores = part.scores(histories[:: max(1, len(histories) // _SAMPLE)])
    spread = scores.std(1)
    return float(1 / np.median(spread[spread > 0])) if (spread > 0).any() else 1.0


def _bucket_weights(
    parts: Mapping[str, PreferenceModel],
    scales: NDArray[np.float32],
    number: int,
    choosers: Choosers,
    rng: np.random.Generator,
    otherwise: NDArray[np.float32],
) -> NDArray[np.floating]:
    """(parts,) weights of one bucket; `otherwise` where too few shoppers chose anything."""
    histories, targets = choosers.histories, choosers.targets
    least, most = BUCKETS[number], BUCKETS[number + 1] - 1 if number + 1 < len(BUCKETS) else None
    chosen = [i for i in rng.permutation(len(histories)) if targets[i] and len(histories[i]) >= least][:_FITTED]
    if len(chosen) < _LEAST:
        return otherwise
    shortened = [_latest(histories[i], least if most is None else int(rng.integers(least, most + 1)), most is None) for i in chosen]
    scores = np.stack([part.scores(shortened) * scale for part, scale in zip(parts.values(), scales, strict=True)])
    for row, i in enumerate(chosen):
        scores[:, row, histories[i].rows] = -np.inf
    return fit_weights(Judged(scores, [sorted(targets[i]) for i in chosen]))


def _latest(history: History, count: int, whole: bool) -> History:
    """The latest `count` events of a history, or all of it."""
    start = 0 if whole else max(len(history) - count, 0)
    return History(history.rows[start:], history.weights[start:], history.days[start:], history.context)


def fit_weights(judged: Judged) -> NDArray[np.float64]:
    """(parts,) weights, largest 1, with the best NDCG@10 on these shoppers: from each part alone and from all alike, one weight at a time
    is changed as long as that helps; then parts without which hardly anything is lost are left out."""
    count = len(judged.scores)
    starts = [np.ones(count), *np.eye(count)]
    climbed = [_climb(judged, start) for start in starts]
    best = _without_idlers(judged, *max(climbed, key=lambda found: found[0]))
    scaled: NDArray[np.float64] = best / best.max()
    return scaled


def _without_idlers(judged: Judged, reached: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero for parts that hardly help, the lightest first: every request would wait for them. Where none helps all stay."""
    if reached == 0:
        return weights
    for place in np.argsort(weights, kind="stable"):
        tried = weights.copy()
        tried[place] = 0
        if tried.any() and ndcg_of(judged, tried) >= reached * (1 - _IDLE):
            weights = tried
    return weights


def _climb(judged: Judged, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    best = ndcg_of(judged, weights)
    for _ in range(_ROUNDS):
        before = best
        for place in range(len(weights)):
            for value in _steps(weights, place):
                tried = weights.copy()
                tried[place] = value
                if tried.any() and (found := ndcg_of(judged, tried)) > best:
                    best, weights = found, tried
        if best == before:
            break
    return best, weights


def _steps(weights: NDArray[np.float64], place: int) -> list[float]:
    """Values to try for one weight: multiples of it, or, from zero, shares of the largest."""
    if weights[place] > 0:
        return [weights[place] * factor for factor in _FACTORS]
    return [weights.max() * share for share in (0.1, 0.3, 1.0)]


def ndcg_of(judged: Judged, weights: NDArray[np.float64]) -> float:
    """Mean NDCG@10 of the weighted sum."""
    used = [place for place in range(len(weights)) if weights[place] > 0]
    blended: NDArray[np.float32] = np.zeros_like(judged.scores[0])
    for place in used:
        blended += judged.scores[place] * np.float32(weights[place])
    discounts = 1 / np.log2(np.arange(2, _K + 2))
    total = 0.0
    kth = np.partition(blended, -_K, axis=1)[:, -_K] if blended.shape[1] > _K else np.full(len(blended), -np.inf)
    for row, wanted in enumerate(judged.targets):
        mine = blended[row][list(wanted)]
        near = mine[mine >= kth[row]]
        if len(near):
            places = (blended[row] >= near[:, None]).sum(1) - 1  # equal scores count against the target: zeros are no ranking
            total += discounts[places[places < _K]].sum() / discounts[: min(_K, len(wanted))].sum()
    return total / max(len(judged.targets), 1)
