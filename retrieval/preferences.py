"""Which products a shopper prefers: a trained recommender inside an index directory, asked with the shopper's latest events.

`place` puts every product of a catalogue, new ones too, into the recommender's space when an index is built; `Preferences` makes the
shopper's vector when a request comes. Without a trained recommender `taste` does with the products' text vectors.
"""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from artifacts.card import verify
from copywriting.shopper import Event, Shopper
from retrieval.catalogue import Catalogue
from retrieval.content_vectors import ContentReader
from retrieval.encoder import TextEncoder, Vectors
from retrieval.features import HALF_LIFE_DAYS
from retrieval.index import VectorIndex
from retrieval.interactions import context_of, event_weights
from retrieval.leanings import EVENT_WEIGHTS
from retrieval.recommenders.contract import History

if TYPE_CHECKING:
    from retrieval.recommenders.registry import Fitted

DIRECTORY = "recommender"
_DAY_S = 86_400.0


def place(shop: Path, catalogue: Catalogue, recommender: Path, out: Path) -> None:
    """Copy a verified recommender into an index directory beside `preferences.faiss`, one vector a product in catalogue order: its own,
    or what attributes, text and pictures say of a product that the recommender never saw. Raises ArtifactError for a directory that must
    not be loaded, TableError for picture vectors of another model."""
    from retrieval.recommenders import registry  # loads torch, which an index without a recommender does not need

    verify(recommender, registry.KIND)
    shutil.copytree(recommender, out / DIRECTORY)
    fitted = registry.load_verified(out / DIRECTORY)
    reader = ContentReader.load(out / DIRECTORY / "encoder")
    VectorIndex.build(product_vectors(shop, catalogue, fitted, reader)).save(out / "preferences.faiss")


def product_vectors(shop: Path, catalogue: Catalogue, fitted: "Fitted", reader: ContentReader) -> Vectors:
    """(n, d) in catalogue order."""
    row_of = {product_id: row for row, product_id in enumerate(fitted.product_ids)}
    rows = np.array([row_of.get(product_id, -1) for product_id in catalogue.product_ids])
    vectors = np.zeros((len(rows), fitted.model.product_vectors.shape[1]), np.float32)
    vectors[rows >= 0] = fitted.model.product_vectors[rows[rows >= 0]]
    if new := [catalogue.product_ids[place] for place in np.flatnonzero(rows < 0)]:
        vectors[rows < 0] = fitted.model.new_product_vectors(
            _attributes_of(catalogue, new, fitted.attribute_names), reader.vectors(shop, catalogue, new)
        )
    return vectors


def _attributes_of(catalogue: Catalogue, product_ids: Sequence[str], known: Sequence[str]) -> list[list[int]]:
    """The numbers that the recommender's own list gives to the attributes of these products."""
    names, owned = catalogue.attribute_numbers()
    number_of = {name: number for number, name in enumerate(known)}
    return [
        [number_of[name] for name in (names[number] for number in owned[row]) if name in number_of]
        for row in catalogue.rows_of(product_ids).tolist()
    ]


class Preferences:
    """Opened from an index directory. Safe to use from several threads."""

    def __init__(self, index: Path) -> None:
        from retrieval.recommenders import registry

        fitted = registry.load_verified(index / DIRECTORY)
        self._model = fitted.model
        self._row_of = {product_id: row for row, product_id in enumerate(fitted.product_ids)}
        self.products = VectorIndex.open(index / "preferences.faiss")

    def knows(self, events: Sequence[Event]) -> bool:
        """Is any of these about a product that the recommender has learned? Searches are not: the text index understands those."""
        return any(event.product_id in self._row_of for event in events)

    def vector(self, shopper: Shopper, now: datetime) -> Vectors:
        """(d,) what they prefer now. A shopper without events still has a context: locale and attributes."""
        context = context_of(shopper.locale, shopper.attributes)
        found: Vectors = self._model.shopper_vectors([history_of(shopper.events, self._row_of, context, now)])[0]
        return found


def history_of(events: Sequence[Event], row_of: dict[str, int], context: tuple[str, ...], now: datetime) -> History:
    """A shopper's events as recommenders read them; those of products that the recommender does not know are left out."""
    known = [event for event in events if event.product_id in row_of]
    stars = np.array([3.0 if event.value is None else event.value for event in known])
    ages = [max((now - event.at).total_seconds(), 0) / _DAY_S for event in known]
    rows = np.array([row_of[event.product_id or ""] for event in known], np.int64)
    return History(rows, event_weights([event.kind for event in known], stars), np.array(ages, np.float32), context)


def taste(
    events: Sequence[Event], products: VectorIndex, row_of: dict[str, int], mean: Vectors, encoder: TextEncoder, now: datetime
) -> Vectors:
    """(d,) unit vector, or zeros: what sets the products and search terms of these events apart from the mean product, halved every 30
    days. The same that `features.behaviour_features` makes of a whole log."""
    history = history_of(events, row_of, (), now)
    decayed = history.weights * 0.5 ** (history.days / HALF_LIFE_DAYS)
    total = decayed @ (products.vectors(history.rows) - mean) if len(history) else np.zeros(products.dim)
    searches = [event for event in events if event.kind == "search" and event.text]
    for event, vector in zip(searches, encoder.encode([event.text or "" for event in searches]), strict=True):
        days = max((now - event.at).total_seconds(), 0) / _DAY_S
        total += EVENT_WEIGHTS["search"] * 0.5 ** (days / HALF_LIFE_DAYS) * vector
    length = float(np.linalg.norm(total))
    return (total / length if length > 1e-6 else np.zeros_like(total)).astype(np.float32)
