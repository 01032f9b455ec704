"""Variations of a brief, how pieces begin and how full they are, and near duplicates."""

import pytest

from copywriting.copybook import load
from copywriting.prompt import chat, compact
from copywriting.variety import OPENINGS, STRUCTURES, near_duplicates, opening_of, structure_of, variations
from tests.fakes import COPYBOOK, write_brief


@pytest.mark.parametrize(
    ("template", "language", "opening"),
    [
        ("冷吗？{name}在。", "zh", "question"), ("{name}到了，出门去。", "zh", "product"), ("现在{price}，看看{name}。", "zh", "fact"), ("你忙了一天，{name}等着。", "zh", "address"),
        ("天黑得早，灯先亮了。{name}。", "zh", "scene"), ("Cold out?\n{name} waits.", "en", "question"), ("{brand} made it. {name}.", "en", "product"),
        ("Only {stock} left of {name}.", "en", "fact"), ("You know the feeling. {name}.", "en", "address"), ("A wet street at dusk. {name}.", "en", "scene"),
    ],
)  # fmt: skip
def test_how_a_piece_begins(template, language, opening):
    assert opening_of(template, language) == opening


def test_the_copybook_begins_in_every_way_in_both_languages():
    for language in ("zh", "en"):
        counts = {opening: 0 for opening in OPENINGS}
        for piece in load(COPYBOOK):
            if piece.language == language:
                counts[opening_of(piece.template, language)] += 1
        assert min(counts.values()) >= 50, counts


def test_how_full_a_piece_is():
    assert (structure_of("x", 100, 51), structure_of("x", 100, 50)) == ("full", "brief")


def test_variations_deal_out_principles_openings_and_structures():
    brief, _ = write_brief(channel="product_page")
    dealt = variations(brief, 5, seed=3)
    assert len({each.opening for each in dealt}) == len(OPENINGS)
    assert {each.structure for each in dealt} == set(STRUCTURES)
    assert len({each.principles for each in dealt}) == 5
    assert all(set(each.principles) <= set(brief.principles) for each in dealt)
    assert dealt == variations(brief, 5, seed=3) != variations(brief, 5, seed=4)


def test_a_prompt_asks_for_what_is_dealt():
    brief, _ = write_brief("en-US", channel="email")
    first, second = variations(brief, 2)
    assert compact(first) != compact(second)
    assert f"<|opening:{first.opening}|><|structure:{first.structure}|>" in compact(first)
    assert "<|opening:any|><|structure:any|>" in compact(brief)
    said = chat(first)[-1]["content"]
    assert ("Begin" in said) and ("short" in said or "room" in said)


def test_a_part_alone_has_no_structure():
    brief, _ = write_brief(channel="email_subject")
    assert {each.structure for each in variations(brief, 2)} == {None}


def test_near_duplicates_are_the_later_ones():
    texts = ["今天的风有点凉，大衣在等你出门", "今天的风有点凉，大衣在等你出门吧", "路灯亮了，大衣陪你走回家"]
    assert near_duplicates(texts) == {1}
    assert near_duplicates(["a", "b"]) == frozenset()
