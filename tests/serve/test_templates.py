"""What `serve/templates.py` promises, one behaviour a test."""

import pytest

from copywriting.channels import CHANNELS
from copywriting.check import Copy, check
from copywriting.copybook import load
from copywriting.facts import Fact
from copywriting.taxonomy import INTENTS, VERTICALS
from serve.templates import Templates
from tests.fakes import COPYBOOK, brief_for, facts_for, full_product, make_piece, make_product


def answering(intent, locale):
    """The fact that a question is answered with."""
    text = "签收后七天内可以退。" if locale == "zh-CN" else "You can return it within 30 days."
    return {"answer": Fact("answer", text, "returns", "knowledge/returns", 1)} if intent == "question" else {}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(load(COPYBOOK))


def suitable(pieces, product=None, **options):
    product = product or make_product()
    brief = brief_for(product, facts_for(product), **{"channel": "sms", **options})
    return Templates(pieces).suitable(brief, 0)


def test_only_pieces_whose_slots_have_values_are_used():
    pieces = [make_piece("{name}还有{stock}件"), make_piece("{name}现在{price}")]
    assert suitable(pieces) == ("{name}现在{price}",)
    assert set(suitable(pieces, make_product(stock=7))) == {piece.template for piece in pieces}


@pytest.mark.parametrize(
    "change",
    [{"vertical": "food"}, {"kind": "dresses"}, {"occasion": "christmas"}, {"channel": "push"}, {"language": "en"}, {"intent": "price"}],
)
def test_pieces_for_something_else_are_not_used(change):
    assert suitable([make_piece("{name}来了"), make_piece("{name}在家", **change)]) == ("{name}来了",)


def test_a_piece_that_does_not_name_the_product_is_not_used():
    assert suitable([make_piece("现在{price}")]) == ()


def test_the_piece_that_suits_best_comes_first():
    pieces = [
        make_piece("{name}一"),
        make_piece("{name}二", vertical="fashion"),
        make_piece("{name}三", vertical="fashion", kind="outerwear"),
        make_piece("{name}四", vertical="fashion", kind="outerwear", occasion="winter"),
    ]
    assert suitable(pieces, occasion="winter") == ("{name}四", "{name}三", "{name}二", "{name}一")


def test_ties_are_broken_by_the_seed_alone():
    pieces = [make_piece(f"{{name}}{word}") for word in "春夏秋冬东西南北"]
    product = make_product()
    brief = brief_for(product, facts_for(product), channel="sms")
    orders = {seed: Templates(pieces).suitable(brief, seed) for seed in range(5)}
    assert len(set(orders.values())) > 1
    assert orders[3] == Templates(pieces).suitable(brief, 3)


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_product_with_facts_has_copy_in_every_vertical_without_a_model(templates, locale, channel):
    lacking = []
    for vertical in VERTICALS:
        for intent in INTENTS if channel == "chat_reply" else (None,):
            product = full_product(locale, vertical=vertical, kind=None)
            facts = facts_for(product) | answering(intent, locale)
            brief = brief_for(product, facts, channel=channel, intent=intent)
            if not any(isinstance(check(template, brief, facts), Copy) for template in templates.suitable(brief, 0)):
                lacking.append((vertical, intent))
    assert lacking == []


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize(
    ("channel", "intent"),
    [(channel, None) for channel in CHANNELS if channel != "chat_reply"] + [("chat_reply", intent) for intent in INTENTS],
)
def test_a_product_that_has_only_a_name_has_copy_without_a_model(templates, locale, channel, intent):
    product = make_product(locale=locale, vertical="general", kind=None, brand=None, attributes={}, certificates=(), price=None)
    facts = facts_for(product) | answering(intent, locale)
    assert templates.suitable(brief_for(product, facts, channel=channel, intent=intent), 0)


def test_a_piece_whose_slot_answers_a_doubt_comes_before_one_as_good():
    pieces = [make_piece("{name}在路上"), make_piece("{material}的{name}"), make_piece("{color}的{name}")]
    assert suitable(pieces, doubts=("fabric",))[0] == "{material}的{name}"
    assert suitable(pieces, doubts=("colour",))[0] == "{color}的{name}"
