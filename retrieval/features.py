"""From behaviour to features: shopper vectors, interests, what was bought, and how popular a product is.

A shopper's vector is the sum of what sets the products (and search terms) that they touched apart from the mean product, weighted by
kind of event and halved every 30 days. Shoppers without consent are left out here, so nothing about them reaches an index but the count
of what was bought, which names nobody.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from copywriting.shopper import book
from retrieval.catalogue import Catalogue
from retrieval.encoder import TextEncoder, Vectors
from retrieval.leanings import EVENT_WEIGHTS, MAX_INTERESTS

HALF_LIFE_DAYS = 30.0
_NO_SIGNAL = 1e-6  # a purchase and its cancellation leave rounding noise, not a direction

PROFILES = pa.schema(
    [
        pa.field("shopper_id", pa.string(), nullable=False),
        pa.field("interests", pa.list_(pa.string()), nullable=False),
        pa.field("bought", pa.list_(pa.string()), nullable=False),
        pa.field("recent", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Features of a shop. `vectors` (m, d) unit rows in the order of `profiles`; `popularity` (n,) in [0, 1] in catalogue order."""

    profiles: pa.Table
    vectors: Vectors
    popularity: NDArray[np.float32]


def consenting(shoppers: pa.Table, now: datetime) -> pa.Table:
    """Shoppers whose behaviour may be used at `now`."""
    lasting = pc.fill_null(pc.greater(shoppers["consent_until"], pa.scalar(now, shoppers["consent_until"].type)), True)
    return shoppers.filter(pc.and_(shoppers["consent"], lasting))


def behaviour_features(
    catalogue: Catalogue, product_vectors: Vectors, events: pa.Table, shoppers: pa.Table, encoder: TextEncoder, now: datetime
) -> Behaviour:
    """Compute everything from one events table. Events of unknown products count for nothing; search terms count by their text."""
    latest = pc.max(events["at"]).as_py()
    anchor = min(now, latest) if latest else now  # ages count from the last event, so that an old log keeps its order of recency
    popularity = _popularity(catalogue, events, anchor)
    ids = consenting(shoppers, now)["shopper_id"].combine_chunks()
    rows = pc.index_in(events["shopper_id"], ids)
    known = events.append_column("row", rows).filter(pc.is_valid(rows))
    weights = _weights(known, anchor)
    touched = _matrix(known, weights, catalogue, len(ids))
    # What all products share is no taste: left in, whoever buys much would be shown the product that is least like any other.
    tastes = product_vectors - product_vectors.mean(axis=0) if len(product_vectors) > 1 else product_vectors
    raw = touched @ tastes + _search_vectors(known, weights, encoder, len(ids))
    lengths = np.linalg.norm(raw, axis=1)
    has_vector = lengths > _NO_SIGNAL
    vectors = np.ascontiguousarray(raw[has_vector] / lengths[has_vector, None], dtype=np.float32)
    profiles = _profiles(ids, known, touched, catalogue)
    return Behaviour(profiles.filter(pa.array(has_vector)), vectors, popularity)


def _weights(events: pa.Table, now: datetime) -> NDArray[np.float64]:
    """(events,) weight of each event: its kind, halved every 30 days; a review counts by its stars around 3, a purchase by the share of
    it that was kept. What was sent back says no more than that it was looked at."""
    kind = np.array([EVENT_WEIGHTS.get(name, 0.0) for name in events["kind"].to_pylist()])
    stars = pc.fill_null(events["value"], 3.0).to_numpy()
    is_review = pc.equal(events["kind"], "review").to_numpy()
    kind = np.where(is_review, stars - 3.0, kind) * _kept_share(events)
    age_days = _age_days(events, now)
    decayed: NDArray[np.float64] = kind * 0.5 ** (age_days / HALF_LIFE_DAYS)
    return decayed


def _kept_share(events: pa.Table) -> NDArray[np.float64]:
    """(events,) for a purchase the share of the units of this product that the shopper bought and kept, else 1."""
    product = pc.fill_null(pc.dictionary_encode(events["product_id"].combine_chunks()).indices, -1).to_numpy().astype(np.int64)
    row = events["row"].to_numpy().astype(np.int64)
    _, pair = np.unique(row * (product.max(initial=0) + 2) + product, return_inverse=True)
    units = pc.fill_null(events["quantity"], 1).to_numpy().astype(np.float64)
    is_purchase, is_return = (pc.equal(events["kind"], kind).to_numpy() for kind in ("purchase", "cancellation"))
    bought = np.bincount(pair, units * is_purchase)
    returned = np.minimum(np.bincount(pair, units * is_return), bought)
    kept = 1 - returned / np.maximum(bought, 1e-9)
    share: NDArray[np.float64] = np.where(is_purchase, kept[pair], 1.0)
    return share


