"""What `serve/ranking.py` promises, one behaviour a test."""

import pytest

from copywriting.concerns import Answer
from copywriting.principles import PRINCIPLES
from serve.exchange import ImageMatch, PersuasionScore, ResponseScore, SentimentScore
from serve.ranking import MOST_ANSWERED, WEIGHTS, judge, mood_fit, order

PERSUASIVE = PersuasionScore(0.8, dict.fromkeys(PRINCIPLES, 0.1))
HAPPY, SOBER, SAD = SentimentScore(0.0, 0.1, 0.9), SentimentScore(0.05, 0.9, 0.05), SentimentScore(0.9, 0.05, 0.05)


def test_utility_is_the_weighted_mean_of_all_scores():
    judgement = judge(PERSUASIVE, HAPPY, ImageMatch("a.jpg", 0.5), "warm", None)
    assert judgement.utility == pytest.approx(0.5 * 0.8 + 0.3 * 0.95 + 0.2 * 0.5)
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    foretold = judge(PERSUASIVE, HAPPY, ImageMatch("a.jpg", 0.5), "warm", None, response=ResponseScore("click", 0.25, 0.1))
    assert foretold.utility == pytest.approx(0.25 * judgement.utility + 0.75 * 0.75)  # a third beside a ninth: three times the odds


def test_a_missing_score_counts_neither_for_nor_against():
    assert judge(PERSUASIVE, None, None, "warm", None).utility == pytest.approx(0.8)
    assert judge(PERSUASIVE, None, ImageMatch(None, None), "warm", None).utility == pytest.approx(0.8)
    assert judge(None, None, None, "warm", None).utility == 0.5


def test_a_mood_of_zero_is_a_score_and_not_a_missing_one():
    gloomy = SentimentScore(1.0, 0.0, 0.0)
    assert judge(None, gloomy, None, "warm", None).mood_fit == 0
    assert judge(PERSUASIVE, gloomy, None, "warm", None).utility < 0.8


@pytest.mark.parametrize("tone", ["warm", "playful", "elegant", "urgent"])
def test_warm_tones_should_be_positive(tone):
    assert mood_fit(HAPPY, tone, None) > mood_fit(SOBER, tone, None) > mood_fit(SAD, tone, None)


@pytest.mark.parametrize(("tone", "intent"), [("plain", None), ("expert", None), ("warm", "complaint")])
def test_sober_tones_and_complaints_need_only_not_be_negative(tone, intent):
    assert mood_fit(SOBER, tone, intent) >= 0.95
    assert mood_fit(SAD, tone, intent) < 0.2


def test_the_best_comes_first_and_never_more_than_n():
    assert order(["one", "two words", "three more words"], [0.2, 0.9, 0.5], 2) == [1, 2]
    assert order([], [], 3) == []


def test_the_second_choice_is_not_the_first_again():
    texts = ["the coat for a cold walk home", "the coat for a cold walk home!", "tea at the window"]
    assert order(texts, [0.90, 0.89, 0.75], 3) == [0, 2, 1]


def test_equal_candidates_keep_their_order():
    assert order(["ab", "cd", "ef"], [0.5, 0.5, 0.5], 3) == [0, 1, 2]


def test_short_texts_can_be_compared():
    assert sorted(order(["a", "", "ab"], [0.1, 0.2, 0.3], 3)) == [0, 1, 2]


FABRIC, SIZE, PRICE = (Answer(aspect, "material", "wool") for aspect in ("fabric", "size", "price"))


def test_an_answered_doubt_adds_a_little_and_many_add_no_more_than_two():
    plain, one, two, three = (judge(PERSUASIVE, None, None, "warm", None, answers).utility for answers in (
        (), (FABRIC,), (FABRIC, SIZE), (FABRIC, SIZE, PRICE),
    ))  # fmt: skip
    assert plain < one < two == three
    assert three - plain == pytest.approx(MOST_ANSWERED)


def test_an_answered_doubt_does_not_outweigh_much_better_copy():
    poor = PersuasionScore(0.5, {})
    assert judge(poor, HAPPY, None, "warm", None, (FABRIC, SIZE)).utility < judge(PERSUASIVE, HAPPY, None, "warm", None).utility


def test_utility_stays_in_its_bounds():
    assert judge(PersuasionScore(1.0, {}), None, None, "warm", None, (FABRIC,)).utility == 1.0


def test_a_judgement_keeps_what_was_answered():
    assert judge(None, None, None, "warm", None, [FABRIC]).answers == (FABRIC,)
