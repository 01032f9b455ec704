"""What may be claimed of a product to this shopper now: one fact per available slot, rendered for the locale, with its source.

A slot whose evidence is missing does not exist: `{stock}` is absent when stock is 500, `{offer.ends}` when no offer runs. Derived
amounts are exact and rounded against the shop (a discount is never overstated).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from babel.numbers import format_currency, format_decimal, get_currency_precision

from copywriting.brief import language_of
from copywriting.channels import Language
from copywriting.claims import CURRENCY_SIGNS, ungrounded
from copywriting.occasions import KNOWN, name_of
from copywriting.product import Offer, Product
from copywriting.shopper import Shopper

FEW_IN_STOCK = 20
GOOD_RATING = 4.0
ENOUGH_RATINGS = 20
MAX_PLAIN = 80
_BLANKS = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
SMALLEST_DISCOUNT_PERCENT = Decimal(5)
SOON_DAYS = 60
"""An end further off than this is no reason to act now, and a day without a year would be read as the next one."""
_TIMEZONES = {"CN": "Asia/Shanghai", "US": "America/New_York", "GB": "Europe/London", "IN": "Asia/Kolkata"}


@dataclass(frozen=True, slots=True)
class Fact:
    """`text` is what the slot is filled with; `value` the raw value; `source` the table and row; `version` the row's version."""

    slot: str
    text: str
    value: str
    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the shopper pays, beside which reference price, in major units. `reference` is None where there is no advantage."""

    pays: Decimal
    reference: Decimal | None

    @property
    def percent_off(self) -> Decimal:
        """The advantage in percent of the reference, rounded down to a whole percent; 0 where there is none."""
        if self.reference is None:
            return Decimal(0)
        return ((1 - self.pays / self.reference) * 100).to_integral_value(ROUND_FLOOR)


def active_offer(product: Product, now: datetime) -> Offer | None:
    """The product's offer if it runs at `now` and gives something: a lower price that is still a price, or a gift."""
    offer = product.offer
    if offer is None or not offer.starts <= now <= offer.ends:
        return None
    if offer.kind == "gift":
        return offer if offer.gift and offer.gift.strip() else None
    if product.price is None or offer.value is None:
        return None
    return offer if 0 < offer.value < (100 if offer.kind == "percent_off" else product.price) else None


def pricing(product: Product, now: datetime) -> Pricing | None:
    """The price with its running offer. ¥500 with 20 % off is ¥400 beside ¥500. None for a product without a price above 0 or without
    a currency."""
    if product.price is None or product.price <= 0 or not product.currency:
        return None
    cent = Decimal(1).scaleb(-get_currency_precision(product.currency))
    offer = active_offer(product, now)
    full = product.price.quantize(cent, ROUND_CEILING)  # a currency without cents: never less than what is paid
    pays = full
    if offer and offer.value is not None:
        reduced = full * (100 - offer.value) / 100 if offer.kind == "percent_off" else full - offer.value
        pays = max(reduced.quantize(cent, ROUND_HALF_UP), cent)
    reference = full if pays < full else product.list_price
    return Pricing(pays, reference if reference and reference > pays else None)


def facts_of(
    product: Product,
    *,
    locale: str,
    now: datetime,
    occasion: str = "everyday",
    shopper: Shopper | None = None,
    recent: Product | None = None,
) -> dict[str, Fact]:
    """Every slot that has a value for this product, shopper and moment. `recent` is the shopper's last purchase."""
    row = f"products/{product.product_id}/{product.locale}"
    texts = _product_texts(product, locale) | _price_texts(product, locale, now) | _evidence_texts(product, locale)
    facts = {slot: Fact(slot, text, value, row, product.version) for slot, (text, value) in texts.items()}
    if name := name_of(occasion, language_of(locale)):
        facts["occasion"] = Fact("occasion", name, occasion, "calendar" if occasion in KNOWN else "market", 0)
    if shopper and shopper.personalise:
        source = f"shoppers/{shopper.shopper_id or 'request'}"
        personal = {"shopper.name": shopper.attributes.get("name"), "shopper.city": shopper.attributes.get("city")}
        facts |= {slot: Fact(slot, text, text, source, 0) for slot, text in _plain_texts(personal).items()}
        if recent and recent.product_id != product.product_id and recent.vertical == product.vertical:
            row = f"products/{recent.product_id}/{recent.locale}"
            facts |= {
                slot: Fact(slot, text, recent.product_id, row, recent.version)
                for slot, text in _plain_texts({"recent": recent.name}).items()
            }
    return facts


def is_plain(text: str) -> bool:
    """May this text stand inside copy as it is? One line, printable, no braces, not a link."""
    return text.isprintable() and not set("{}<>") & set(text) and "://" not in text and 0 < len(text.strip()) <= MAX_PLAIN


def _plain_texts(texts: Mapping[str, str | None]) -> dict[str, str]:
    """Those that may stand inside copy, blanks of every width made one space; a line break is no blank."""
    folded = {slot: _BLANKS.sub(" ", text).strip(" ") for slot, text in texts.items() if text}
    return {slot: text for slot, text in folded.items() if is_plain(text)}


