"""The baselines that a persuasion scorer stands beside, and how all of them are judged."""

import numpy as np
import pytest

from benchmarks.train_persuasion import by_length, by_popularity, shown
from train.texts.pairs import Pair


def pair(first, second, z, test="t"):
    return Pair(first, second, 0.97 if z > 0 else 0.03, z, test)


def test_the_longer_headline_is_the_longer_one():
    assert by_length([pair("a b", "a", 1), pair("a", "a b c", 1)]).tolist() == [2, -4]


def test_words_that_won_in_training_are_popular():
    training = [pair("Amazing cats", "cats", 3.0, f"t{number}") for number in range(10)]
    scores = by_popularity(training, [pair("amazing dogs", "dogs", 1), pair("cats", "unseen words", 1)])
    assert scores[0] > 0 and scores[1] == 0  # cats stood on both sides and tell nothing


def test_pairs_that_do_not_differ_count_nowhere_and_clear_ones_apart():
    pairs = [pair("a", "b", 3.0, "t1"), pair("a", "b", -2.5, "t2"), pair("a", "b", 0.5, "t3"), pair("a", "b", 0.0, "t4")]
    figures = shown("m", np.array([1.0, 1.0, -1.0, 1.0]), pairs)
    assert (figures["m_all"], figures["m_clear"]) == (pytest.approx(1 / 3, abs=1e-4), 0.5)
