"""Build the sample shop: tables and pictures of 240 products, 1,000 shoppers and their last ninety days, from a seed.

    python -m demo.shop OUT_DIR [--seed 7] [--today 2026-01-31]

The same seed and day give the same bytes. Merchandise is hand-written (`demo/catalogue`), everything else is drawn: prices and offers
in `demo.pricing`, people in `demo.people`, what they did in `demo.behaviour`, what competitors do in `demo.market`.
"""

import argparse
import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import track

from copywriting.taxonomy import VERTICALS
from demo import behaviour, market, people
from demo.merchandise import CURRENCIES, Merchandise, Range, load
from demo.pictures import render_product
from demo.pricing import OFFERS_PER_VERTICAL, PricePoint, Promotion, history, list_prices, price_at, promotion
from retrieval.knowledge import read_passages, write_passages
from retrieval.schemas import PRODUCTS
from retrieval.tables import write

SEED = 7
SHOPPERS = 1000
MEDIA = "media"
KNOWLEDGE = Path(__file__).with_name("knowledge")
LOW_STOCK = range(2, 16)

Render = Callable[[str, str, str, Path, str, int], list[Path]]
"""(shape, colour, pattern, directory, stem, seed) → the pictures written: the contract of `demo.pictures.render_product`."""

_LOW_PER_VERTICAL = 4
_SOLD_OUT = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """A product with what was drawn for it. `stock` is None where nothing runs out."""

    product: Merchandise
    prices: tuple[PricePoint, ...]
    offer: Promotion | None
    stock: int | None
    rating: float
    rating_count: int

    def paid_at(self, instant: datetime.datetime, currency: str) -> Decimal:
        """The unit price at an instant, with the offer if it ran then."""
        price = price_at(self.prices, instant, currency)
        return self.offer.applied_to(price, currency) if self.offer and self.offer.runs_at(instant) else price


