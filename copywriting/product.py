"""A product and its offer as copy sees them: one row of the catalogue in one locale."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

OfferKind = Literal["percent_off", "amount_off", "gift", "spend_save", "buy_get"]
OFFER_KINDS: tuple[OfferKind, ...] = get_args(OfferKind)


@dataclass(frozen=True, slots=True)
class Offer:
    """A promotion. `value` is percent (20 = 20 % off the price) for `percent_off`, an amount in the product's currency for
    `amount_off`, None for `gift`. `spend_save` takes `value` off an order of `minimum` or more (满300减50), `buy_get` adds `free` pieces to
    `buy` bought ones. Runs from `starts` to `ends`, both inclusive instants in UTC."""

    kind: OfferKind
    value: Decimal | None
    gift: str | None
    starts: datetime
    ends: datetime
    minimum: Decimal | None = None
    buy: int | None = None
    free: int | None = None


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price in the product's currency, in force from `at` until the next point."""

    at: datetime
    price: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """One catalogue row. `price` is before the offer; `attributes` keys are snake_case, values in the row's language.

    Well-known attribute keys: feature, feature_2, material, color, origin. `rating` is 0 to 5. `images` are paths, absolute
    or relative to the catalogue's directory. `price_history` is oldest first and empty where nobody kept one.
    """

    product_id: str
    locale: str
    title: str
    name: str
    vertical: str
    price: Decimal | None
    currency: str | None
    version: int
    kind: str | None = None
    brand: str | None = None
    category: tuple[str, ...] = ()
    description: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    list_price: Decimal | None = None
    stock: int | None = None
    rating: float | None = None
    rating_count: int | None = None
    offer: Offer | None = None
    certificates: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    price_history: tuple[PricePoint, ...] = ()
