"""What may be claimed of a product to this shopper now: one fact per available slot, rendered for the locale, with its source.

A slot whose evidence is missing does not exist: `{stock}` is absent when stock is 500, `{offer.ends}` when no offer runs. Derived
amounts are exact, show their arithmetic and are rounded against the shop (a discount is never overstated). A merchant's phrase that the law
keeps out of copy, or that gives orders instead of saying something of the product, is no fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal

from copywriting.brief import language_of
from copywriting.channels import Language
from copywriting.claims import CURRENCY_SIGNS, Ground, claims_in
from copywriting.law import Case, Law
from copywriting.occasions import KNOWN, name_of
from copywriting.plain import plain_text
from copywriting.prices import Pricing, active_offer, pricing
from copywriting.product import Product
from copywriting.shopper import Shopper

FEW_IN_STOCK = 20
GOOD_RATING = 4.0
ENOUGH_RATINGS = 20
SMALLEST_DISCOUNT_PERCENT = Decimal(5)
SOON_DAYS = 60
"""An end further off than this is no reason to act now, and a day without a year would be read as the next one."""
_TIMEZONES = {"CN": "Asia/Shanghai", "US": "America/New_York", "GB": "Europe/London", "IN": "Asia/Kolkata"}
_IN_STOCK: dict[Language, str] = {"zh": "现货", "en": "in stock"}
_PHRASES = ("name", "brand", "certificate", "material", "color", "origin", "feature", "feature_2")


@dataclass(frozen=True, slots=True)
class Fact:
    """`text` is what the slot is filled with; `value` the raw value; `source` the table and row; `version` the row's version; `derivation`
    the arithmetic of a value that no column holds."""

    slot: str
    text: str
    value: str
    source: str
    version: int
    derivation: str = ""


def facts_of(
    product: Product,
    *,
    locale: str,
    now: datetime,
    occasion: str = "everyday",
    shopper: Shopper | None = None,
    recent: Product | None = None,
    also: Sequence[Product] = (),
    law: Law | None = None,
    case: Case | None = None,
    strict: bool = False,
) -> dict[str, Fact]:
    """Every slot that has a value for this product, shopper and moment. `recent` is the shopper's last purchase, `also` what is offered
    together with it (those that `bundled` keeps). With `law` and `case` phrases and reference prices are what the law allows; `strict`
    needs proof of each."""
    row = f"products/{product.product_id}/{product.locale}"
    price = pricing(product, now, law.reference_price if law else None, strict=strict)
    texts = _product_texts(product, locale, law, case) | _price_texts(product, price, locale) | _offer_texts(product, price, locale, now)
    texts |= _evidence_texts(product, locale)
    facts = {slot: Fact(slot, text, value, row, product.version, how) for slot, (text, value, how) in texts.items()}
    if product.category and (label := plain_text(product.category[-1])) and product.locale.split("-")[0] == language_of(locale):
        facts["category"] = Fact("category", label, label, row, product.version)
    if name := name_of(occasion, language_of(locale)):
        facts["occasion"] = Fact("occasion", name, occasion, "calendar" if occasion in KNOWN else "market", 0)
    if others := bundled(product, also):
        facts |= _together(others, price, product.currency, locale, now, law)
    if shopper and shopper.personalise:
        facts |= _personal_facts(product, shopper, recent)
    closed = law.closed(case) if law and case else frozenset()
    return {slot: fact for slot, fact in facts.items() if slot not in closed}


def grounds_of(product: Product, locale: str) -> tuple[Ground, ...]:
    """The product's own texts in the locale's language: what can prove a word of copy."""
    if product.locale.split("-")[0] != language_of(locale):
        return ()
    texts = {"name": product.name, "title": product.title, "brand": product.brand, "description": product.description}
    texts |= {f"attributes.{key}": value for key, value in product.attributes.items()}
    texts |= {"category": " ".join(product.category), "certificates": " ".join(product.certificates)}
    source = f"products/{product.product_id}/{product.locale}"
    return tuple(Ground(field, text, source, product.version) for field, text in texts.items() if text)


def _personal_facts(product: Product, shopper: Shopper, recent: Product | None) -> dict[str, Fact]:
    source = f"shoppers/{shopper.shopper_id or 'request'}"
    personal = {"shopper.name": shopper.attributes.get("name"), "shopper.city": shopper.attributes.get("city")}
    facts = {slot: Fact(slot, text, text, source, 0) for slot, text in _plain_texts(personal).items()}
    if recent and recent.product_id != product.product_id and recent.vertical == product.vertical:
        row = f"products/{recent.product_id}/{recent.locale}"
        named = _plain_texts({"recent": recent.name})
        facts |= {slot: Fact(slot, text, recent.product_id, row, recent.version) for slot, text in named.items()}
    return facts


def _plain_texts(texts: Mapping[str, str | None]) -> dict[str, str]:
    found = {slot: plain_text(text) for slot, text in texts.items() if text}
    return {slot: text for slot, text in found.items() if text is not None}


Texts = dict[str, tuple[str, str, str]]
"""Slot → its text, raw value and derivation."""


def _product_texts(product: Product, locale: str, law: Law | None, case: Case | None) -> Texts:
    values = {"name": product.name, "brand": product.brand, "certificate": product.certificates[0] if product.certificates else None}
    values |= {key: product.attributes.get(key) for key in _PHRASES[3:]}
    same_language = product.locale.split("-")[0] == language_of(locale)
    # A phrase in another language would break the sentence; a name or a brand is at home in any language.
    kept = values if same_language else {key: values[key] for key in ("name", "brand")}
    phrases = {
        slot: text
        for slot, text in _plain_texts(kept).items()
        if slot in ("name", "brand") or not (promises(text, locale) or (law and case and law.unfit(text, language_of(locale), case)))
    }
    return {slot: (text, text, "") for slot, text in phrases.items()}


def promises(text: str, locale: str) -> bool:
    """Does a merchant's description promise a price, a discount or a deadline? Such a promise may only come from the offer itself."""
    found = claims_in(text, language_of(locale))
    return any(claim.kind in ("discount", "date", "stock") or claim.text in CURRENCY_SIGNS for claim in found)


