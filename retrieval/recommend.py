"""Shopper, query or product → ranked products, over one verified index directory and its catalogue.

Without consent, or for a shopper never seen, products are ranked by popularity and neither the shopper index nor a profile is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from artifacts.card import ArtifactError, Card, sha256_of, verify
from copywriting.product import Product
from copywriting.shopper import Shopper, anonymous
from retrieval import schemas, tables
from retrieval.catalogue import Catalogue, Filters
from retrieval.encoder import Vectors, load_encoder
from retrieval.index import VectorIndex
from retrieval.knowledge import Knowledge
from retrieval.preferences import DIRECTORY, Preferences, taste

_MEAN_OF = 100_000  # products whose mean stands for all


@dataclass(frozen=True, slots=True)
class Ranked:
    """A product and why it is here: `score` is a cosine (shopper, query, product) or a popularity; `reason` says which."""

    product: Product
    score: float
    reason: str


class Recommender:
    """Everything that retrieval answers. Reads only; several threads may share one."""

    def __init__(self, shop: Path, index: Path) -> None:
        self.catalogue = Catalogue.read(shop)
        self.card: Card = verify(index, "index")
        if self.card.data_hash != sha256_of(tables.path_of(shop, "products")):
            raise ArtifactError(
                f"{index}: was built from another version of {tables.path_of(shop, 'products')}; build it again with: {self.card.command}"
            )
        self._products = VectorIndex.open(index / "products.faiss")
        self._shopper_vectors = VectorIndex.open(index / "shoppers.faiss")
        self._profiles = pq.read_table(index / "profiles.parquet", memory_map=True)
        self._profile_row = _positions(self._profiles["shopper_id"])
        self._popularity: NDArray[np.float32] = pq.read_table(index / "rows.parquet")["popularity"].to_numpy()
        self._encoder = load_encoder(index / "encoder")
        self._shoppers = tables.read(shop, "shoppers") if tables.path_of(shop, "shoppers").is_file() else schemas.SHOPPERS.empty_table()
        self._shopper_row = _positions(self._shoppers["shopper_id"])
        self._row_of = {product_id: row for row, product_id in enumerate(self.catalogue.product_ids)}
        self._mean_product: Vectors = self._products.vectors(np.arange(min(len(self._products), _MEAN_OF))).mean(axis=0)
        self.knowledge = Knowledge(index)
        self._preferences = Preferences(index) if (index / DIRECTORY).is_dir() else None

    def refresh(self) -> None:
        """Take over what other processes deleted from this index."""
        for index in (self._products, *([self._preferences.products] if self._preferences else [])):
            index.refresh()

    def remove(self, product_ids: Sequence[str]) -> None:
        """Products that are not recommended from now on, by any replica that reads this index; on disk before it returns. Raises KeyError
        for an unknown product. They are in the catalogue until the next ingestion, so that copy about one that is named is still true."""
        if unknown := [product_id for product_id in product_ids if product_id not in self.catalogue]:
            raise KeyError(unknown[0])
        rows = self.catalogue.rows_of(product_ids)
        for index in (self._products, *([self._preferences.products] if self._preferences else [])):
            index.remove(rows)

    def knows(self, shopper_id: str) -> bool:
        """Is the shopper in the shoppers table?"""
        return shopper_id in self._shopper_row

    def shopper(self, shopper_id: str, now: datetime | None = None) -> Shopper:
        """Profile of a shopper who consents; otherwise (or unknown) an anonymous one that carries at most the preferred locale."""
        if shopper_id not in self._shopper_row:
            return anonymous()
        record: dict[str, Any] = self._shoppers.slice(self._shopper_row[shopper_id], 1).to_pylist()[0]
        until = record["consent_until"]
        if not record["consent"] or (until is not None and until <= (now or datetime.now(UTC))):
            return anonymous(record["locale"])
        shopper = Shopper(shopper_id, record["locale"], True, dict(record["attributes"]))
        if shopper_id not in self._profile_row:
            return shopper
        profile = self._profiles.slice(self._profile_row[shopper_id], 1).to_pylist()[0]
        return replace(shopper, interests=tuple(profile["interests"]), bought=frozenset(profile["bought"]), recent=profile["recent"])

    def for_shopper(
        self, shopper: Shopper, locale: str, k: int = 10, filters: Filters | None = None, now: datetime | None = None
    ) -> list[Ranked]:
        """Products for a shopper: by their latest events, else by the vector of the index, else by the interests that they declare, else by
        their attributes, else by popularity. Never what they bought."""
        filters = filters or Filters()
        filters = replace(filters, exclude=filters.exclude | shopper.bought)
        now = now or datetime.now(UTC)
        if shopper.personalise and self._preferences and self._preferences.knows(shopper.events):
            vector = self._preferences.vector(shopper, now)
            if vector.any():
                return self._search(self._preferences.products, vector, locale, k, filters, "your latest choices")
        if shopper.personalise and shopper.events:
            vector = taste(shopper.events, self._products, self._row_of, self._mean_product, self._encoder, now)
            if vector.any():
                return self._nearest(vector, locale, k, filters, "your latest choices")
        if shopper.personalise and shopper.shopper_id in self._profile_row:
            vector = self._shopper_vectors.vector(self._profile_row[shopper.shopper_id])
            return self._nearest(vector, locale, k, filters, "your behaviour")
        if shopper.personalise and shopper.interests:
            return self.for_query(" ".join(shopper.interests).replace("_", " "), locale, k, filters, "declared interests")
        if shopper.personalise and self._preferences and shopper.attributes:
            return self._search(self._preferences.products, self._preferences.vector(shopper, now), locale, k, filters, "people like you")
        return self.popular(locale, k, filters)

    def for_query(
        self, query: str, locale: str, k: int = 10, filters: Filters | None = None, reason: str = "matches the query"
    ) -> list[Ranked]:
        """Products for search terms in any language of the catalogue; popular ones where no word of the query is known."""
        vector = self._encoder.encode([query])[0]
        if not vector.any():
            return self.popular(locale, k, filters or Filters())
        return self._nearest(vector, locale, k, filters or Filters(), reason)

    def similar(self, product_id: str, locale: str, k: int = 10, filters: Filters | None = None) -> list[Ranked]:
        """Products like a given one, without itself. Raises KeyError for an unknown product."""
        row = self.catalogue.rows_of([product_id])
        if not len(row):
            raise KeyError(product_id)
        filters = filters or Filters()
        return self._nearest(
            self._products.vector(row[0]), locale, k, replace(filters, exclude=filters.exclude | {product_id}), "like the given product"
        )

    def popular(self, locale: str, k: int = 10, filters: Filters | None = None) -> list[Ranked]:
        """What sells, most recent purchases first in weight."""
        allowed = self._products.allowed(self.catalogue.allowed(filters or Filters(), locale))
        order = np.argsort(-np.where(allowed, self._popularity, -1.0), kind="stable")[:k]
        return [self._ranked(row, self._popularity[row], locale, "popular now") for row in order if allowed[row]]

    def _nearest(self, vector: Vectors, locale: str, k: int, filters: Filters, reason: str) -> list[Ranked]:
        return self._search(self._products, vector, locale, k, filters, reason)

    def _search(self, index: VectorIndex, vector: Vectors, locale: str, k: int, filters: Filters, reason: str) -> list[Ranked]:
        rows, scores = index.search(vector, k, self.catalogue.allowed(filters, locale))
        return [self._ranked(row, score, locale, reason) for row, score in zip(rows, scores, strict=True)]

    def _ranked(self, row: int, score: float, locale: str, reason: str) -> Ranked:
        return Ranked(self.catalogue.product(self.catalogue.product_ids[row], locale), float(score), reason)


def _positions(ids: pa.ChunkedArray) -> dict[str, int]:
    return {name: row for row, name in enumerate(ids.to_pylist())}


def names(ranked: Sequence[Ranked]) -> list[str]:
    """Product names, for logs and demonstrations."""
    return [entry.product.name for entry in ranked]
