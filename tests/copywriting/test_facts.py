"""What `copywriting/facts.py` promises, one behaviour a test."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from copywriting.facts import discount_rate, facts_of, money
from copywriting.plain import is_plain
from copywriting.prices import Pricing
from copywriting.product import Offer
from copywriting.shopper import Shopper
from tests.fakes import NOW, facts_for, full_product, gift, make_product, percent_off

LIN = Shopper("lin", "zh-CN", True, {"name": "林", "city": "苏州"})


def texts(product, **options):
    return {slot: fact.text for slot, fact in facts_for(product, **options).items()}


def test_the_reference_example_in_chinese():
    said = texts(make_product(offer=percent_off(20)))
    assert (said["price"], said["list_price"], said["discount"], said["saving"]) == ("¥400", "¥500", "8折", "¥100")
    assert said["offer.ends"] == "1月31日"


def test_the_reference_example_in_english():
    said = texts(make_product(locale="en-US", offer=percent_off(20)))
    assert (said["price"], said["list_price"], said["discount"], said["saving"]) == ("$400", "$500", "20% off", "$100")
    assert said["offer.ends"] == "January 31"


def test_a_fact_names_its_row_and_its_version():
    fact = facts_for(make_product(offer=percent_off(20)))["price"]
    assert (fact.value, fact.source, fact.version) == ("400.00", "products/coat/zh-CN", 7)


def test_cents_are_written_only_where_there_are_any():
    assert (money(Decimal("59.00"), "USD", "en-US"), money(Decimal("59.90"), "USD", "en-US")) == ("$59", "$59.90")
    assert money(Decimal("1280"), "CNY", "zh-CN") == "¥1,280"
    assert money(Decimal("49.5"), "GBP", "en-GB") == "£49.50"


@pytest.mark.parametrize("cents", range(1, 10_000, 97))
def test_a_discount_is_never_overstated(cents: int):
    price = Pricing(Decimal(cents) / 100, Decimal(100))
    true_percent = 100 - Decimal(cents) / 100
    assert Decimal(discount_rate(price, "en").removesuffix("% off")) <= true_percent
    assert 100 - Decimal(discount_rate(price, "zh").removesuffix("折")) * 10 <= true_percent


def test_a_discount_is_rounded_against_the_shop():
    price = Pricing(Decimal("333.33"), Decimal(500))
    assert (discount_rate(price, "zh"), discount_rate(price, "en")) == ("6.7折", "33% off")


def test_an_advantage_too_small_to_boast_of_is_not_mentioned():
    said = texts(make_product(offer=percent_off(4)))
    assert said["price"] == "¥480"
    assert not {"discount", "saving", "list_price"} & said.keys()


def test_a_reference_price_above_the_price_is_an_advantage_without_an_offer():
    said = texts(make_product(list_price=Decimal(625)))
    assert (said["discount"], said["list_price"], "offer.ends" in said) == ("8折", "¥625", False)


def test_a_reference_price_below_the_price_is_none():
    assert not {"discount", "saving", "list_price"} & texts(make_product(list_price=Decimal(400))).keys()


def running(kind: str, value: int | None = None, what: str | None = None, days: int = 9) -> Offer:
    return Offer(kind, None if value is None else Decimal(value), what, NOW - timedelta(1), NOW + timedelta(days))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "offer",
    [
        running("amount_off", 600), running("amount_off", 500), running("amount_off", 0), running("percent_off", 150),
        running("percent_off", 100), running("percent_off", -20), running("percent_off", None), running("gift", None, None),
        running("gift", None, " "),
    ],
)  # fmt: skip
def test_an_offer_that_gives_nothing_or_everything_is_none(offer: Offer):
    said = texts(make_product(offer=offer))
    assert said["price"] == "¥500"
    assert not {"discount", "saving", "list_price", "offer.ends", "gift"} & said.keys()


def test_an_end_that_is_months_away_is_not_said():
    said = texts(make_product(offer=running("percent_off", 20, days=381)))
    assert said["discount"] == "8折" and "offer.ends" not in said


def test_an_end_at_midnight_is_the_end_of_the_day_before():
    midnight = datetime(2026, 2, 1, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    assert texts(make_product(offer=percent_off(20, ends=midnight)))["offer.ends"] == "1月31日"


@pytest.mark.parametrize(("price", "currency"), [(Decimal(0), "CNY"), (Decimal(-5), "CNY"), (Decimal(5), ""), (Decimal(5), None)])
def test_what_is_no_price_is_not_said(price: Decimal, currency: str | None):
    assert "price" not in texts(make_product(price=price, currency=currency, offer=percent_off(20)))


def test_a_currency_without_cents_is_never_said_to_be_less_than_what_is_paid():
    fact = facts_of(make_product(price=Decimal("500.50"), currency="JPY"), locale="zh-CN", now=NOW)["price"]
    assert (fact.text, fact.value) == ("JP¥501", "501")


@pytest.mark.parametrize("text", ["long\nscarf", "{price} scarf", " ", "<b>scarf</b>"])
def test_the_last_purchase_is_named_only_by_a_plain_name(text: str):
    shopper = Shopper("lin", "zh-CN", True, {"name": " "})
    said = facts_of(make_product(), locale="zh-CN", now=NOW, shopper=shopper, recent=make_product("scarf", name=text))
    assert "recent" not in said and "shopper.name" not in said


def test_wide_blanks_are_blanks():
    assert texts(make_product(name="云杉\u3000羊毛  大衣 "))["name"] == "云杉 羊毛 大衣"
    assert "name" not in texts(make_product(name=" \u3000 "))


@pytest.mark.parametrize("feature", ["今日半价", "限时抢购", "只要¥9", "仅剩几件"])
def test_a_merchants_phrase_that_promises_an_offer_is_no_fact(feature: str):
    assert "feature" not in texts(make_product(attributes={"feature": feature}))


@pytest.mark.parametrize("feature", ["三折机身", "100%羊毛", "可对折的木棋盘", "免费暂停转存"])
def test_a_merchants_phrase_with_a_number_or_a_fold_is_a_fact(feature: str):
    assert texts(make_product(attributes={"feature": feature}))["feature"] == feature


@pytest.mark.parametrize(
    ("starts", "ends"), [(NOW + timedelta(seconds=1), NOW + timedelta(days=9)), (NOW - timedelta(days=9), NOW - timedelta(seconds=1))]
)
def test_an_offer_that_does_not_run_now_changes_nothing(starts: datetime, ends: datetime):
    said = texts(make_product(offer=percent_off(20, starts=starts, ends=ends)))
    assert said["price"] == "¥500"
    assert not {"discount", "saving", "list_price", "offer.ends", "gift"} & said.keys()


def test_an_offer_runs_on_its_first_and_last_instant():
    assert texts(make_product(offer=percent_off(20, starts=NOW, ends=NOW)))["price"] == "¥400"


def test_a_gift_comes_with_its_last_day_and_leaves_the_price_alone():
    said = texts(make_product(offer=gift("羊毛围巾")))
    assert (said["gift"], said["price"], said["offer.ends"]) == ("羊毛围巾", "¥500", "1月31日")
    assert "discount" not in said


def test_a_gift_described_in_another_language_is_left_out():
    facts = facts_of(make_product(offer=gift("羊毛围巾")), locale="en-US", now=NOW)
    assert "gift" not in facts


@pytest.mark.parametrize(("stock", "shown"), [(500, None), (21, None), (20, "20"), (1, "1"), (0, None), (None, None)])
def test_stock_exists_only_when_few_are_left(stock: int | None, shown: str | None):
    assert texts(make_product(stock=stock)).get("stock") == shown


@pytest.mark.parametrize(("rating", "count", "shown"), [(4.8, 1284, True), (3.9, 1284, False), (4.8, 19, False), (4.8, None, False)])
def test_a_rating_is_shown_only_when_good_and_by_enough_people(rating: float, count: int | None, shown: bool):
    facts = facts_for(make_product(rating=rating, rating_count=count))
    assert ("rating" in facts, "rating_count" in facts) == (shown, shown)


def test_a_rating_of_32_bits_keeps_its_decimal():
    said = texts(make_product(rating=float(np.float32(4.6)), rating_count=1284))
    assert (said["rating"], said["rating_count"]) == ("4.6分", "1,284")


def test_a_rating_is_rounded_down():
    assert texts(make_product(locale="en-US", rating=4.79, rating_count=50))["rating"] == "4.7 out of 5"
    assert texts(make_product(rating=4.796, rating_count=100))["rating"] == "4.7分"


def test_phrases_in_another_language_are_left_out_but_names_stay():
    facts = facts_of(full_product("zh-CN"), locale="en-US", now=NOW)
    assert {"name", "brand", "price", "discount"} <= facts.keys()
    assert not {"material", "color", "origin", "feature", "feature_2", "certificate", "gift"} & facts.keys()


def test_a_market_of_the_same_language_keeps_the_phrases():
    assert facts_of(full_product("en-US"), locale="en-GB", now=NOW)["material"].text == "wool"


def test_without_a_price_no_price_slot_exists():
    facts = facts_for(make_product(price=None, currency=None, offer=percent_off(20)))
    assert not {"price", "list_price", "discount", "saving", "offer.ends", "gift"} & facts.keys()
    assert facts["name"].text == "云杉羊毛大衣"


def test_personal_slots_need_consent():
    assert texts(make_product(), shopper=LIN)["shopper.name"] == "林"
    assert facts_for(make_product(), shopper=LIN)["shopper.city"].source == "shoppers/lin"
    refused = Shopper("lin", "zh-CN", False, LIN.attributes)
    scarf = make_product("scarf")
    assert not {"shopper.name", "shopper.city", "recent"} & facts_for(make_product(), shopper=refused, recent=scarf).keys()


def test_the_last_purchase_is_mentioned_beside_something_of_its_own_kind_only():
    scarf = make_product("scarf", name="长围巾")
    assert texts(make_product(), shopper=LIN, recent=scarf)["recent"] == "长围巾"
    assert "recent" not in texts(make_product(), shopper=LIN, recent=make_product("tea", vertical="food"))
    assert "recent" not in texts(make_product(), shopper=LIN, recent=make_product())


@pytest.mark.parametrize("name", ["{price}", "a\nb", "<b>Lin</b>", "http://x.y", "L" * 81, "a\u202eb", "a\u2028b"])
def test_personal_text_that_could_break_the_copy_is_no_slot(name: str):
    assert not is_plain(name)
    assert "shopper.name" not in texts(make_product(), shopper=Shopper("lin", "zh-CN", True, {"name": name}))


def test_product_text_that_could_break_the_copy_is_no_slot():
    said = texts(make_product(name="coat {price}", brand="<script>", attributes={"material": "wool\n100%"}))
    assert not {"name", "brand", "material"} & said.keys()


def test_the_last_day_is_the_markets_own():
    ends = datetime(2026, 1, 31, 16, 30, tzinfo=UTC)  # already February in Shanghai
    product = make_product(locale="en-US", offer=percent_off(20, ends=ends))
    days = {locale: facts_of(product, locale=locale, now=NOW)["offer.ends"].text for locale in ("zh-CN", "en-US", "en-GB")}
    assert days == {"zh-CN": "2月1日", "en-US": "January 31", "en-GB": "31 January"}


def test_the_occasion_is_called_by_its_name_in_the_language():
    assert texts(make_product(), occasion="spring_festival")["occasion"] == "春节"
    assert texts(make_product(locale="en-US"), occasion="spring_festival")["occasion"] == "Spring Festival"
    assert "occasion" not in texts(make_product(), occasion="everyday")


def test_a_language_that_is_not_written_is_refused():
    with pytest.raises(ValueError, match=r"'fr-FR'.*zh-CN, en-US or en-GB"):
        facts_of(make_product(), locale="fr-FR", now=NOW)


def test_of_a_bundle_only_names_that_may_stand_in_copy_are_said_each_once():
    coat, cap = make_product(), make_product("cap", name="毛线帽", price=Decimal(100))
    lure = make_product("lure", name="加微信vx12345", price=Decimal(1))
    facts = facts_for(coat, also=[lure, cap, coat, cap])
    assert facts["also"].text == "毛线帽"
    assert facts["total"].value == "600.00"
    assert "also" not in facts_for(coat, also=[lure])