def _price_texts(product: Product, price: Pricing | None, locale: str) -> Texts:
    if price is None or product.currency is None:
        return {}
    texts = {"price": (money(price.pays, product.currency, locale), str(price.pays), price.derivation)}
    if price.reference is not None and price.percent_off >= SMALLEST_DISCOUNT_PERCENT:
        saving = price.reference - price.pays
        how = f"{price.reference} − {price.pays} = {saving} {product.currency}"
        texts["list_price"] = (money(price.reference, product.currency, locale), str(price.reference), price.note)
        texts["saving"] = (money(saving, product.currency, locale), str(saving), how)
        rate = f"1 − {price.pays} / {price.reference} = {price.percent_off}%, rounded down"
        texts["discount"] = (discount_rate(price, language_of(locale)), f"{price.percent_off}%", rate)
    return texts


def _offer_texts(product: Product, price: Pricing | None, locale: str, now: datetime) -> Texts:
    texts: Texts = {}
    offer = active_offer(product, now)
    if offer is None or price is None or product.currency is None:
        return {}  # a gift without a price would be an offer that nobody can weigh
    if product.locale.split("-")[0] == language_of(locale):
        texts |= {slot: (text, text, "") for slot, text in _plain_texts({"gift": offer.gift}).items()}
    if offer.kind == "spend_save" and offer.minimum is not None and offer.value is not None:
        texts["offer"] = (_spend_save(offer.minimum, offer.value, product.currency, locale), f"{offer.value}/{offer.minimum}", "")
    if offer.kind == "buy_get":
        zh, en = f"买{offer.buy}件送{offer.free}件", f"buy {offer.buy}, get {offer.free} free"
        texts["offer"] = (zh if language_of(locale) == "zh" else en, f"{offer.buy}+{offer.free}", "")
    if offer.ends - now <= timedelta(days=SOON_DAYS) and ("gift" in texts or offer.kind != "gift"):
        last = offer.ends - timedelta(seconds=1)  # an end at midnight is the end of the day before
        texts["offer.ends"] = (day_of(last, locale), offer.ends.isoformat(), "")
    return texts


