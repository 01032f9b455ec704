"""The catalogue in memory: product rows by id and locale, and the columns that filters need.

Rows stay in Arrow and become `Product` only when asked for, so a replica holds a large catalogue in little memory.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from babel.numbers import get_territory_currencies
from numpy.typing import NDArray

from copywriting.product import Offer, PricePoint, Product
from retrieval import schemas, tables

_KEPT_PRODUCTS = 4096
"""Products, of those asked for last, that stay made."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which products may be recommended. Empty `verticals`, `kinds` or `categories` mean any; a category is any step of the merchant's
    path. Prices are inclusive and in the currency of the locale's market, unless `currency` names another; a price in any other currency
    is outside of every bound."""

    in_stock: bool = True
    verticals: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    currency: str | None = None
    min_price: float | None = None
    max_price: float | None = None
    exclude: frozenset[str] = frozenset()


class Catalogue:
    """Products of one shop. Row order of `product_ids` is the row order of its index."""

    def __init__(self, rows: pa.Table, root: Path, history: pa.Table | None = None) -> None:
        if rows.num_rows == 0:
            raise tables.TableError(f"{tables.path_of(root, 'products')}: the catalogue is empty; ingest at least one product")
        self._rows = rows.combine_chunks()
        ids, locales = self._rows["product_id"].to_pylist(), self._rows["locale"].to_pylist()
        self._at: dict[str, dict[str, int]] = {}
        for row, (product_id, locale) in enumerate(zip(ids, locales, strict=True)):
            self._at.setdefault(product_id, {})[locale] = row
        self.product_ids: tuple[str, ...] = tuple(self._at)
        self._row_of = {product_id: row for row, product_id in enumerate(self.product_ids)}
        self._kinds, self._verticals = self._rows["kind"].to_pylist(), self._rows["vertical"].to_pylist()
        self._columns: dict[str, _Columns] = {}
        self._shelf_prices: dict[tuple[str, str], NDArray[np.float64]] | None = None
        self._history = _PriceHistory(history if history is not None else schemas.PRICE_HISTORY.empty_table())
        self._product = lru_cache(_KEPT_PRODUCTS)(
            partial(_made, self._rows, self._history)
        )  # nested Arrow rows are slow to read: 0.3 ms each

    @classmethod
    def read(cls, shop: Path) -> "Catalogue":
        """Read `products.parquet` of a shop directory, and its price history where it has one."""
        kept = tables.path_of(shop, "price_history").is_file()
        return cls(tables.read(shop, "products"), shop, tables.read(shop, "price_history") if kept else None)

    def __contains__(self, product_id: object) -> bool:
        return product_id in self._at

    def product(self, product_id: str, locale: str) -> Product:
        """The row for this locale, else one of the same language, else the first. Raises KeyError for an unknown product."""
        return self._product(self._locale_row(product_id, locale))

    def document(self, product_id: str) -> str:
        """All texts of a product, every locale: what its vector is made of. What several locales share counts once, what the product
        is called and where it belongs twice."""
        names: list[str] = []
        texts: list[str] = []
        for row in self._at[product_id].values():
            product = self._product(row)
            names += [product.title, product.name, product.kind or "", product.vertical, *product.category]
            texts += [product.brand or "", product.description or "", *product.attributes.values()]
        once = [*dict.fromkeys(names), *dict.fromkeys(names), *dict.fromkeys(texts)]
        return " ".join(text.replace("_", " ") for text in once if text)

    def kind_of(self, product_id: str) -> str:
        """The product's kind, or its vertical where it has none."""
        row = next(iter(self._at[product_id].values()))
        return str(self._kinds[row] or self._verticals[row])

    def vertical_of(self, product_id: str) -> str:
        """The product's vertical."""
        return str(self._verticals[next(iter(self._at[product_id].values()))])

    def price_level(self, product: Product) -> float | None:
        """Rank of a product's price within its kind in its locale: 0 the cheapest, 1 the dearest; None without a price."""
        if product.price is None:
            return None
        if self._shelf_prices is None:
            self._shelf_prices = _shelf_prices(self._rows)
        prices = self._shelf_prices[product.vertical if product.kind is None else product.kind, product.locale]
        return float(np.searchsorted(prices, float(product.price))) / max(1, len(prices) - 1)

    def attribute_numbers(self) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """What products share, for recommenders: (names, for each product the numbers of its names). Names are `brand:…`, `category:…`,
        `kind:…`, and `price:…`, the quarter of its kind's prices that a product lies in."""
        first = [next(iter(rows.values())) for rows in self._at.values()]
        taken = self._rows.take(pa.array(first)).select(["brand", "category"]).to_pylist()
        quarters = _price_quarters(self._rows.take(pa.array(first)), [self.kind_of(product_id) for product_id in self.product_ids])
        owned = [
            [
                *([f"brand:{row['brand']}"] if row["brand"] else []),
                *(f"category:{step}" for step in row["category"]),
                f"kind:{self.kind_of(product_id)}",
                *([f"price:{quarter}"] if quarter else []),
            ]
            for product_id, row, quarter in zip(self.product_ids, taken, quarters, strict=True)
        ]
        names = tuple(sorted({name for mine in owned for name in mine}))
        number = {name: place for place, name in enumerate(names)}
        return names, tuple(tuple(dict.fromkeys(number[name] for name in mine)) for mine in owned)

    def rows_of(self, product_ids: Collection[str]) -> NDArray[np.int64]:
        """Index rows of known products; unknown ids are left out."""
        return np.array([self._row_of[p] for p in product_ids if p in self._row_of], dtype=np.int64)

    def allowed(self, filters: Filters, locale: str) -> NDArray[np.bool_]:
        """(n products,) True where a product passes every filter in this locale's rows."""
        columns = self._columns_for(locale)
        mask = np.ones(len(self.product_ids), dtype=np.bool_)
        if filters.in_stock:
            mask &= columns.in_stock
        if filters.verticals:
            mask &= np.isin(columns.vertical, filters.verticals)
        if filters.kinds:
            mask &= np.isin(columns.kind, filters.kinds)
        if filters.categories:
            wanted = set(filters.categories)
            mask &= np.array([not wanted.isdisjoint(path) for path in columns.category], dtype=np.bool_)
        if filters.min_price is not None or filters.max_price is not None:
            mask &= columns.currency == (filters.currency or _market_currency(locale))
            mask &= columns.price >= (-np.inf if filters.min_price is None else filters.min_price)
            mask &= columns.price <= (np.inf if filters.max_price is None else filters.max_price)
        mask[self.rows_of(filters.exclude)] = False
        return mask

    def _locale_row(self, product_id: str, locale: str) -> int:
        rows = self._at[product_id]
        if locale in rows:
            return rows[locale]
        language = locale.split("-")[0]
        return next((row for other, row in rows.items() if other.split("-")[0] == language), next(iter(rows.values())))

    def _columns_for(self, locale: str) -> "_Columns":
        if locale not in self._columns:
            taken = self._rows.take(pa.array([self._locale_row(p, locale) for p in self.product_ids]))
            self._columns[locale] = _Columns(
                in_stock=_numpy(pc.greater(pc.fill_null(taken["stock"], 1), 0)),
                vertical=np.array(taken["vertical"].to_pylist()),
                kind=np.array([kind or "" for kind in taken["kind"].to_pylist()]),
                category=tuple(map(frozenset, taken["category"].to_pylist())),
                currency=np.array([currency or "" for currency in taken["currency"].to_pylist()]),
                price=_numpy(pc.fill_null(pc.cast(taken["price"], pa.float64()), float("nan"))),
            )
        return self._columns[locale]


