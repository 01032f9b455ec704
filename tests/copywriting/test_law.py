"""Law as data: what each pack forbids, exempts, wants said, and whom it protects."""

import re

import pytest
import yaml

from copywriting.check import Copy, Refusal, check
from copywriting.facts import grounds_of
from copywriting.law import audience_of, jurisdictions_of, law_of
from copywriting.rulebook import HOUSE, JURISDICTIONS, RULES, pack, read_pack
from tests.copywriting.mutations import brief_of, page_of
from tests.fakes import NOW, brief_for, facts_for, make_product, percent_off


def lawfully(template, locale="zh-CN", jurisdictions=None, strict=False, product=None, **options):
    product = product or make_product(locale=locale)
    jurisdictions = jurisdictions_of(locale) if jurisdictions is None else jurisdictions
    facts = facts_for(product, law=law_of(tuple(jurisdictions)))
    grounds = grounds_of(product, locale)
    brief = brief_for(product, facts, **{"channel": "sms", "jurisdictions": jurisdictions, "grounds": grounds, **options})
    return check(template, brief, facts, strict=strict)


def test_every_rule_says_what_it_is_from_and_what_to_do_instead():
    for jurisdiction in (*JURISDICTIONS, HOUSE):
        for rule in pack(jurisdiction).rules:
            assert rule.law and rule.says and rule.remedy, rule.id
            assert re.fullmatch(r"(?:cn|us|gb|eu|house)\.[a-z-]+", rule.id)
            assert (
                rule.kinds
                or rule.words
                or rule.needs_slot
                or rule.disclose
                or rule.caps
                or rule.advise
                or rule.forbid_product
                or rule.forbid_audience
            ), rule.id


@pytest.mark.parametrize(
    ("locale", "template", "rule"),
    [
        ("zh-CN", "{name}，国家级的工艺", "cn.absolute-terms"), ("zh-CN", "{name}，最好的大衣", "cn.absolute-terms"), ("zh-CN", "{name}，治疗关节炎", "cn.medical"),
        ("zh-CN", "{name}，比别家暖", "cn.disparagement"), ("zh-CN", "{name}，获得专利", "cn.patent"), ("zh-CN", "{name}，稳赚不赔", "cn.investment"),
        ("zh-CN", "{name}，国宴同款", "cn.state"), ("zh-CN", "{name}，销量百万件", "cn.citation"), ("zh-CN", "{name}，快让妈妈买", "cn.minors"),
        ("en-US", "{name}: nine out of ten doctors agree", "house.unproved"), ("en-US", "{name} cures eczema", "us.health"),
        ("en-US", "{name}, loved by thousands", "us.endorsements"), ("en-US", "{name}, made in the USA", "us.made-in-usa"),
        ("en-US", "{name}: an eco-friendly pick", "us.green"), ("en-US", "{name}: only a few left", "us.scarcity"),
        ("en-GB", "{name}: better than any other coat", "gb.comparisons"), ("en-GB", "{name}, the best coat", "gb.substantiation"),
        ("en-GB", "{name}: guaranteed returns", "gb.investment"), ("en-GB", "{name} at evil.example today", "house.contact"),
    ],
)  # fmt: skip
def test_a_verdict_names_rule_law_words_and_remedy(locale, template, rule):
    verdict = lawfully(template, locale, product=make_product(locale=locale), strict=True)
    assert isinstance(verdict, Refusal)
    found = {each.rule: each for each in verdict.verdicts}
    assert rule in found, found.keys()
    assert found[rule].text in template or found[rule].text.casefold() in template.casefold()
    assert found[rule].law and found[rule].remedy and rule in str(found[rule])


@pytest.mark.parametrize(
    "template",
    [
        "{name}。服务上，我们力求做到最好。", "{name}。顾客第一，慢慢挑。", "{name}，本店最新款。", "{name}。羊毛大衣最好平铺晾干。", "{name}。今年第一场雪，穿着它走走。",
        "{name}。最早的一班地铁，也不冷清。", "{name}，我们家这一季最厚的一件。",
    ],
)  # fmt: skip
def test_the_guidelines_exemptions_are_left_alone(template):
    product = make_product(attributes={"material": "羊毛", "feature": "双层防风门襟"})
    verdict = lawfully(template, product=product)
    assert isinstance(verdict, Copy), verdict.reasons
    assert verdict.repairs == ()


