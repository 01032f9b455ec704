"""Segments of shoppers by what a history carries, for popularity: anybody's is known from their first event on, at request time too.

The same behaviour vectors and FAISS k-means as the shop's portrait (`retrieval/behaviour/segments.py`), over what every recommender is
given: how many events, how long ago the last one, which brands, categories and prices. Fitted on training histories only, so that no
segment knows of choices that a model is judged on; the portrait's own segments, which people read, also know money and hours.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from retrieval.behaviour.segment_vectors import Encoding, Features, fit
from retrieval.behaviour.segments import SegmentModel, clusters
from retrieval.interactions import Interactions
from retrieval.recommenders.contract import History

SEGMENT = "segment"
"""The kind of these words: `segment:3`."""
_FITTED = 20_000
"""Shoppers that segments are found among: a stride through all."""


class ShopperSegments:
    """Where the segments are, and what products have in common. Reads only once fitted."""

    def __init__(self, model: SegmentModel, attribute_names: Sequence[str], attributes: Sequence[Sequence[int]]) -> None:
        self.model = model
        self._names, self._attributes = tuple(attribute_names), tuple(tuple(owned) for owned in attributes)

    @classmethod
    def fit(cls, interactions: Interactions, seed: int) -> "ShopperSegments | None":
        """None where the products have no attributes, or the shoppers are too few to divide."""
        if not interactions.attribute_names:
            return None
        names, attributes = interactions.attribute_names, interactions.attributes
        active = [history for history in interactions.histories if len(history)]
        rows = [_features(history, names, attributes) for history in active[:: max(1, -(-len(active) // _FITTED))]]
        if not rows:
            return None
        encoding = fit(rows, seed)
        _, _, centroids = clusters(np.nan_to_num(encoding.vectors(rows)).astype(np.float32), seed)
        return cls(SegmentModel(encoding, centroids), names, attributes) if len(centroids) > 1 else None

    def words(self, histories: Sequence[History]) -> list[tuple[str, ...]]:
        """`segment:3` for each shopper; nothing for one without events."""
        active = [place for place, history in enumerate(histories) if len(history)]
        found = self.model.assign_all([_features(histories[place], self._names, self._attributes) for place in active])
        words: list[tuple[str, ...]] = [()] * len(histories)
        for place, segment in zip(active, found.tolist(), strict=True):
            words[place] = (f"{SEGMENT}:{segment}",)
        return words

    def save(self, path: Path) -> None:
        """As JSON."""
        held = {
            "encoding": asdict(self.model.encoding),
            "centroids": self.model.centroids,
            "names": self._names,
            "products": self._attributes,
        }
        path.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "ShopperSegments":
        """From `save`."""
        held = json.loads(path.read_text(encoding="utf-8"))
        return cls(SegmentModel(Encoding(**held["encoding"]), held["centroids"]), held["names"], held["products"])


def _features(history: History, names: Sequence[str], attributes: Sequence[Sequence[int]]) -> Features:
    """The columns of shopper_features that a history gives."""
    affinity: dict[str, float] = {}
    for row, weight in zip(history.rows.tolist(), history.weights.tolist(), strict=True):
        for number in attributes[row] if weight > 0 else ():
            affinity[names[number]] = affinity.get(names[number], 0.0) + weight
    total = sum(affinity.values())
    shares = {name: value / total for name, value in affinity.items()}
    return {"frequency": len(history), "recency_days": float(history.days.min()), "category_affinity": shares}