def _spend_save(minimum: Decimal, value: Decimal, currency: str, locale: str) -> str:
    """满300减50 where the currency is the market's own, else with its signs; $50 off when you spend $300."""
    if language_of(locale) == "en":
        return f"{money(value, currency, locale)} off when you spend {money(minimum, currency, locale)}"
    if currency == "CNY":
        return f"满{minimum.normalize():f}减{value.normalize():f}"
    return f"满{money(minimum, currency, locale)}减{money(value, currency, locale)}"


def _evidence_texts(product: Product, locale: str) -> Texts:
    texts: Texts = {}
    language = language_of(locale)
    if product.stock is not None and product.stock > 0:
        if product.stock <= FEW_IN_STOCK:
            texts["stock"] = (str(product.stock), str(product.stock), "")
        else:
            texts["availability"] = (_IN_STOCK[language], str(product.stock), "")
    count = product.rating_count or 0
    if product.rating is not None and product.rating >= GOOD_RATING and count >= ENOUGH_RATINGS:
        # Four decimals first: a 4.6 that was stored in 32 bits is 4.599999 and must not be floored to 4.5.
        mean = Decimal(str(round(product.rating, 4))).quantize(Decimal("0.1"), ROUND_FLOOR)
        texts["rating"] = (f"{mean}分" if language == "zh" else f"{mean} out of 5", str(round(product.rating, 2)), "")
        texts["rating_count"] = (format_decimal(count, locale=_babel(locale)), str(count), "")
    return texts


def bundled(product: Product, others: Sequence[Product]) -> tuple[Product, ...]:
    """Those of the others that a piece about this product can name beside it, each once."""
    found = {each.product_id: each for each in others if each.product_id != product.product_id and plain_text(each.name)}
    return tuple(found.values())


def _together(
    also: Sequence[Product], price: Pricing | None, currency: str | None, locale: str, now: datetime, law: Law | None
) -> dict[str, Fact]:
    """The other products of a bundle, several as a list; prices only where all are in one currency, which are the only ones that can be
    added. What one of several costs is not said: the list has no place for it."""
    names = list(_plain_texts({each.product_id: each.name for each in also}).values())
    rows, version = " + ".join(f"products/{each.product_id}/{each.locale}" for each in also), max(each.version for each in also)
    text = format_list(names, locale=_babel(locale))
    facts = {"also": Fact("also", text, " + ".join(each.product_id for each in also), rows, version)}
    prices = [price, *(pricing(each, now, law.reference_price if law else None) for each in also)]
    pays = [each.pays for each in prices if each]
    if currency is None or len(pays) < len(prices) or any(each.currency != currency for each in also):
        return facts
    if len(also) == 1 and (only := prices[1]):
        facts["also.price"] = Fact("also.price", money(only.pays, currency, locale), str(only.pays), rows, version, only.derivation)
    total = sum(pays, Decimal(0))
    how = f"{' + '.join(map(str, pays))} = {total} {currency}"
    facts["total"] = Fact("total", money(total, currency, locale), str(total), rows, version, how)
    return facts


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
    return str(format_skeleton("MMMMd", clock_in(instant, locale), locale=_babel(locale)))


def clock_in(instant: datetime, locale: str) -> datetime:
    """An instant by the clocks of the locale's market."""
    return instant.astimezone(zone_of(locale))


def day_in(instant: datetime, locale: str) -> date:
    """The calendar day of an instant in the locale's market."""
    return clock_in(instant, locale).date()


def phrase_facts(phrases: Sequence[str]) -> dict[str, Fact]:
    """Phrases that the caller wants in the copy, as facts that the caller answers for. Models never see them."""
    named = {f"phrase{number}": phrase for number, phrase in enumerate(phrases)}
    return {slot: Fact(slot, phrase, phrase, "request/must_include", 0) for slot, phrase in named.items()}


def zone_of(locale: str) -> ZoneInfo:
    """The time zone of the locale's market: of its capital where it has several; UTC for one that is not known."""
    return ZoneInfo(_TIMEZONES.get(locale.rpartition("-")[2], "UTC"))


def _babel(locale: str) -> str:
    return locale.replace("-", "_")