def test_repair_leaves_out_the_sentence_and_says_so():
    verdict = lawfully("{name}到了。它是最好的外套里数得着的。来看看。", product=make_product())
    assert isinstance(verdict, Copy)
    assert "最好的" not in verdict.text
    (done,) = [each for each in verdict.verdicts if each.action in ("cut", "replaced")]
    assert done.rule == "cn.absolute-terms"


def test_strict_drops_what_repair_would_mend():
    template = "{name}到了。它是最好的。来看看。"
    assert isinstance(lawfully(template), Copy)
    assert isinstance(lawfully(template, strict=True), Refusal)


def test_a_headline_or_a_button_gives_way_to_plain_words():
    product = make_product()
    verdict = lawfully("史上最低价\n{name}来了。\n手慢无", product=product, channel="product_page")
    assert isinstance(verdict, Copy)
    assert verdict.parts == {"headline": "云杉羊毛大衣", "body": "云杉羊毛大衣来了。", "cta": "看详情"}


def test_a_reduction_for_a_time_says_when_it_ends():
    verdict = lawfully("{name}，现在{discount}。", product=make_product(offer=percent_off(20)))
    assert isinstance(verdict, Copy)
    assert verdict.text.endswith("优惠到1月31日为止。")
    assert [each.rule for each in verdict.verdicts if each.action == "added"] == ["cn.stated-end"]
    assert lawfully("{name}，{discount}，到{offer.ends}。", product=make_product(offer=percent_off(20))).text.count("1月31日") == 1


@pytest.mark.parametrize(
    ("locale", "line"),
    [("zh-CN", "投资有风险，入市需谨慎。"), ("en-US", "Investing involves risk, including possible loss of principal."), ("en-GB", "Your capital is at risk.")],
)  # fmt: skip
def test_a_fund_carries_its_risk_line_with_its_source(locale, line):
    name = "青禾指数基金" if locale == "zh-CN" else "Greenfield index fund"
    product = make_product(locale=locale, vertical="finance", kind="funds", name=name, title=name, attributes={}, description=None)
    template = "{name}，先看说明，再做决定。" if locale == "zh-CN" else "{name}: read the notes first."
    verdict = lawfully(template, locale, product=product)
    assert isinstance(verdict, Copy)
    assert verdict.text.endswith(line)
    (claim,) = [each for each in verdict.claims if each.kind == "disclosure"]
    assert claim.source.startswith("law/") and verdict.text[claim.start : claim.end] == line


def test_a_title_leaves_the_risk_line_to_where_it_leads():
    product = make_product(vertical="finance", kind="funds", name="青禾指数基金", attributes={}, description=None)
    verdict = lawfully("读懂{name}", product=product, channel="article_title")
    assert isinstance(verdict, Copy)
    assert [each.action for each in verdict.verdicts if each.rule == "cn.investment-risk"] == ["advice"]


def test_a_closing_sentence_gives_way_to_the_risk_line():
    product = make_product(vertical="finance", kind="funds", name="青禾指数基金", attributes={}, description=None)
    verdict = lawfully("{name}，先看说明。" + "想清楚再决定，不着急。" * 6, product=product)
    assert isinstance(verdict, Refusal) or (len(verdict.text) <= 70 and verdict.text.endswith("入市需谨慎。"))
    verdict = lawfully(
        "{name}，先看说明。想清楚再做决定，我们不着急。有问题随时来问，白天晚上都有人在。合上电脑睡一觉再说也好。", product=product
    )
    assert isinstance(verdict, Copy) and verdict.text.endswith("入市需谨慎。") and len(verdict.text) <= 70


@pytest.mark.parametrize(
    ("band", "audience"),
    [("under 18", {"minor"}), ("12-15", {"minor"}), ("14", {"minor"}), ("18岁以下", {"minor"}), ("18-24", set()), ("25-34", set()), ("65+", {"older"}),
     ("70-79", {"older"}), ("60+", {"older"}), ("55-64", set()), (None, set()), ("unknown", set())],
)  # fmt: skip
def test_an_age_band_tells_whom_to_be_careful_with(band, audience):
    assert audience_of(band) == audience