def _age_days(events: pa.Table, now: datetime) -> NDArray[np.float64]:
    microseconds = now.timestamp() * 1e6 - pc.cast(events["at"], pa.int64()).to_numpy()
    days: NDArray[np.float64] = np.maximum(microseconds, 0) / 86_400e6
    return days


def _matrix(events: pa.Table, weights: NDArray[np.float64], catalogue: Catalogue, shoppers: int) -> csr_matrix:
    columns = pc.index_in(events["product_id"], pa.array(catalogue.product_ids))
    valid = pc.is_valid(columns).to_numpy()
    rows, cols = events["row"].to_numpy()[valid], pc.fill_null(columns, 0).to_numpy()[valid]
    return csr_matrix((weights[valid], (rows, cols)), shape=(shoppers, len(catalogue.product_ids)))


def _search_vectors(events: pa.Table, weights: NDArray[np.float64], encoder: TextEncoder, shoppers: int) -> NDArray[np.float64]:
    chosen = pc.and_(pc.equal(events["kind"], "search"), pc.is_valid(events["text"])).to_numpy()
    searches = events.filter(pa.array(chosen))
    if searches.num_rows == 0:
        return np.zeros((shoppers, encoder.dim))
    terms = pc.dictionary_encode(searches["text"].combine_chunks())
    vectors = encoder.encode(terms.dictionary.to_pylist())
    matrix = csr_matrix((weights[chosen], (searches["row"].to_numpy(), terms.indices.to_numpy())), shape=(shoppers, len(vectors)))
    summed: NDArray[np.float64] = matrix @ vectors
    return summed


def _profiles(ids: pa.Array, events: pa.Table, touched: csr_matrix, catalogue: Catalogue) -> pa.Table:
    kinds = [catalogue.kind_of(product_id) for product_id in catalogue.product_ids]
    names = sorted(set(kinds))
    onehot = csr_matrix((np.ones(len(kinds)), (np.arange(len(kinds)), [names.index(kind) for kind in kinds])))
    liking = (touched @ onehot).toarray()
    order = np.argsort(-liking, axis=1)[:, :MAX_INTERESTS]
    interests = [[names[j] for j in row if liking[i, j] > 0] for i, row in enumerate(order)]
    bought = _bought(events, len(ids))
    recent = [next(reversed(mine), None) for mine in bought]
    return pa.table(
        {"shopper_id": ids, "interests": interests, "bought": [list(mine) for mine in bought], "recent": recent}, schema=PROFILES
    )


def _bought(events: pa.Table, shoppers: int) -> list[dict[str, int]]:
    """Units that each shopper bought and kept, by product; the last key is the latest purchase. What was cancelled is not theirs."""
    kept: list[dict[str, int]] = [{} for _ in range(shoppers)]
    trades = events.filter(pc.is_in(events["kind"], pa.array(["purchase", "cancellation"]))).sort_by("at")
    for trade in trades.select(["row", "product_id", "kind", "quantity"]).to_pylist():
        book(kept[trade["row"]], trade["kind"], trade["product_id"], trade["quantity"] or 1)
    return kept


def _popularity(catalogue: Catalogue, events: pa.Table, now: datetime) -> NDArray[np.float32]:
    """Purchases of each product, halved every 30 days, on a log scale from 0 to 1."""
    purchases = events.filter(pc.equal(events["kind"], "purchase"))
    counts = np.zeros(len(catalogue.product_ids))
    columns = pc.index_in(purchases["product_id"], pa.array(catalogue.product_ids))
    valid = pc.is_valid(columns).to_numpy()
    np.add.at(counts, pc.fill_null(columns, 0).to_numpy()[valid], 0.5 ** (_age_days(purchases, now)[valid] / HALF_LIFE_DAYS))
    scaled: NDArray[np.float32] = (np.log1p(counts) / max(np.log1p(counts).max(initial=0.0), 1e-9)).astype(np.float32)
    return scaled
