"""Prices over time and offers of the sample shop: what makes `{discount}`, `{saving}` and `{offer.ends}` true.

A list price here was really charged for at least thirty days before the present price, so that it may lawfully be named as the
reference. An offer takes its discount from the lowest price of the thirty days before the offer began (Directive 98/6/EC, article 6a):
the present price then held already, and none of those days was cheaper. Financial products change in whole multiples and are promoted
with gifts where a discount would be meaningless.
"""

import datetime
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Literal

import numpy as np

from copywriting.product import OfferKind
from demo.merchandise import CURRENCIES, Merchandise, Text

Status = Literal["running", "coming", "ended", "none"]

OFFERS_PER_VERTICAL: tuple[Status, ...] = ("running",) * 8 + ("coming",) + ("ended",) + ("none",) * 10
"""Every vertical's twenty products share these statuses out: 40 % run today, 5 % come, 5 % are over."""

_HISTORY_DAYS = (110, 131)
_REFERENCE_DAYS = (35, 60)
_LATEST_CHANGE_DAYS = (4, 26)
_PRIOR_DAYS = 30
"""Before an offer: the days whose lowest price its discount may be taken from."""
_STEPS = tuple(map(Decimal, ("0.92", "1.08", "1.16", "1.26")))
_MULTIPLES = (Decimal(2), Decimal(3))
_AMOUNTS = tuple(map(Decimal, (1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 400, 500)))
_PERCENTS = (10, 12, 15, 20, 25, 30, 40)
_GIFTS_ONLY = ("savings", "funds", "pensions")
_PRICE_CHANGE_HOUR = 1
_LAST_MINUTE = datetime.time(15, 59, 59, tzinfo=datetime.UTC)
"""When an offer's last day ends: midnight in Beijing, and the same calendar day in London and New York."""


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price in every currency, from `at` on."""

    at: datetime.datetime
    prices: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Promotion:
    """An offer in every market. `values` is percent or an amount per currency; empty for a gift. `minimums` are the orders that a
    `spend_save` needs, `buy` and `free` the pieces of a `buy_get`."""

    kind: OfferKind
    values: dict[str, Decimal]
    gift: Text | None
    starts: datetime.datetime
    ends: datetime.datetime
    minimums: dict[str, Decimal] = field(default_factory=dict)
    buy: int | None = None
    free: int | None = None

    @property
    def lowers_price(self) -> bool:
        """Does one piece cost less?"""
        return self.kind in ("percent_off", "amount_off")

    def runs_at(self, instant: datetime.datetime) -> bool:
        """Is the offer on at this instant?"""
        return self.starts <= instant <= self.ends

    def applied_to(self, price: Decimal, currency: str) -> Decimal:
        """What is paid while the offer runs, to the cent."""
        if self.kind == "percent_off":
            price = price * (100 - self.values[currency]) / 100
        elif self.kind == "amount_off":
            price = price - self.values[currency]
        return price.quantize(Decimal("0.01"), ROUND_HALF_UP)


def list_prices(product: Merchandise) -> dict[str, Decimal] | None:
    """The reference price per currency, or None where the product has none."""
    if product.list_factor is None:
        return None
    return {currency: max(_charm(price * product.list_factor), price + 1) for currency, price in product.prices.items()}


def history(product: Merchandise, offer: Promotion | None, today: datetime.date, rng: np.random.Generator) -> tuple[PricePoint, ...]:
    """Every price of the last hundred days and more, oldest first; the last one is the present price, which began before the offer."""
    reference = list_prices(product)
    begin, latest = int(rng.integers(*_HISTORY_DAYS)), int(rng.integers(*_LATEST_CHANGE_DAYS))
    offered = (today - offer.starts.date()).days if offer and offer.lowers_price else None  # days ago; below zero where it is coming
    if offered is not None:
        latest = max(latest, offered + 1)
    if reference is None:
        days = [begin, int(rng.integers(78, 95)), int(rng.integers(64, 76)), int(rng.integers(40, 60)), latest]
        dear = [offered is not None and until <= offered + _PRIOR_DAYS for until in days[1:]]
        prices = [*_wandering(product, dear, rng), dict(product.prices)]
    else:
        listed = latest + int(rng.integers(*_REFERENCE_DAYS))
        days = [begin, listed + int(rng.integers(3, 15)), listed, latest]
        dearer = {currency: max(_charm(price * Decimal("1.08")), price + 1) for currency, price in reference.items()}
        prices = [dict(product.prices), dearer, reference, dict(product.prices)]
    return tuple(PricePoint(_at(today, -day, hour=_PRICE_CHANGE_HOUR), price) for day, price in zip(days, prices, strict=True))


def price_at(points: Sequence[PricePoint], instant: datetime.datetime, currency: str) -> Decimal:
    """The price at an instant; the oldest one before the history begins."""
    return next((point for point in reversed(points) if point.at <= instant), points[0]).prices[currency]


def promotion(
    product: Merchandise, status: Status, gifts: Sequence[Text], today: datetime.date, rng: np.random.Generator
) -> Promotion | None:
    """An offer of that status, or None. A running one began before today and ends in 2 to 40 days."""
    if status == "none":
        return None
    first, last = {
        "running": (-int(rng.integers(1, 21)), int(rng.integers(2, 41))),
        "coming": (int(rng.integers(2, 11)), int(rng.integers(14, 41))),
        "ended": (-int(rng.integers(21, 35)), -int(rng.integers(2, 15))),
    }[status]
    starts = _at(today, first, hour=0)
    ends = datetime.datetime.combine(today + datetime.timedelta(days=last), _LAST_MINUTE)
    offer = _promotion(product, gifts, starts, ends, rng)
    return offer if product.vertical in ("finance", "travel") else _on_larger_orders(product, offer)


def _on_larger_orders(product: Merchandise, offer: Promotion) -> Promotion:
    """Every seventh offer asks for more pieces and every seventh for a larger order: which ones, the product's id tells."""
    turn = zlib.crc32(product.product_id.encode()) % 7
    if turn == 0:
        return Promotion("buy_get", {}, None, offer.starts, offer.ends, buy=2, free=1)
    minimums = {currency: _round(price * 2) for currency, price in product.prices.items()}
    savings = {currency: _amount(minimum, 0.15) for currency, minimum in minimums.items()}
    if turn == 1 and all(savings.values()):
        return Promotion("spend_save", savings, None, offer.starts, offer.ends, minimums)
    return offer


