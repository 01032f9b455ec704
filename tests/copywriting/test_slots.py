"""What `copywriting/slots.py` promises, one behaviour a test."""

import pytest

from copywriting.slots import CLAIM_KINDS, SLOTS, fill, literals, nominal_length, slots_in


def test_slots_are_read_in_order_with_repeats():
    assert slots_in("{name} is {discount}. {name}, until {offer.ends}, with {feature_2}") == (
        "name", "discount", "name", "offer.ends", "feature_2",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["{", "}", "{}", "{ name }", "{Name}", "{name!r}", "{name:>9}", "{0}", "{a.b.c}"])
def test_what_only_looks_like_a_slot_stays_text(text: str):
    assert slots_in(text) == ()
    assert "".join(literals(text)) == text


def test_every_slot_of_the_vocabulary_can_be_read_and_has_a_width():
    assert slots_in("".join(f"{{{slot}}}" for slot in SLOTS)) == tuple(SLOTS)
    assert all(min(slot.width) > 0 for slot in SLOTS.values())
    assert CLAIM_KINDS.keys() <= SLOTS.keys()


def test_filling_says_where_each_value_stands():
    text, spans = fill("{name}：{price}，{name}", {"name": "大衣", "price": "¥400"})
    assert text == "大衣：¥400，大衣"
    assert [(span.slot, text[span.start : span.end]) for span in spans] == [("name", "大衣"), ("price", "¥400"), ("name", "大衣")]


def test_a_value_is_not_read_for_slots_again():
    text, spans = fill("{name} today", {"name": "{price}", "price": "¥1"})
    assert text == "{price} today"
    assert len(spans) == 1


def test_a_slot_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="gift"):
        fill("{name} with {gift}", {"name": "coat"})


def test_literals_are_the_text_between_slots():
    assert list(literals("A {name}{price} b")) == ["A ", " b"]


def test_expected_length_counts_a_slot_by_its_typical_width():
    assert nominal_length("ab{price}", "zh") == 2 + 5
    assert nominal_length("ab{price}", "en") == 2 + 8