def _product_texts(product: Product, locale: str) -> dict[str, tuple[str, str]]:
    values = {"name": product.name, "brand": product.brand, "certificate": product.certificates[0] if product.certificates else None}
    values |= {key: product.attributes.get(key) for key in ("material", "color", "origin", "feature", "feature_2")}
    same_language = product.locale.split("-")[0] == language_of(locale)
    # A phrase in another language would break the sentence; a name or a brand is at home in any language.
    kept = values if same_language else {key: values[key] for key in ("name", "brand")}
    phrases = {slot: text for slot, text in _plain_texts(kept).items() if slot in ("name", "brand") or not promises(text, locale)}
    return {slot: (text, text) for slot, text in phrases.items()}


def promises(text: str, locale: str) -> bool:
    """Does a merchant's description promise a price, a discount or a deadline? Such a promise may only come from the offer itself."""
    found = ungrounded(text, language_of(locale), ())
    return any(claim.kind in ("discount", "date", "stock") or claim.text in CURRENCY_SIGNS for claim in found)


def _price_texts(product: Product, locale: str, now: datetime) -> dict[str, tuple[str, str]]:
    price = pricing(product, now)
    if price is None or product.currency is None:
        return {}  # a gift without a price would be an offer that nobody can weigh
    texts = {"price": (money(price.pays, product.currency, locale), str(price.pays))}
    if price.reference is not None and price.percent_off >= SMALLEST_DISCOUNT_PERCENT:
        saving = price.reference - price.pays
        texts["list_price"] = (money(price.reference, product.currency, locale), str(price.reference))
        texts["saving"] = (money(saving, product.currency, locale), str(saving))
        texts["discount"] = (discount_rate(price, language_of(locale)), f"{price.percent_off}%")
    if offer := active_offer(product, now):
        if product.locale.split("-")[0] == language_of(locale):
            texts |= {slot: (text, text) for slot, text in _plain_texts({"gift": offer.gift}).items()}
        if offer.ends - now <= timedelta(days=SOON_DAYS) and ("gift" in texts or offer.kind != "gift"):
            last = offer.ends - timedelta(seconds=1)  # an end at midnight is the end of the day before
            texts["offer.ends"] = (day_of(last, locale), offer.ends.isoformat())
    return texts


def _evidence_texts(product: Product, locale: str) -> dict[str, tuple[str, str]]:
    texts: dict[str, tuple[str, str]] = {}
    if product.stock is not None and 0 < product.stock <= FEW_IN_STOCK:
        texts["stock"] = (str(product.stock), str(product.stock))
    count = product.rating_count or 0
    if product.rating is not None and product.rating >= GOOD_RATING and count >= ENOUGH_RATINGS:
        # Four decimals first: a 4.6 that was stored in 32 bits is 4.599999 and must not be floored to 4.5.
        mean = Decimal(str(round(product.rating, 4))).quantize(Decimal("0.1"), ROUND_FLOOR)
        texts["rating"] = (f"{mean}分" if language_of(locale) == "zh" else f"{mean} out of 5", str(round(product.rating, 2)))
        texts["rating_count"] = (format_decimal(count, locale=_babel(locale)), str(count))
    return texts


def money(amount: Decimal, currency: str, locale: str) -> str:
    """¥400, $59.90: whole amounts without decimals."""
    text = str(format_currency(amount, currency, locale=_babel(locale)))
    return text[:-3] if amount == amount.to_integral_value() and text[-3:] in (".00", ",00") else text


def discount_rate(price: Pricing, language: Language) -> str:
    """`8折` or `20% off`, rounded so that the advantage is never overstated. Needs a reference price."""
    if price.reference is None:
        raise ValueError("no reference price; only a price advantage has a rate")
    if language == "en":
        return f"{price.percent_off}% off"
    tenths = (price.pays / price.reference * 10).quantize(Decimal("0.1"), ROUND_CEILING)
    return f"{tenths.normalize():f}折"


def day_of(instant: datetime, locale: str) -> str:
    """The calendar day of an instant in the locale's market: 1月31日, 31 January."""
    return str(format_skeleton("MMMMd", instant.astimezone(_zone(locale)), locale=_babel(locale)))


def day_in(instant: datetime, locale: str) -> date:
    """The calendar day of an instant in the locale's market."""
    return instant.astimezone(_zone(locale)).date()


def phrase_facts(phrases: Sequence[str]) -> dict[str, Fact]:
    """Phrases that the caller wants in the copy, as facts that the caller answers for. Models never see them."""
    named = {f"phrase{number}": phrase for number, phrase in enumerate(phrases)}
    return {slot: Fact(slot, phrase, phrase, "request/must_include", 0) for slot, phrase in named.items()}


def _zone(locale: str) -> ZoneInfo:
    return ZoneInfo(_TIMEZONES.get(locale.rpartition("-")[2], "UTC"))


def _babel(locale: str) -> str:
    return locale.replace("-", "_")
