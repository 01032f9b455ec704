"""The example that the project is measured by: a woman of 25 in Beijing, winter, before the Spring Festival, Adidas at 500 less 20 %."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from copywriting.check import Copy, check
from copywriting.copybook import load
from copywriting.product import Offer, PricePoint
from copywriting.shopper import Shopper
from serve.messages import CopyRequest, InlineEvent, InlineShopper
from serve.pipeline import Pipeline
from serve.shoppers import described
from serve.templates import Templates
from tests.fake_stages import FakeStages
from tests.fakes import COPYBOOK, make_product

NOW = datetime(2026, 1, 28, 4, tzinfo=UTC)
"""Twenty days before the Spring Festival of 2026."""
ADIDAS = make_product(
    "adidas-jacket",
    title="Adidas 冬季短款羽绒服 女",
    name="Adidas短款羽绒服",
    brand="Adidas",
    price=Decimal("500.00"),
    offer=Offer("percent_off", Decimal(20), None, NOW - timedelta(days=2), datetime(2026, 2, 15, 16, tzinfo=UTC)),
    price_history=(PricePoint(NOW - timedelta(days=90), Decimal("500.00")),),
    attributes={"material": "鸭绒", "color": "奶白色", "feature": "立领护颈设计", "feature_2": "收腰绳扣"},
    description=None,
    certificates=(),
    stock=300,
)
SHE = InlineShopper(
    consent=True,
    locale="zh-CN",
    city="北京",
    age_band="25",
    gender="female",
    interests=["fashion"],
    events=[
        InlineEvent(kind="view", product_id="fashion-outerwear-1", at=NOW - timedelta(days=3)),
        InlineEvent(kind="purchase", product_id="down-jacket", at=NOW - timedelta(days=30)),
    ],
)
CHANNELS = ("product_page", "email", "push", "sms", "social", "banner", "article_title", "search_ad", "email_subject", "article_summary")


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(load(COPYBOOK))


@pytest.mark.parametrize("channel", CHANNELS)
async def test_copy_says_400_and_never_another_number(templates, channel):
    stages = FakeStages(ADIDAS, [], shopper=described(SHE), recent=make_product("down-jacket", name="长款羽绒服"))
    pipeline = Pipeline(stages.stages(), templates, prompt_style="compact", spare_drafts=2, versions={})
    request = CopyRequest(
        shopper=SHE, product_id="adidas-jacket", channel=channel, n=8, seed=5, explain=True, principles=["value", "liking"]
    )
    answer = await pipeline.answer(request, "r", NOW)
    assert answer.explanation.occasion == "spring_festival"
    assert answer.choices
    for choice in answer.choices:
        numbers = set(re.findall(r"[¥￥]?\d[\d,.]*折?", choice.text))
        assert numbers <= {"¥400", "¥500", "¥100", "8折", "2", "15"}, choice.text
        assert "Adidas短款羽绒服" in choice.text
        assert all(claim.source and claim.value for claim in choice.claims)


def test_the_prices_of_the_example_and_their_arithmetic():
    from copywriting.brief import make_brief
    from copywriting.facts import facts_of
    from copywriting.law import law_of

    shopper = Shopper("she", "zh-CN", True, {"city": "北京"})
    facts = facts_of(ADIDAS, locale="zh-CN", now=NOW, occasion="spring_festival", shopper=shopper, law=law_of(("CN",)))
    brief = make_brief(ADIDAS, facts, locale="zh-CN", channel="push", tone="warm", occasion="spring_festival", jurisdictions=("CN",))
    draft = "{shopper.city}冷，{occasion}暖\n{name}，{list_price}的{discount}，{price}，到{offer.ends}。"
    copy = check(draft, brief, facts)
    assert isinstance(copy, Copy)
    assert copy.text == "北京冷，春节暖\nAdidas短款羽绒服，¥500的8折，¥400，到2月15日。"
    derivations = {claim.slot: claim.derivation for claim in copy.claims}
    assert derivations["price"] == "500.00 × 80% = 400.00 CNY"


@pytest.mark.parametrize("wrong", ["¥399", "三百九十九元", "四百块", "七折", "7.5折", "半价", "立省两百", "２月１４日截止"])
def test_another_number_never_leaves(wrong):
    from copywriting.facts import facts_of
    from tests.fakes import brief_for

    facts = facts_of(ADIDAS, locale="zh-CN", now=NOW)
    verdict = check(f"{{name}}，{wrong}，来看看。", brief_for(ADIDAS, facts, channel="sms"), facts)
    assert not isinstance(verdict, Copy)
