"""What `copywriting/concerns.py` promises, one behaviour a test."""

from datetime import timedelta

import pytest

from copywriting.check import Copy, check
from copywriting.concerns import AT_MOST, LATEST, READ, answers_in, concerns_of
from copywriting.shopper import Event
from tests.fakes import NOW, brief_for, facts_for, full_product, make_product

COAT = make_product()
SHELVES = {"jacket": ("fashion", "outerwear"), "dress": ("fashion", "dresses"), "tea": ("food", "tea")}


def review(text: str | None, product_id: str | None = "jacket", days_ago: float = 1, stars: float | None = None, kind: str = "review"):
    return Event(kind, product_id, NOW - timedelta(days=days_ago), stars, None, text)


def doubts(*events: Event, product=COAT):
    return {concern.aspect: concern for concern in concerns_of(events, product, NOW, SHELVES).doubts}


def test_a_review_says_what_is_doubted_and_what_is_liked():
    text = "The colour is lovely but the fabric is thin"
    concerns = concerns_of([review(text, stars=3)], COAT, NOW, SHELVES)
    (doubt,), (liking,) = concerns.doubts, concerns.likings
    assert (doubt.aspect, doubt.stance, doubt.count, doubt.product_id) == ("fabric", "doubted", 1, "jacket")
    assert text[doubt.start : doubt.end].strip() == "but the fabric is thin"
    assert (liking.aspect, liking.stance) == ("colour", "liked")
    assert 0 < doubt.strength < 1


def test_the_same_kind_weighs_most_then_the_same_vertical():
    strengths = [doubts(review("面料太薄", product_id))["fabric"].strength for product_id in ("jacket", "dress", "tea")]
    assert strengths == sorted(strengths, reverse=True)
    assert len(set(strengths)) == 3


def test_a_product_that_stands_nowhere_counts_as_another_kind_unless_it_is_this_one():
    known, unknown, itself, none = (doubts(review("面料太薄", p))["fabric"].strength for p in ("tea", "gone", "coat", None))
    assert known == unknown == none < itself


def test_what_is_new_weighs_more_and_what_is_old_is_forgotten():
    new, older = (doubts(review("面料太薄", days_ago=days))["fabric"].strength for days in (1, 180))
    assert older < new
    assert doubts(review("面料太薄", days_ago=3000)) == {}


def test_opinions_add_up_and_the_heavier_side_is_the_concern():
    twice = doubts(review("面料太薄"), review("The fabric is thin"))["fabric"]
    assert (twice.count, twice.strength > doubts(review("面料太薄"))["fabric"].strength) == (2, True)
    settled = concerns_of([review("面料太薄", days_ago=400), review("面料柔软"), review("面料很舒服")], COAT, NOW, SHELVES)
    assert [concern.aspect for concern in settled.likings] == ["fabric"]
    assert settled.doubts == ()


def test_a_side_that_the_product_does_not_have_is_left_out():
    tea = make_product("tea", vertical="food", kind="tea")
    text = review("面料太薄，发货太慢")
    assert doubts(text, product=tea).keys() == {"delivery"}
    assert doubts(text).keys() == {"fabric", "delivery"}


def test_at_most_three_strongest_first():
    texts = ("尺码偏小", "面料太薄", "质量太差", "价格太贵", "发货太慢")
    events = [review(text) for text in texts] + [review("The fabric is thin")]
    found = concerns_of(events, COAT, NOW, SHELVES).doubts
    assert len(found) == AT_MOST
    assert [concern.strength for concern in found] == sorted((concern.strength for concern in found), reverse=True)
    assert found[0].aspect == "fabric"


def test_only_the_newest_reviews_and_their_beginnings_are_read():
    newer = [review("收到了", days_ago=day / 100) for day in range(LATEST)]
    assert doubts(*newer, review("面料太薄", days_ago=2)) == {}
    assert doubts(*newer[1:], review("面料太薄", days_ago=2)).keys() == {"fabric"}
    assert doubts(review("。" * READ + "面料太薄")) == {}


@pytest.mark.parametrize(
    "event",
    [review("面料太薄", kind="search"), review(None), review(""), review("面料太薄", days_ago=-1)],
    ids=["search", "none", "empty", "future"],
)
def test_only_reviews_that_were_written_count(event: Event):
    assert doubts(event) == {}


def copy_of(template: str, product=None, **options):
    product = product or full_product()
    facts = facts_for(product)
    brief = brief_for(product, facts, channel="sms", **options)
    copy = check(template, brief, facts)
    assert isinstance(copy, Copy), copy
    return answers_in(copy, brief)


def test_a_proved_fact_answers_a_doubt():
    (answer,) = copy_of("{material}的{name}", doubts=("fabric", "size"))
    assert (answer.aspect, answer.slot, answer.text) == ("fabric", "material", "羊毛")
    assert str(answer) == "answers the doubt about fabric and material with 羊毛"


def test_words_without_a_fact_answer_nothing():
    assert copy_of("面料柔软的{name}", doubts=("fabric",)) == ()


def test_a_fact_that_nobody_doubted_is_no_answer():
    assert copy_of("{material}的{name}", doubts=("size",)) == ()
    assert copy_of("{material}的{name}") == ()


def test_a_selling_point_answers_what_its_own_words_speak_of():
    spoken = full_product(attributes={"feature": "双面羊毛面料", "feature_2": "隐藏式内袋"})
    assert [answer.slot for answer in copy_of("看看{name}，{feature}", spoken, doubts=("fabric",))] == ["feature"]
    assert copy_of("看看{name}，{feature_2}", spoken, doubts=("fabric",)) == ()


def test_an_advantage_in_price_answers_a_competitors_promotion_once():
    notes = ("a competitor promotes this category until 31 January",)
    (answer,) = copy_of("看看{name}，{discount}", market=notes)
    assert (answer.rival, str(answer)) == (True, "answers a competitor's promotion with 8折")
    (asked,) = copy_of("看看{name}，{discount}", market=notes, doubts=("price",))
    assert not asked.rival
    assert copy_of("看看{name}，{price}", market=notes) == ()
