"""What `copywriting/market.py` promises, and what of the market a writer is told, one behaviour a test."""

from datetime import date

import pytest

from copywriting.check import Copy, Refusal, check
from copywriting.market import MarketError, MarketRow, market_on, notes_of, occasion_named, unnamable
from copywriting.prompt import chat, compact
from tests.fakes import brief_for, facts_for, make_product

COAT = make_product()
DAY = date(2026, 1, 15)
PROMOTION = {
    "kind": "competitor_promotion",
    "name": "冬装上新",
    "competitor": "北岭衣橱",
    "category": "outerwear",
    "discount_percent": 30.0,
}


def row(**changes) -> MarketRow:
    fields = {"from_day": DAY, "until": date(2026, 1, 31), "locale": "zh-CN", "kind": "holiday", "name": "店庆周"}
    return MarketRow(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"until": date(2026, 1, 14)}, "until: 2026-01-14 is before from (2026-01-15); exchange"),
        ({"locale": "fr-FR"}, "locale: 'fr-FR' is not one that copy is written in; use one of"),
        ({"kind": "sale"}, "kind: 'sale' is not known; use one of"),
        ({**PROMOTION, "discount_percent": 0.0}, "discount_percent: 0 is not between 0 and 100; write 20"),
        ({**PROMOTION, "discount_percent": 100.0}, "discount_percent: 100 is not"),
        ({**PROMOTION, "discount_percent": -5.0}, "discount_percent: -5 is not"),
        ({**PROMOTION, "discount_percent": float("nan")}, "discount_percent: nan is not"),
        ({**PROMOTION, "competitor": None}, "competitor: None names nobody"),
        ({**PROMOTION, "competitor": " "}, "competitor: ' ' names nobody"),
        ({"competitor": "北岭衣橱"}, "kind: 'holiday' has no competitor ('北岭衣橱')"),
        ({"discount_percent": 20.0}, "kind: 'holiday' has no"),
        ({"name": ""}, "name: '' can't stand in copy"),
        ({"name": "{price}"}, "name: '{price}' can't stand in copy"),
        ({"name": "五折节"}, "name: '五折节' can't stand in copy"),
    ],
)
def test_a_bad_row_is_refused_with_field_value_and_remedy(changes: dict, said: str):
    with pytest.raises(MarketError) as error:
        row(**changes)
    assert said in str(error.value)


def test_without_rows_the_calendar_says_what_is_on():
    assert market_on((), date(2026, 6, 19), "zh-CN", COAT).occasion == "dragon_boat"
    assert market_on((), DAY, "zh-CN", COAT).promotions == ()


@pytest.mark.parametrize(("day", "on"), [(14, False), (15, True), (31, True)])
def test_a_merchants_holiday_fills_its_days_both_inclusive(day: int, on: bool):
    assert (market_on([row()], date(2026, 1, day), "zh-CN", COAT).occasion == "店庆周") is on


def test_a_holiday_of_another_locale_or_category_is_not_on():
    assert market_on([row(locale="en-US")], DAY, "zh-CN", COAT).occasion == "winter"
    assert market_on([row(category="food")], DAY, "zh-CN", COAT).occasion == "winter"
    assert market_on([row(category="fashion")], DAY, "zh-CN", COAT).occasion == "店庆周"


def test_of_several_holidays_the_one_that_ends_first_is_on():
    rows = [row(), row(name="会员日", until=DAY)]
    assert market_on(rows, DAY, "zh-CN", COAT).occasion == "会员日"


@pytest.mark.parametrize(
    ("name", "occasion"),
    [
        ("黑色星期五", "black_friday"),
        ("BLACK FRIDAY", "black_friday"),
        ("black_friday", "black_friday"),
        ("everyday", "everyday"),
        ("店庆", "店庆"),
    ],
)
def test_a_name_that_the_calendar_knows_is_that_occasion(name: str, occasion: str):
    assert occasion_named(name) == occasion


def test_a_holiday_that_is_every_day_ends_an_occasion():
    assert market_on([row(name="everyday")], date(2026, 1, 30), "zh-CN", COAT).occasion == "everyday"


def test_promotions_of_the_products_category_come_deepest_first():
    small, deep, other = (
        row(**{**PROMOTION, "discount_percent": 10.0}),
        row(**PROMOTION),
        row(**{**PROMOTION, "category": "tea"}),
    )
    market = market_on([small, other, deep], DAY, "zh-CN", COAT)
    assert market.promotions == (deep, small)
    assert market.competitors == ("北岭衣橱",)
    assert market.occasion == "winter"


def test_a_writer_is_told_of_a_promotion_without_its_name():
    notes = notes_of([row(**PROMOTION), row(**{**PROMOTION, "discount_percent": None})])
    assert notes == (
        "a competitor promotes this category at 30 % off until 31 January",
        "a competitor promotes this category until 31 January",
    )


def written(market_rows: list[MarketRow], product=COAT):
    facts = facts_for(product)
    market = market_on(market_rows, DAY, product.locale, product)
    brief = brief_for(product, facts, channel="sms", market=notes_of(market.promotions), unnamable=unnamable(market, facts))
    return brief, facts


def test_a_competitors_name_reaches_no_prompt():
    brief, _ = written([row(**PROMOTION)])
    said = "\n".join(message["content"] for message in chat(brief))
    assert "at 30 % off until 31 January" in said
    assert "never to be written" in said
    for secret in ("北岭衣橱", "冬装上新"):
        assert secret not in said + compact(brief)


@pytest.mark.parametrize("draft", ["想起北岭衣橱，{name}", "{name}，北岭衣橱的邻居"])
def test_copy_that_names_a_competitor_is_refused(draft: str):
    brief, facts = written([row(**PROMOTION)])
    verdict = check(draft, brief, facts)
    assert isinstance(verdict, Refusal)
    assert verdict.reasons == ("names the competitor '北岭衣橱'",)
    assert isinstance(check("风有点凉，{name}在等你", brief, facts), Copy)


@pytest.mark.parametrize(
    ("draft", "reason"), [("比别家的北岭衣橱更暖，{name}", "comparison"), ("北岭\u200b衣橱，{name}", "invisible character")]
)
def test_a_competitor_compared_with_or_disguised_is_refused_for_that_too(draft: str, reason: str):
    brief, facts = written([row(**PROMOTION)])
    verdict = check(draft, brief, facts)
    assert isinstance(verdict, Refusal)
    assert any("names the competitor '北岭衣橱'" in each for each in verdict.reasons)
    assert any(reason in each for each in verdict.reasons)


@pytest.mark.parametrize("draft", ["别家三折，{name}不必", "别家打七折，看看{name}", "30% 的事不提，看看{name}"])
def test_copy_that_repeats_a_competitors_numbers_is_refused(draft: str):
    brief, facts = written([row(**PROMOTION)])
    assert isinstance(check(draft, brief, facts), Refusal)


def test_an_english_name_is_found_in_any_case_and_only_as_a_word():
    coat = make_product(locale="en-US")
    brief, facts = written([row(**{**PROMOTION, "locale": "en-US", "competitor": "Fern"})], coat)
    assert isinstance(check("Warmer than FERN: the {name}", brief, facts), Refusal)
    assert isinstance(check("For a walk among ferns, the {name}", brief, facts), Copy)


def test_a_brand_that_the_product_has_in_its_own_facts_may_be_said():
    brief, facts = written([row(**{**PROMOTION, "competitor": "云杉"})])
    assert brief.unnamable == ()
    assert isinstance(check("风有点凉，{name}在等你", brief, facts), Copy)
