"""What `copywriting/principles.py` promises, one behaviour a test."""

import pytest

from copywriting.principles import APPEALS, EVIDENCE, PRINCIPLES, appeals_of, supported
from copywriting.shopper import Shopper
from copywriting.slots import SLOTS
from tests.fakes import brief_for, facts_for, full_product, gift, make_product, percent_off


def principles_of(product, **options):
    return brief_for(product, facts_for(product), **options).principles


def test_without_evidence_only_what_needs_none_is_left():
    assert supported(()) == ("liking", "commitment", "benefit")


@pytest.mark.parametrize(("principle", "slots"), EVIDENCE.items())
def test_each_piece_of_evidence_is_enough_alone(principle: str, slots: tuple[str, ...]):
    assert set(slots) <= SLOTS.keys()
    assert all(principle in supported((slot,)) for slot in slots)


def test_scarcity_is_refused_when_stock_is_plentiful():
    assert "scarcity" not in principles_of(make_product(stock=500))
    assert "scarcity" in principles_of(make_product(stock=7))
    assert "scarcity" in principles_of(make_product(stock=500, offer=percent_off(20)))


def test_reciprocity_needs_a_real_gift():
    assert "reciprocity" not in principles_of(make_product(offer=percent_off(20)))
    assert "reciprocity" in principles_of(make_product(offer=gift("羊毛围巾")))


def test_everything_may_be_used_when_everything_can_be_proved():
    assert principles_of(full_product()) == tuple(each for each in PRINCIPLES if each != "unity")


def test_unity_needs_something_that_reader_and_shop_share():
    product = full_product()
    facts = facts_for(product, shopper=Shopper("s", "zh-CN", True, {"city": "苏州"}))
    assert "unity" in supported(facts)
    assert supported(facts) == PRINCIPLES


@pytest.mark.parametrize(
    ("principles", "appeals"), [(("liking",), ("emotional",)), (("value", "authority"), ("logical", "ethical")), ((), ())]
)
def test_every_principle_is_of_one_appeal(principles, appeals):
    assert appeals_of(principles) == appeals
    assert sorted(each for own in APPEALS.values() for each in own) == sorted(PRINCIPLES)


def test_a_wish_narrows_the_choice_but_proves_nothing():
    product = make_product(stock=500, certificates=())
    assert principles_of(product, principles=("scarcity", "benefit", "authority")) == ("benefit",)