def test_minors_are_not_pressed():
    product = make_product(stock=3, offer=percent_off(20), rating=4.8, rating_count=900)
    facts = facts_for(product)
    free, young = (brief_for(product, facts, jurisdictions=("CN",), audience=frozenset(each)) for each in ((), ("minor",)))
    assert {"scarcity", "value", "social_proof"} <= set(free.principles)
    assert not {"scarcity", "value", "social_proof", "reciprocity"} & set(young.principles)


@pytest.mark.parametrize(
    ("title", "audience", "barred"),
    [("薄荷香烟", (), True), ("黑松白葡萄酒", ("minor",), True), ("黑松白葡萄酒", (), False), ("羊毛大衣", ("minor",), False)],
)
def test_some_products_are_not_advertised_to_some_or_to_anybody(title, audience, barred):
    product = make_product(title=title, name=title, category=())
    brief = brief_for(product, facts_for(product), jurisdictions=("CN",), audience=frozenset(audience))
    assert (brief.law.barred(brief.case) is not None) == barred


def test_a_complaint_is_not_met_with_an_offer():
    product = make_product(offer=percent_off(20), stock=3)
    law = law_of(("CN",))
    brief = brief_for(product, facts_for(product), channel="chat_reply", intent="complaint", jurisdictions=("CN",))
    facts = facts_for(product, law=law, case=brief.case)
    assert not {"price", "discount", "saving", "offer.ends", "stock"} & facts.keys()
    assert isinstance(check("{name}只要{price}", brief, facts), Refusal)


@pytest.mark.parametrize("feature", ["全国最好的羊毛", "治疗关节炎的内里", "稳赚不赔的面料"])
def test_what_a_merchant_says_unlawfully_is_no_fact(feature):
    product = make_product(attributes={"feature": feature, "feature_2": "可拆卸兜帽"})
    brief = brief_for(product, facts_for(product), jurisdictions=("CN",))
    facts = facts_for(product, law=law_of(("CN",)), case=brief.case)
    assert "feature" not in facts and "feature_2" in facts


def test_a_trademark_with_a_superlative_is_a_name():
    product = make_product(name="第一片叶子羊毛大衣")
    verdict = lawfully("看看{name}", product=product)
    assert isinstance(verdict, Copy) and "第一片叶子" in verdict.text


def test_generic_green_claims_fall_in_europe_even_where_the_merchant_makes_them():
    product = make_product(locale="en-GB", attributes={"feature": "a sustainable shell"}, description="a sustainable coat")
    template = "{name}, a sustainable choice"
    assert isinstance(lawfully(template, "en-GB", ("EU",), product=product), Refusal)


def test_a_pack_with_a_fault_names_file_key_value_and_remedy(tmp_path):
    held = yaml.safe_load((RULES / "cn.yaml").read_text(encoding="utf-8"))
    for change, said in (
        ({"kinds": ["superlativ"]}, "superlativ"), ({"words": {"zh": ["(最"]}}, r"no regular expression"), ({"wrods": {}}, "wrods"), ({"caps": ["fear"]}, "fear"),
    ):  # fmt: skip
        path = tmp_path / "xx.yaml"
        path.write_text(yaml.safe_dump({**held, "rules": [held["rules"][0] | change]}, allow_unicode=True), encoding="utf-8")
        with pytest.raises(ValueError, match=said) as error:
            read_pack(path)
        assert "xx.yaml" in str(error.value)
    path.write_text(yaml.safe_dump({**held, "rules": held["rules"][:1] * 2}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValueError, match="two rules are called"):
        read_pack(path)
    with pytest.raises(ValueError, match="has no rules"):
        pack("XX")


def test_advice_is_given_and_written_nowhere():
    verdict = lawfully("{name}到了。")
    assert isinstance(verdict, Copy)
    assert [each.rule for each in verdict.verdicts if each.action == "advice"] == ["cn.sms-consent"]
    assert verdict.repairs == ()


def test_a_page_of_the_reference_coat_is_lawful_in_both_languages():
    for language, body in (("zh", "{name}，{discount}，到{offer.ends}。"), ("en", "{name} is {discount} until {offer.ends}.")):
        brief, facts = brief_of(language, "product_page")
        assert isinstance(check(page_of(body, language), brief, facts), Copy)
    assert NOW.year == 2026
