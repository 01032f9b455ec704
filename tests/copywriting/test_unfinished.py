"""What of an unfinished draft may be read: no text is let out that the check would not let stand."""

import pytest

from copywriting.check import check_unfinished
from copywriting.sentences import finished
from tests.fakes import write_brief


def read(draft: str, locale: str = "zh-CN", wishes: tuple[str, ...] = (), **options: object) -> str | None:
    brief, facts = write_brief(locale, **options)
    return check_unfinished(draft, brief, facts, wishes)


def test_what_is_there_is_filled_and_let_out_though_parts_are_missing():
    assert read("风起了。\n{name}，{color}。", channel="product_page") == "风起了。\n云杉羊毛大衣，藏青色。"


def test_a_piece_that_does_not_name_the_product_yet_may_be_read():
    assert read("风起了。", channel="product_page") == "风起了。"


@pytest.mark.parametrize(
    "draft", ["全网最低价。", "风起了。全网最低价。", "纯手工打造。", "{name}只要九十九元。", "{also}送你。", "风起了。{nme}"]
)
def test_a_claim_without_a_fact_holds_back_everything_from_then_on(draft):
    assert read(draft, channel="product_page") is None


def test_nothing_is_repaired_in_what_is_still_being_written():
    assert read("{name}来了。全网最低价。看看吧。", channel="product_page") is None


def test_a_wish_of_the_caller_holds_it_back():
    assert read("风起了。", wishes=("风",), channel="product_page") is None


def test_too_long_a_headline_is_held_back():
    assert read("风" * 33 + "。\n", channel="product_page") is None


def test_a_discount_waits_for_its_closing_date():
    assert read("{name}，{discount}。") is None
    assert read("{name}，{discount}，到{offer.ends}。") is not None


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("风起了。云", "风起了。"),
        ("风起了", ""),
        ("The wind is up. And", "The wind is up."),
        ("The wind is up.", ""),
        ("{name}\nThe", "{name}"),
        ("{name}\n", "{name}"),
        ("Costs {price}. Or {pri", "Costs {price}."),
        ("", ""),
    ],
)
def test_a_growing_text_is_whole_up_to_its_last_sentence_or_line(text, whole):
    assert finished(text) == whole
