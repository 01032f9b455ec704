"""Materials, origins and functions in words: found in any wording, proved by a text of the product that says the same."""

import pytest

from copywriting.claims import Ground, ungrounded
from copywriting.word_claims import word_claims

GROUNDS = {
    "zh": (Ground("attributes.material", "羊毛", "products/coat/zh-CN", 3), Ground("description", "防风门襟，产自苏格兰，不防水", "products/coat/zh-CN", 3)),
    "en": (Ground("description", "A waterproof merino wool coat, woven in Scotland, not windproof", "products/coat/en-US", 3),),
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "kind", "text"),
    [
        ("zh", "material", "山羊绒的温度"), ("zh", "material", "采用整张头层牛皮"), ("zh", "material", "橡木材质"), ("zh", "origin", "来自意大利的设计"),
        ("zh", "origin", "进口货"), ("zh", "origin", "瑞士工艺"), ("zh", "function", "不怕雨"), ("zh", "function", "抗静电"),
        ("en", "material", "a cashmere collar"), ("en", "material", "made of solid oak"), ("en", "material", "gold buttons and a glass frame, made from glass"),
        ("en", "origin", "woven in Italy"), ("en", "origin", "Italian tailoring"), ("en", "origin", "Swiss-made"), ("en", "function", "wind-resistant"),
        ("en", "function", "machine washable"),
    ],
)  # fmt: skip
def test_a_word_that_claims_is_found(language, kind, text):
    assert kind in {claim.kind for claim in word_claims(text, language)}
    assert ungrounded(text, language, (), GROUNDS[language])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "一杯水，一扇窗"), ("zh", "像羊绒一样的云"), ("zh", "金色的下午"), ("zh", "吃一顿日本料理"), ("zh", "铁打的日子"), ("zh", "石板路"),
        ("en", "a glass of water"), ("en", "the golden afternoon"), ("en", "steel yourself"), ("en", "soft as cashmere"), ("en", "French toast"),
        ("en", "a walk in London"), ("en", "paper and pencil"), ("en", "an Italian film"),
    ],
)  # fmt: skip
def test_scenery_claims_nothing(language, text):
    assert not list(word_claims(text, language))


@pytest.mark.parametrize(
    ("language", "text"),
    [("zh", "羊毛的触感"), ("zh", "防风，安心"), ("zh", "产自苏格兰"), ("en", "merino by the fire"), ("en", "shrugs off the rain"), ("en", "woven in Scotland")],
)  # fmt: skip
def test_a_text_of_the_product_proves_its_word(language, text):
    assert ungrounded(text, language, (), GROUNDS[language]) == ()


@pytest.mark.parametrize(("language", "text"), [("zh", "防水外层"), ("en", "a windproof shell")])
def test_a_fact_that_denies_proves_nothing(language, text):
    found = ungrounded(text, language, (), GROUNDS[language])
    assert any("nothing in the product's row says so" in str(claim) for claim in found)
