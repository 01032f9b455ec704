"""Reference prices: how far each country's law looks back, day by day, and what is left to name."""

from datetime import timedelta
from decimal import Decimal

import pytest

from copywriting.facts import facts_of
from copywriting.law import law_of
from copywriting.prices import active_offer, pricing, prior_price
from copywriting.product import Offer, PricePoint
from copywriting.rulebook import JURISDICTIONS, ReferencePrice
from tests.fakes import NOW, make_product, percent_off

START = NOW - timedelta(days=3)
RULES = {"CN": 7, "EU": 30}


def dipped(days_before: int):
    """A coat at 500 that cost 400 for one day, that many days before the offer of 40 % began."""
    history = (
        PricePoint(START - timedelta(days=90), Decimal(500)),
        PricePoint(START - timedelta(days=days_before), Decimal(400)),
        PricePoint(START - timedelta(days=days_before - 1), Decimal(500)),
    )
    return make_product(offer=percent_off(40, starts=START), price_history=history)


@pytest.mark.parametrize(
    ("jurisdiction", "day", "reference"),
    [("CN", 6, 400), ("CN", 7, 400), ("CN", 8, 500), ("EU", 29, 400), ("EU", 30, 400), ("EU", 31, 500), ("EU", 8, 400), ("CN", 29, 500)],
)
def test_a_lower_price_within_the_days_of_the_law_is_the_reference(jurisdiction, day, reference):
    rule = law_of((jurisdiction,)).reference_price
    assert rule is not None and rule.days == RULES[jurisdiction]
    price = pricing(dipped(day), NOW, rule)
    assert (price.pays, price.reference) == (Decimal("300.00"), Decimal(reference))
    assert bool(price.note) == (reference == 400)


def test_a_reduction_to_what_it_cost_before_is_none():
    product = make_product(offer=percent_off(20, starts=START), price_history=dipped(6).price_history)
    price = pricing(product, NOW, law_of(("CN",)).reference_price)
    assert price.pays == Decimal("400.00") and price.reference is None
    facts = facts_of(product, locale="zh-CN", now=NOW, law=law_of(("CN",)))
    assert not {"discount", "saving", "list_price"} & facts.keys()
    assert facts["price"].text == "¥400"


def test_the_price_that_holds_when_the_days_begin_counts():
    history = (PricePoint(START - timedelta(days=300), Decimal(450)), PricePoint(START - timedelta(days=2), Decimal(500)))
    assert prior_price(history, START, 7) == Decimal(450)
    assert prior_price(history, START, 1) == Decimal(500)
    assert prior_price((), START, 7) is None


def test_without_a_history_strict_drops_the_reference_and_says_so_otherwise():
    product, rule = make_product(offer=percent_off(20)), law_of(("EU",)).reference_price
    assert pricing(product, NOW, rule).reference == Decimal("500.00")
    assert "no price history" in pricing(product, NOW, rule).note
    assert pricing(product, NOW, rule, strict=True).reference is None


def test_the_strictest_of_several_countries_holds():
    assert law_of(("CN", "EU")).reference_price.days == 30
    assert all(isinstance(law_of((each,)).reference_price, ReferencePrice) for each in JURISDICTIONS)


def test_the_arithmetic_is_shown():
    facts = facts_of(make_product(offer=percent_off(20)), locale="zh-CN", now=NOW)
    assert facts["price"].derivation == "500.00 × 80% = 400.00 CNY"
    assert facts["saving"].derivation == "500.00 − 400.00 = 100.00 CNY"
    assert facts["discount"].derivation == "1 − 400.00 / 500.00 = 20%, rounded down"


def offer(kind, **fields):
    return Offer(kind, fields.pop("value", None), None, NOW - timedelta(days=1), NOW + timedelta(days=9), **fields)


@pytest.mark.parametrize(
    ("given", "zh", "en"),
    [
        (offer("spend_save", value=Decimal(50), minimum=Decimal(300)), "满300减50", "$50 off when you spend $300"),
        (offer("buy_get", buy=2, free=1), "买2件送1件", "buy 2, get 1 free"),
    ],
)
def test_terms_of_an_order_are_said_in_the_locales_way(given, zh, en):
    assert facts_of(make_product(offer=given), locale="zh-CN", now=NOW)["offer"].text == zh
    english = facts_of(make_product(locale="en-US", offer=given), locale="en-US", now=NOW)
    assert english["offer"].text == en
    assert english["price"].text == "$500" and "discount" not in english


@pytest.mark.parametrize(
    "given",
    [
        offer("spend_save", value=Decimal(300), minimum=Decimal(300)), offer("spend_save", value=Decimal(5)), offer("buy_get", buy=0, free=1),
        offer("buy_get", buy=2), offer("percent_off", value=Decimal(100)), offer("amount_off", value=Decimal(500)),
    ],
)  # fmt: skip
def test_an_offer_that_makes_no_sense_is_none(given):
    assert active_offer(make_product(offer=given), NOW) is None
