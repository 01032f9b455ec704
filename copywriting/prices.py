"""What a shopper pays, beside which reference price, and whether the law lets that reference be named.

A reduction is measured from the lowest price of the days before it that the law of the country names (`reference_price` in `rules/*.yaml`):
7 in China, 30 in the European Union. Prices paid elsewhere and list prices of makers are not here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from babel.numbers import get_currency_precision

from copywriting.product import Offer, PricePoint, Product
from copywriting.rulebook import ReferencePrice

REDUCING = ("percent_off", "amount_off")
"""Kinds of offer that lower the price of one piece."""


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the shopper pays, in major units. `reference` is what the advantage is measured from, None where there is none; `derivation`
    shows the arithmetic, `note` why the reference is not the one that the merchant named."""

    pays: Decimal
    reference: Decimal | None
    derivation: str = ""
    note: str = ""

    @property
    def percent_off(self) -> Decimal:
        """The advantage in percent of the reference, rounded down to a whole percent; 0 where there is none."""
        if self.reference is None:
            return Decimal(0)
        return ((1 - self.pays / self.reference) * 100).to_integral_value(ROUND_FLOOR)


def active_offer(product: Product, now: datetime) -> Offer | None:
    """The product's offer if it runs at `now` and gives something: a lower price that is still one, terms that make sense, or a gift."""
    offer = product.offer
    return offer if offer is not None and offer.starts <= now <= offer.ends and _gives(offer, product.price) else None


def share_off(product: Product, now: datetime) -> float:
    """What the running offer takes off the price of one piece, as a share of it: 0.2 for 20 % off, 0 where none does."""
    offer = active_offer(product, now)
    if offer is None or offer.kind not in REDUCING or offer.value is None or not product.price:
        return 0.0
    return float(offer.value / (100 if offer.kind == "percent_off" else product.price))


def _gives(offer: Offer, price: Decimal | None) -> bool:
    if offer.kind == "gift":
        return bool(offer.gift and offer.gift.strip())
    if offer.kind == "buy_get":
        return price is not None and (offer.buy or 0) > 0 and (offer.free or 0) > 0
    limits = {"percent_off": Decimal(100), "amount_off": price, "spend_save": offer.minimum}
    return price is not None and 0 < (offer.value or 0) < (limits[offer.kind] or 0)


def prior_price(history: Sequence[PricePoint], began: datetime, days: int) -> Decimal | None:
    """The lowest price in force at any time of the `days` before `began` (that instant not included). `history` holds each price from its
    instant on, oldest first; None where it says nothing of those days."""
    since = began - timedelta(days=days)
    before = [point for point in history if point.at < began]
    until = [*(point.at for point in before[1:]), began]
    held = [point.price for point, end in zip(before, until, strict=False) if end > since]
    return min(held, default=None)


def pricing(product: Product, now: datetime, rule: ReferencePrice | None = None, *, strict: bool = False) -> Pricing | None:
    """The price with its running offer: ¥500 with 20 % off is ¥400 beside ¥500. None for a product without a price above 0 or without a
    currency. With `rule` the reference is at most the lowest price before the reduction; where no history tells, `strict` drops it."""
    if product.price is None or product.price <= 0 or not product.currency:
        return None
    cent = Decimal(1).scaleb(-get_currency_precision(product.currency))
    offer = active_offer(product, now)
    full = product.price.quantize(cent, ROUND_CEILING)  # a currency without cents: never less than what is paid
    if offer is None or offer.kind not in REDUCING or offer.value is None:
        return _with_reference(product, full, product.list_price, _price_since(product, now), "", rule, strict)
    reduced = full * (100 - offer.value) / 100 if offer.kind == "percent_off" else full - offer.value
    pays = max(reduced.quantize(cent, ROUND_HALF_UP), cent)
    share = f"× {(100 - offer.value).normalize():f}%" if offer.kind == "percent_off" else f"− {offer.value.normalize():f}"
    return _with_reference(product, pays, full, offer.starts, f"{full} {share} = {pays} {product.currency}", rule, strict)


def _price_since(product: Product, now: datetime) -> datetime:
    """When the present price began: the last change in the history, else now."""
    return product.price_history[-1].at if product.price_history else now


def _with_reference(
    product: Product, pays: Decimal, claimed: Decimal | None, began: datetime, derivation: str, rule: ReferencePrice | None, strict: bool
) -> Pricing:
    if claimed is None or claimed <= pays:
        return Pricing(pays, None, derivation)
    if rule is None:
        return Pricing(pays, claimed, derivation)
    prior = prior_price(product.price_history, began, rule.days)
    if prior is None:
        return Pricing(pays, None if strict else claimed, derivation, "no price history proves the reference price")
    if prior >= claimed:
        return Pricing(pays, claimed, derivation)
    note = f"the lowest price of the {rule.days} days before {began.date()} was {prior}, not {claimed} [{rule.rule}: {rule.law}]"
    return Pricing(pays, prior if prior > pays else None, derivation, note)