def _round(amount: Decimal) -> Decimal:
    """The next amount that one would ask an order to reach: 217 → 250, 43 → 50."""
    step = next(step for floor, step in ((1000, 100), (100, 50), (0, 10)) if amount >= floor)
    return (amount / step).to_integral_value(ROUND_CEILING) * step


def _promotion(
    product: Merchandise, gifts: Sequence[Text], starts: datetime.datetime, ends: datetime.datetime, rng: np.random.Generator
) -> Promotion:
    chosen = "gift" if product.kind in _GIFTS_ONLY else str(rng.choice(("percent_off", "amount_off", "gift"), p=(0.45, 0.3, 0.25)))
    if chosen == "gift":
        return Promotion("gift", {}, gifts[int(rng.integers(len(gifts)))], starts, ends)
    amounts = {currency: _amount(price, rng.choice((0.12, 0.16, 0.22))) for currency, price in product.prices.items()}
    if chosen == "amount_off" and all(amounts.values()):
        return Promotion("amount_off", amounts, None, starts, ends)
    percent = Decimal(int(rng.choice(_PERCENTS)))
    return Promotion("percent_off", dict.fromkeys(CURRENCIES.values(), percent), None, starts, ends)


def _wandering(product: Merchandise, dear: Sequence[bool], rng: np.random.Generator) -> list[dict[str, Decimal]]:
    """Four earlier prices, oldest first, each unlike the one after it in every currency. Where `dear` says so a price is no lower than
    the present one. The latest never is: a price that has just been raised is no price to name."""
    later = [dict(product.prices)]
    for no_lower in reversed((*dear[:-1], True)):
        following = later[0]
        later.insert(0, {c: _drawn(product, price, following[c], no_lower, rng) for c, price in product.prices.items()})
    return later[:-1]


def _drawn(product: Merchandise, price: Decimal, unlike: Decimal, no_lower: bool, rng: np.random.Generator) -> Decimal:
    """A price near the present one, and not the one that it changes to."""
    if product.vertical == "finance":
        candidates = [price, *(price * multiple for multiple in _MULTIPLES)]
    else:
        candidates = [price, *(_charm(price * step) for step in _STEPS)]
    allowed = [candidate for candidate in candidates if candidate != unlike and (candidate >= price or not no_lower)]
    return allowed[int(rng.integers(len(allowed)))]


def _charm(amount: Decimal) -> Decimal:
    """The nearest price that a shop would print: 1195.67 → 1199, 31.25 → 29, 7.20 → 6.99."""
    for floor, step, back in ((1000, 50, 1), (100, 10, 1), (20, 5, 1), (0, 1, Decimal("0.01"))):
        if amount >= floor:
            return max((amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step - back, Decimal("0.99")).quantize(Decimal("0.01"))
    raise ValueError(f"price {amount}: below zero")


def _amount(price: Decimal, share: float) -> Decimal:
    """The largest round amount within that share of the price; 0 where the price is too small for one."""
    return max((amount for amount in _AMOUNTS if amount <= price * Decimal(str(share))), default=Decimal(0))


def _at(today: datetime.date, days: int, hour: int) -> datetime.datetime:
    return datetime.datetime.combine(today + datetime.timedelta(days=days), datetime.time(hour, tzinfo=datetime.UTC))
