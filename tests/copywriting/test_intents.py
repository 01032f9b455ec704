"""What `copywriting/intents.py` promises, one behaviour a test."""

import pytest

from copywriting.brief import Turn
from copywriting.intents import intent_of


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("这件多少钱？", "price"),
        ("有点贵，能便宜吗", "price"),
        ("材质怎么样，会起球吗", "quality"),
        ("我再想想", "hesitation"),
        ("M码还有吗", "stock"),
        ("收到就坏了，我要退款", "complaint"),
        ("推荐一件大衣", "recommend"),
        ("How much is it?", "price"),
        ("Is it durable?", "quality"),
        ("I'm not sure it suits me", "hesitation"),
        ("Is this still available?", "stock"),
        ("My parcel never arrived", "complaint"),
        ("Something warm for my mother", "recommend"),
    ],
)
def test_what_the_shopper_wants(text: str, intent: str):
    assert intent_of([Turn("shopper", text)]) == intent


def test_a_complaint_comes_before_a_question_of_price():
    assert intent_of([Turn("shopper", "It arrived broken, how much do I get back?")]) == "complaint"


def test_only_the_shoppers_last_turn_counts():
    turns = [Turn("shopper", "多少钱"), Turn("shop", "有货，质量很好"), Turn("shopper", "我再考虑一下"), Turn("shop", "价格可以优惠")]
    assert intent_of(turns) == "hesitation"


def test_nobody_has_spoken():
    assert intent_of([]) == intent_of([Turn("shop", "how much?")]) == "recommend"