@dataclass(frozen=True, slots=True)
class _Columns:
    in_stock: NDArray[np.bool_]
    vertical: NDArray[np.str_]
    kind: NDArray[np.str_]
    category: tuple[frozenset[str], ...]
    currency: NDArray[np.str_]
    price: NDArray[np.float64]


class _PriceHistory:
    """Every price of every product's row, oldest first, in Arrow until asked for."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows.sort_by([("product_id", "ascending"), ("locale", "ascending"), ("at", "ascending")]).combine_chunks()
        self._spans: dict[tuple[str, str], tuple[int, int]] = {}
        keys = list(zip(self._rows["product_id"].to_pylist(), self._rows["locale"].to_pylist(), strict=True))
        begin = 0
        for row, key in enumerate(keys):
            if row + 1 == len(keys) or keys[row + 1] != key:
                self._spans[key] = (begin, row + 1)
                begin = row + 1

    def of(self, product_id: str, locale: str, currency: str | None) -> tuple[PricePoint, ...]:
        """The prices of one row of the catalogue in its currency; none where nobody kept them."""
        begin, end = self._spans.get((product_id, locale), (0, 0))
        points = self._rows.slice(begin, end - begin).to_pylist()
        return tuple(PricePoint(point["at"], point["price"]) for point in points if point["currency"] == currency)


def _made(rows: pa.Table, history: _PriceHistory, row: int) -> Product:
    record: dict[str, Any] = rows.slice(row, 1).to_pylist()[0]
    offer = record.pop("offer")
    attributes = dict(record.pop("attributes"))
    sequences: dict[str, Any] = {key: tuple(record.pop(key)) for key in ("category", "certificates", "images", "videos")}
    points = history.of(record["product_id"], record["locale"], record["currency"])
    return Product(**record, **sequences, attributes=attributes, offer=Offer(**offer) if offer else None, price_history=points)


def _shelf_prices(rows: pa.Table) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The prices of each kind (or vertical, where a row has no kind) in each locale, ascending."""
    kinds, prices = pc.coalesce(rows["kind"], rows["vertical"]), pc.cast(rows["price"], pa.float64())
    named = pa.table({"kind": kinds, "locale": rows["locale"], "price": prices}).drop_null()
    shelves = named.group_by(["kind", "locale"]).aggregate([("price", "list")])
    names = zip(shelves["kind"].to_pylist(), shelves["locale"].to_pylist(), strict=True)
    return {name: np.sort(held.values.to_numpy()) for name, held in zip(names, shelves["price_list"], strict=True)}


def _price_quarters(rows: pa.Table, kinds: list[str]) -> list[int]:
    """1 the cheapest quarter of a kind's prices … 4 the dearest; 0 where there is no price. Currencies are not compared."""
    prices = _numpy(pc.fill_null(pc.cast(rows["price"], pa.float64()), float("nan")))
    currencies = [currency or "" for currency in rows["currency"].to_pylist()]
    shelves: dict[tuple[str, str], list[int]] = {}
    for row, shelf in enumerate(zip(kinds, currencies, strict=True)):
        if np.isfinite(prices[row]):
            shelves.setdefault(shelf, []).append(row)
    quarters = [0] * len(prices)
    for members in shelves.values():
        for place, row in enumerate(sorted(members, key=prices.__getitem__)):
            quarters[row] = 1 + 4 * place // len(members)
    return quarters


def _market_currency(locale: str) -> str:
    """What is paid with today in the locale's country: en-GB → GBP. A locale without a country has none."""
    current = get_territory_currencies(locale.rpartition("-")[2]) if "-" in locale else []
    return current[0] if current else ""


def _numpy(column: Any) -> NDArray[Any]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values
