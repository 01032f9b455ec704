"""What a shopper leans towards."""

import pytest

from retrieval.leanings import EVENT_WEIGHTS, LEAST_INTEREST, MAX_INTERESTS, interests, leanings


def test_shares_are_of_weighted_events_the_largest_first():
    found = leanings([("view", "food"), ("purchase", "toys"), ("view", "food"), ("cart", "beauty")])
    total = 2 * EVENT_WEIGHTS["view"] + EVENT_WEIGHTS["purchase"] + EVENT_WEIGHTS["cart"]
    assert list(found) == ["toys", "beauty", "food"]
    assert found["toys"] == pytest.approx(EVENT_WEIGHTS["purchase"] / total) and sum(found.values()) == pytest.approx(1)


def test_who_did_nothing_that_counts_leans_nowhere():
    assert leanings([]) == leanings([("cancellation", "food")]) == {}
    assert interests({}) == []


def test_an_interest_has_a_share_that_tells_and_there_are_few():
    shares = {"a": 0.5, "b": 0.2, "c": LEAST_INTEREST, "d": LEAST_INTEREST, "e": 0.0}
    assert interests(shares) == ["a", "b", "c"] and MAX_INTERESTS == 3
    assert interests({"a": 0.9, "b": LEAST_INTEREST - 0.01}) == ["a"]
