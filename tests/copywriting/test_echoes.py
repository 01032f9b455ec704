"""What `copywriting/echoes.py` promises, one behaviour a test."""

import pytest

from copywriting.copybook import load
from copywriting.echoes import Echoes, sentences
from tests.fakes import COPYBOOK, brief_for, facts_for, make_piece, make_product

PIECES = [
    make_piece("想喝{name}？先烧水。", vertical="food", kind="tea"),
    make_piece("{name}到了。先烧水。", vertical="food", kind="coffee"),
    make_piece("门外起风了。{name}", vertical="fashion", kind="outerwear", occasion="winter"),
    make_piece("看一看{name}"),
    make_piece("Two sugars, no milk. {name} is ready.", "en", vertical="food", kind="tea"),
]


def misplaced(text: str, occasion: str = "everyday", locale: str = "zh-CN") -> str | None:
    product = make_product(locale=locale)  # outerwear
    return Echoes(PIECES).misplaced(text, brief_for(product, facts_for(product), channel="sms", occasion=occasion))


def test_sentences_end_at_stops_and_lines_and_a_slot_alone_is_none():
    assert sentences("Look. {offer.ends}!\n想喝{name}？好；再来") == ["look", "想喝{name}", "好", "再来"]


@pytest.mark.parametrize("text", ["想喝{name}？", "{name}来了。先烧水！", "{name}\n想喝{name}？"])
def test_a_sentence_written_for_other_kinds_is_misplaced(text: str):
    assert "food" in str(misplaced(text))


def test_case_makes_no_difference():
    assert "food/tea" in str(misplaced("TWO SUGARS, no milk. Take {name}", locale="en-US"))


def test_a_festive_sentence_is_misplaced_on_another_day():
    assert misplaced("门外起风了。{name}", occasion="winter") is None
    assert misplaced("门外起风了。{name}") == "'门外起风了' belongs to fashion/outerwear, winter"


@pytest.mark.parametrize("text", ["看一看{name}", "这件{name}很暖", "先烧水壶边的{name}"])
def test_general_and_new_sentences_are_at_home_everywhere(text: str):
    assert misplaced(text) is None


def test_every_piece_of_the_copybook_is_at_home_where_it_suits():
    pieces = load(COPYBOOK)
    echoes = Echoes(pieces)
    for piece in pieces:
        product = make_product(locale="zh-CN" if piece.language == "zh" else "en-US", vertical=piece.vertical, kind=piece.kind)
        brief = brief_for(product, facts_for(product), channel=piece.channel, occasion=piece.occasion, intent=piece.intent)
        assert echoes.misplaced(piece.template, brief) is None, piece.piece_id
