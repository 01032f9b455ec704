"""What an occasion that the copybook has no pieces for does to prompts, pieces and facts, one behaviour a test."""

import re

import pytest

from copywriting.copybook import fits, suits
from copywriting.echoes import Echoes
from copywriting.grammar import grammar
from copywriting.occasions import KNOWN
from copywriting.prompt import chat, compact, compact_tags, writable
from tests.fakes import brief_for, facts_for, make_piece, make_product

COAT = make_product()


def brief_on(occasion: str, **options):
    return brief_for(COAT, facts_for(COAT, occasion=occasion), channel="sms", occasion=occasion, **options)


@pytest.mark.parametrize("occasion", [*KNOWN, "店庆周"])
def test_a_compact_prompt_has_a_tag_for_every_occasion(occasion: str):
    assert set(re.findall(r"<\|[^|]+\|>", compact(brief_on(occasion)))) <= set(compact_tags())


def test_facts_and_chat_prompt_name_the_real_day():
    brief = brief_on("dragon_boat")
    assert "Occasion: dragon_boat" in chat(brief)[-1]["content"]
    assert "{occasion}" in chat(brief)[0]["content"]
    fact = facts_for(COAT, occasion="dragon_boat")["occasion"]
    assert (fact.text, fact.value, fact.source) == ("端午节", "dragon_boat", "calendar")


def test_a_merchants_holiday_is_a_fact_of_the_market_table():
    fact = facts_for(COAT, occasion="店庆周")["occasion"]
    assert (fact.text, fact.value, fact.source) == ("店庆周", "店庆周", "market")
    assert "<|occasion:everyday|>" in compact(brief_on("店庆周"))


def test_the_small_model_is_asked_for_the_season_and_can_not_name_the_day():
    brief = brief_on("dragon_boat")
    assert "<|occasion:summer|>" in compact(brief)
    assert "<|has:occasion|>" not in compact(brief)
    assert '"{occasion}"' not in grammar(writable(brief, "compact"))
    assert '"{occasion}"' in grammar(writable(brief, "chat"))
    assert writable(brief_on("christmas"), "compact") == brief_on("christmas")


def test_pieces_of_the_season_suit_and_pieces_of_another_day_do_not():
    brief = brief_on("halloween")
    assert suits(make_piece("{name}", occasion="autumn"), brief)
    assert suits(make_piece("{name}"), brief)
    for other in ("christmas", "summer", "valentines"):
        assert not suits(make_piece("{name}", occasion=other), brief)


def test_a_piece_of_the_season_that_calls_it_by_name_is_not_used_for_a_day():
    brief = brief_on("halloween")
    assert fits(make_piece("{name}的一天", occasion="autumn"), brief)
    assert not fits(make_piece("{occasion}的{name}", occasion="autumn"), brief)
    assert fits(make_piece("{occasion}的{name}"), brief)
    assert fits(make_piece("{occasion}的{name}", occasion="autumn"), brief_on("autumn"))


def test_a_sentence_of_another_day_is_refused_on_a_new_one():
    echoes = Echoes([make_piece("灯串亮了。{name}", occasion="christmas"), make_piece("叶子黄了。{name}", occasion="autumn")])
    assert "christmas" in str(echoes.misplaced("灯串亮了。{name}", brief_on("halloween")))
    assert echoes.misplaced("叶子黄了。{name}", brief_on("halloween")) is None


def test_doubts_and_likings_are_said_by_name_in_a_chat_and_not_in_tags():
    brief = brief_on("winter", doubts=("fabric", "size"), likings=("colour",))
    asked = chat(brief)[-1]["content"]
    assert (
        "has doubted: fabric and material, size and fit. Answer it from the notes if they say something about it; else leave it." in asked
    )
    assert "has liked in what they bought: colour." in asked
    assert compact(brief) == compact(brief_on("winter"))
