"""What the features of behaviour know beside the events: the catalogue's kinds, brands and price bands, who consents, whose clock it is.

Read once by each process that computes features. A locale's clock is that of its country where babel knows one zone for it, and of the
zone that most of its people live in for the two large markets below; a city of the shopper is not looked at.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from babel.core import get_global
from numpy.typing import NDArray

from retrieval import schemas, tables
from retrieval.behaviour.cleaning import Known
from retrieval.behaviour.currencies import Rates
from retrieval.cleaning import codes
from retrieval.expressions import column
from retrieval.features import consenting

UTC_ZONE = "UTC"
_LARGE_MARKETS = {"CN": "Asia/Shanghai", "US": "America/New_York"}
_ENOUGH_PRICES = 3
"""Products of a kind that make a price band; fewer say nothing about dear and cheap."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One run: small enough to travel with every task. `run` is its work directory, unique, so that nothing of another run is reused."""

    shop: Path
    run: Path
    now: datetime
    basket: str = "session"
    rates: Rates = field(default_factory=Rates, hash=False)

    def part(self, name: str, number: int) -> Path:
        """Where a bucket's part of something lies."""
        return self.run / f"{name}-{number:05d}.parquet"


@dataclass(frozen=True, slots=True)
class Backdrop:
    """`kinds[kind_of[p]]` is the kind of product p, in catalogue order; `brand_of` is -1 without a brand; `price_quantile` (n,) in 0 to 1,
    NaN where unknown. `consenting` are sorted ids, `zones` the clock of each."""

    known: Known
    kinds: pa.Array
    kind_of: NDArray[np.int64]
    brands: pa.Array
    brand_of: NDArray[np.int64]
    price_quantile: NDArray[np.float64]
    consenting: pa.Array
    zones: pa.Array


@lru_cache(maxsize=1)
def backdrop(setting: Setting) -> Backdrop:
    """Read a shop's products and shoppers. Raises TableError."""
    products = read_columns(setting.shop, "products", ["product_id", "vertical", "kind", "brand", "price", "currency"])
    shoppers = read_columns(setting.shop, "shoppers", ["shopper_id", "consent", "consent_until", "locale"])
    ids = column(products, "product_id")
    first = np.sort(np.unique(codes(ids), return_index=True)[1])  # one row a product: the first locale's
    one = products.take(pa.array(first))
    kinds = pc.coalesce(column(one, "kind"), column(one, "vertical"))
    agreed = consenting(shoppers, setting.now)
    rates = setting.rates
    return Backdrop(
        known=Known(column(one, "product_id"), column(shoppers, "shopper_id"), setting.now, rates.rates, rates.base),
        kinds=kinds.dictionary_encode().dictionary,
        kind_of=codes(kinds),
        brands=column(one, "brand").dictionary_encode().dictionary,
        brand_of=codes(column(one, "brand")),
        price_quantile=price_quantiles(products, column(one, "product_id"), codes(kinds)),
        consenting=column(agreed, "shopper_id"),
        zones=zones(column(agreed, "locale")),
    )


def read_columns(shop: Path, table: str, names: list[str]) -> pa.Table:
    """Some columns of a table of the shop, nothing else in memory. An absent table has no rows but for the catalogue, which must be."""
    path = tables.path_of(shop, table)
    if table != "products" and not path.is_file():
        return schemas.SCHEMAS[table].empty_table().select(names)
    if not path.is_file():
        raise tables.TableError(f"{path}: no such table; make it with `python -m retrieval.ingest MAPPING.yaml` or `python -m demo.shop`")
    schema = pa.schema([schemas.SCHEMAS[table].field(name) for name in names])
    present = [name for name in names if name in pq.read_schema(path).names]
    return tables.conform(pq.read_table(path, columns=present), schema, path)


def price_quantiles(products: pa.Table, ids: pa.Array, kind_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) where each product's price stands among those of its kind, in (0, 1): the middle of its rank. Of several markets the first
    with a price counts, and prices are compared within one currency only."""
    priced = products.filter(pc.is_valid(products["price"]))
    at = pc.index_in(column(priced, "product_id"), ids).to_numpy()
    row, first = np.unique(at, return_index=True)
    price = column(priced, "price").cast(pa.float64()).to_numpy()[first]
    group = kind_of[row] * (priced.num_rows + 1) + codes(column(priced, "currency"))[first]
    found = np.full(len(ids), np.nan)
    for members in np.split(np.argsort(group, kind="stable"), np.cumsum(np.unique(group, return_counts=True)[1])[:-1]):
        if len(members) >= _ENOUGH_PRICES:
            ordered = np.sort(price[members])
            below, upto = np.searchsorted(ordered, price[members]), np.searchsorted(ordered, price[members], side="right")
            found[row[members]] = (below + upto) / 2 / len(members)
    return found


def zones(locales: pa.Array) -> pa.Array:
    """The clock of each locale's market, UTC where it is unknown."""
    encoded = locales.dictionary_encode()
    named = pa.array([zone_of(locale) for locale in encoded.dictionary.to_pylist()], pa.string())
    return named.take(encoded.indices)


def zone_of(locale: str) -> str:
    """The IANA zone of a locale's country: en-GB → Europe/London; UTC for a country of several zones, and without a country."""
    country = locale.rpartition("-")[2] if "-" in locale else ""
    known: list[Any] = get_global("territory_zones").get(country) or []
    return _LARGE_MARKETS.get(country) or (str(known[0]) if len(known) == 1 else UTC_ZONE)