def build(
    directory: Path,
    seed: int = SEED,
    today: datetime.date | None = None,
    render: Render = render_product,
    num_shoppers: int = SHOPPERS,
) -> None:
    """Write products, price_history, market, shoppers and events as Parquet and the pictures under `media/`. `today` is the current day
    unless given: offers run and events happened relative to it."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    shop = load()
    listings = listed(shop, seed, today)
    pictures = _draw(shop.products, directory, seed, render)
    write(directory, "products", _products(listings, pictures))
    write(directory, "price_history", _price_history(listings))
    write(directory, "market", market.table(today, tuple(CURRENCIES)))
    write_passages(directory, (row for locale in CURRENCIES for row in read_passages(KNOWLEDGE / f"{locale}.yaml")))
    shoppers = people.recruit(num_shoppers, today, seed)
    write(directory, "shoppers", people.table(shoppers))
    by_id = {listing.product.product_id: listing for listing in listings}
    played = behaviour.Behaviour(
        shop,
        quality={product_id: listing.rating for product_id, listing in by_id.items()},
        paid=lambda product_id, locale, at: by_id[product_id].paid_at(at, CURRENCIES[locale]),
        today=today,
        seed=seed,
    )
    write(directory, "events", behaviour.table(played.events(shoppers)))


def listed(shop: Range, seed: int, today: datetime.date) -> tuple[Listing, ...]:
    """Draw prices, offers, stock and ratings. Offers and low stock are shared out evenly over the verticals."""
    rng = np.random.default_rng([seed, 0])
    listings = []
    for vertical in VERTICALS:
        products = [product for product in shop.products if product.vertical == vertical]
        statuses = [OFFERS_PER_VERTICAL[i] for i in rng.permutation(len(products))]
        low = set(rng.choice(len(products), size=_LOW_PER_VERTICAL, replace=False).tolist())
        for i, (product, status) in enumerate(zip(products, statuses, strict=True)):
            offer = promotion(product, status, shop.gifts[vertical], today, rng)
            listings.append(
                Listing(
                    product=product,
                    prices=history(product, offer, today, rng),
                    offer=offer,
                    stock=_stock(vertical, i in low, rng),
                    rating=round(3.2 + 1.7 * float(rng.beta(4.2, 1.7)), 1),
                    rating_count=8 + int(rng.lognormal(5.4, 1.3)),
                )
            )
    return _with_sold_out(listings, rng)


def _stock(vertical: str, low: bool, rng: np.random.Generator) -> int | None:
    few, many = int(rng.integers(LOW_STOCK.start, LOW_STOCK.stop)), 40 + int(rng.lognormal(4.8, 0.8))
    if vertical == "finance":
        return None  # a savings plan doesn't run out, and copy must not pretend that it does
    return few if low else many


def _with_sold_out(listings: Sequence[Listing], rng: np.random.Generator) -> tuple[Listing, ...]:
    plentiful = [i for i, listing in enumerate(listings) if listing.stock is not None and listing.stock not in LOW_STOCK]
    gone = set(rng.choice(plentiful, size=_SOLD_OUT, replace=False).tolist())
    return tuple(
        Listing(each.product, each.prices, each.offer, 0 if i in gone else each.stock, each.rating, each.rating_count)
        for i, each in enumerate(listings)
    )


def _draw(products: Sequence[Merchandise], directory: Path, seed: int, render: Render) -> dict[str, list[str]]:
    """Product id → its pictures' paths, relative to the shop's directory."""
    media = directory / MEDIA
    console = Console(stderr=True)

    def paint(i: int) -> list[str]:
        product = products[i]
        paths = render(product.kind, product.colour, product.pattern, media, product.product_id, seed * 1000 + i)
        return [f"{MEDIA}/{path.name}" for path in paths]

    # Threads are enough: Pillow lets go of the interpreter while it draws, and each picture depends on its own seed alone.
    with ThreadPoolExecutor(os.cpu_count()) as painters:
        done = painters.map(paint, range(len(products)))
        drawn = list(track(done, "drawing pictures", total=len(products), console=console, disable=not console.is_terminal))
    return {product.product_id: paths for product, paths in zip(products, drawn, strict=True)}


def _products(listings: Sequence[Listing], pictures: Mapping[str, list[str]]) -> pa.Table:
    rows = [_row(listing, locale, pictures[listing.product.product_id]) for listing in listings for locale in CURRENCIES]
    return pa.Table.from_pylist(rows, schema=PRODUCTS)


def _row(listing: Listing, locale: str, images: list[str]) -> dict[str, Any]:
    product, currency = listing.product, CURRENCIES[locale]
    reference = list_prices(product)
    return {
        "product_id": product.product_id,
        "locale": locale,
        "title": product.title.in_locale(locale),
        "name": product.name.in_locale(locale),
        "vertical": product.vertical,
        "kind": product.kind,
        "brand": product.brand.in_locale(locale),
        "category": [label.in_locale(locale) for label in product.category],
        "description": product.description.in_locale(locale),
        "attributes": [(key, text.in_locale(locale)) for key, text in product.attributes.items()],
        "price": product.prices[currency],
        "list_price": reference[currency] if reference else None,
        "currency": currency,
        "stock": listing.stock,
        "rating": listing.rating,
        "rating_count": listing.rating_count,
        "offer": _offer(listing.offer, locale),
        "certificates": [text.in_locale(locale) for text in product.certificates],
        "images": images,
        "videos": [],
        "version": len(listing.prices),
    }


def _offer(offer: Promotion | None, locale: str) -> dict[str, Any] | None:
    if offer is None:
        return None
    gift = offer.gift.in_locale(locale) if offer.gift else None
    currency = CURRENCIES[locale]
    terms = {"minimum": offer.minimums.get(currency), "buy": offer.buy, "free": offer.free}
    return {"kind": offer.kind, "value": offer.values.get(currency), "gift": gift, "starts": offer.starts, "ends": offer.ends, **terms}


def _price_history(listings: Sequence[Listing]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "product_id": listing.product.product_id,
                "locale": locale,
                "price": point.prices[currency],
                "currency": currency,
                "at": point.at,
            }
            for listing in listings
            for locale, currency in CURRENCIES.items()
            for point in listing.prices
        ]
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the sample shop")
    parser.add_argument("directory", type=Path, help="where to write the shop")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--today", type=datetime.date.fromisoformat, help="YYYY-MM-DD; the current day by default")
    options = parser.parse_args()
    build(options.directory, options.seed, options.today)
    print(f"sample shop: {options.directory.resolve()}")


if __name__ == "__main__":
    main()
