"""The merchant's knowledge: found by meaning and words, by language and country, and refused with a reason where it can't be used."""

from pathlib import Path

import pytest

from retrieval import tables
from retrieval.knowledge import Knowledge, KnowledgeError, build_knowledge, read_passages, telling, write_passages

DEMO = Path(__file__).parents[2] / "demo" / "knowledge"


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory) -> Knowledge:
    shop = tmp_path_factory.mktemp("shop")
    write_passages(shop, [row for locale in ("zh-CN", "en-US", "en-GB") for row in read_passages(DEMO / f"{locale}.yaml")])
    assert build_knowledge(shop, shop / "index") == 90
    return Knowledge(shop / "index")


@pytest.mark.parametrize(
    ("locale", "question", "passage"),
    [
        ("zh-CN", "你们发顺丰吗", "carrier"), ("zh-CN", "退货的运费谁来付呀", "return-cost"), ("zh-CN", "我想把收货地址改一下", "change-order"), ("zh-CN", "能不能货到付款", "payment"),
        ("zh-CN", "请问可以开发票吗", "invoice"), ("zh-CN", "如果不合适可以退吗", "returns"), ("zh-CN", "运费怎么算", "delivery-cost"), ("zh-CN", "送人可以写张贺卡吗", "gift-wrap"),
        ("en-US", "I need an invoice for work", "invoice"), ("en-US", "can I swap it for a smaller size", "exchange"), ("en-GB", "how do I track my order", "tracking"),
        ("en-GB", "is delivery free", "delivery-cost"), ("en-US", "My points, do they run out?", "points-expiry"),
    ],
)  # fmt: skip
def test_a_question_finds_its_passage(knowledge, locale, question, passage):
    assert knowledge.answers(question, locale)[0].passage_id == passage


@pytest.mark.parametrize(
    ("locale", "question"),
    [("zh-CN", "今天天气怎么样"), ("zh-CN", "你们老板叫什么"), ("zh-CN", "屏幕是多少寸的"), ("zh-CN", "会不会掉色"), ("en-US", "What's the weather like"),
     ("en-US", "Does it work with an iPhone?"), ("en-GB", "Will it shrink in the wash?"), ("en-GB", "is it vegan"), ("en-US", ""), ("zh-CN", "？")],
)  # fmt: skip
def test_a_question_about_something_else_finds_none(knowledge, locale, question):
    assert knowledge.answers(question, locale) == ()


def test_each_country_has_its_own_answers(knowledge):
    us, gb = (knowledge.answers("is delivery free", locale)[0].text for locale in ("en-US", "en-GB"))
    assert "$49" in us and "£40" in gb


def test_a_shop_without_knowledge_answers_nothing(tmp_path):
    assert build_knowledge(tmp_path, tmp_path / "index") == 0
    assert Knowledge(tmp_path / "index").answers("可以退吗", "zh-CN") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [("locale: zh-CN", "needs the keys"), ("[", "not YAML"), ("{locale: zh-CN, passages: [{id: a}]}", "needs id and text"), ("{locale: zh-CN, passages: [{id: a, text: ' '}]}", "is empty")],
)  # fmt: skip
def test_a_bad_file_is_refused_with_the_remedy(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeError, match=said):
        read_passages(path)


def test_an_id_is_there_once(tmp_path):
    row = {"passage_id": "a", "locale": "zh-CN", "asks": [], "text": "是。", "version": 1}
    with pytest.raises(KnowledgeError, match="twice"):
        write_passages(tmp_path, [row, row])
    assert tables.read(write_passages(tmp_path, [row]).parent, "knowledge").num_rows == 1


def test_telling_words_are_what_a_question_is_about():
    assert telling("请问你们可以开发票吗", "zh") == {"开发", "发票"}
    assert telling("Can I get it gift wrapped?", "en") == {"gift", "wrappe"}
