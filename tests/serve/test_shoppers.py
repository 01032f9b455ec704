"""What `serve/shoppers.py` promises, one behaviour a test."""

from datetime import timedelta

import pytest

from copywriting.shopper import Event, Shopper, anonymous
from feedback.records import Profile
from serve.messages import InlineShopper
from serve.shoppers import described, kept_of, remembered
from tests.fakes import NOW


def trade(kind: str, product_id: str | None, quantity: int | None = None) -> Event:
    return Event(kind, product_id, NOW, quantity=quantity)


def test_a_shopper_who_consents_is_remembered_with_their_events():
    events = (trade("purchase", "longjing"), trade("view", "puer"), trade("purchase", "beans"))
    shopper = remembered(Profile("ann", True, None, "en-US", {"name": "Ann"}, events), NOW)
    expected = Shopper("ann", "en-US", True, {"name": "Ann"}, (), frozenset({"longjing", "beans"}), "beans", events)
    assert shopper == expected


@pytest.mark.parametrize(
    ("consent", "until"), [(False, None), (True, NOW), (True, NOW - timedelta(days=1)), (False, NOW + timedelta(days=1))]
)
def test_without_live_consent_only_the_locale_is_carried(consent, until):
    profile = Profile("ann", consent, until, "en-US", {"name": "Ann"}, (trade("purchase", "longjing"),))
    assert remembered(profile, NOW) == anonymous("en-US")


def test_consent_holds_until_its_last_moment():
    profile = Profile("ann", True, NOW, "en-US")
    assert remembered(profile, NOW - timedelta(microseconds=1)).personalise


def test_a_described_shopper_needs_consent_too():
    words = {"name": "Ann", "city": "Leeds", "interests": ["tea"], "locale": "en-GB"}
    assert described(InlineShopper(**words)) == anonymous("en-GB")
    assert described(InlineShopper(**words, consent=True)) == Shopper(None, "en-GB", True, {"name": "Ann", "city": "Leeds"}, ("tea",))


@pytest.mark.parametrize(
    ("trades", "kept"),
    [
        ([trade("purchase", "tea"), trade("cancellation", "tea")], []),
        ([trade("purchase", "tea", 3), trade("cancellation", "tea", 2)], ["tea"]),
        ([trade("purchase", "tea"), trade("cancellation", "tea", 9), trade("purchase", "tea")], ["tea"]),
        ([trade("cancellation", "tea"), trade("purchase", "tea")], ["tea"]),
        ([trade("purchase", "tea"), trade("purchase", "coat"), trade("purchase", "tea")], ["coat", "tea"]),
        ([trade("view", "tea"), trade("search", None), trade("cart", "coat")], []),
    ],
)
def test_what_was_sent_back_is_not_theirs_and_the_latest_purchase_is_last(trades, kept):
    assert kept_of(trades) == kept


def test_part_of_an_old_purchase_sent_back_does_not_make_it_the_latest():
    trades = [trade("purchase", "beans", 3), trade("purchase", "longjing"), trade("cancellation", "beans", 1)]
    assert kept_of(trades) == ["beans", "longjing"]
