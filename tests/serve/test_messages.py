"""What `serve/messages.py` promises, one behaviour a test."""

from typing import get_args

import pytest
from pydantic import ValidationError

from copywriting.channels import CHANNELS
from copywriting.occasions import KNOWN
from copywriting.principles import PRINCIPLES
from copywriting.taxonomy import TONES
from serve import messages
from serve.exchange import SentimentScore
from serve.messages import CopyRequest

TURN = {"role": "shopper", "text": "hi"}


def test_the_smallest_request():
    request = CopyRequest(channel="sms")
    assert (request.n, request.principles, request.occasion, request.explain, request.deadline_ms) == (4, "auto", "auto", False, 10_000)


def test_the_vocabularies_are_those_of_the_domain():
    assert get_args(messages.ChannelName) == tuple(CHANNELS)
    assert get_args(messages.Tone) == TONES
    assert get_args(messages.Principle) == PRINCIPLES
    assert set(get_args(messages.Occasion)) == {"auto", *KNOWN}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1}, {"n": 8}, {"max_chars": 20}, {"max_chars": 600},
        {"deadline_ms": 50}, {"deadline_ms": 60_000}, {"seed": 0}, {"seed": 2**31 - 1},
        {"query": "x" * 400}, {"product_id": "x" * 200}, {"must_include": ["x" * 80] * 5}, {"must_not_include": ["x"] * 20},
        {"conversation": [TURN] * 20}, {"conversation": [{**TURN, "text": "x" * 1000}]},
        {"principles": list(PRINCIPLES)}, {"principles": []},
        {"shopper": {"name": "x" * 40, "interests": ["tea"] * 10, "consent": True}},
    ],
)  # fmt: skip
def test_what_is_within_the_limits_is_taken(fields):
    taken = CopyRequest(channel="sms", **fields).model_dump(exclude_unset=True)
    assert taken.keys() == {"channel", *fields}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 0), ("n", 9), ("max_chars", 19), ("max_chars", 601),
        ("deadline_ms", 49), ("deadline_ms", 60_001), ("seed", -1), ("seed", 2**31),
        ("query", ""), ("query", "x" * 401), ("product_id", ""), ("product_id", "x" * 201), ("shopper_id", "x" * 201), ("locale", "fr-FR"),
        ("channel", "fax"), ("tone", "loud"), ("occasion", "solstice"),
        ("principles", ["fear"]), ("principles", "all"), ("principles", ["value"] * 10),
        ("must_include", ["x"] * 6), ("must_include", [" "]), ("must_not_include", ["x"] * 21), ("must_not_include", ["x" * 101]),
        ("conversation", [TURN] * 21), ("conversation", [{"role": "system", "text": "x"}]), ("conversation", [{**TURN, "text": ""}]),
        ("conversation", [{**TURN, "text": "x" * 1001}]), ("shopper", {"name": "x" * 41}), ("shopper", {"interests": ["tea"] * 11}),
        ("shopper", {"age": 4}), ("surprise", 1), ("grammar", "root ::= [0-9]"), ("temperature", 2), ("n", "many"), ("n", float("nan")),
    ],
)  # fmt: skip
def test_what_is_beyond_them_is_refused_by_its_field(field, value):
    with pytest.raises(ValidationError) as refused:
        CopyRequest(**{"channel": "sms", field: value})
    assert refused.value.errors()[0]["loc"][0] == field


def test_a_channel_is_needed():
    with pytest.raises(ValidationError, match="channel"):
        CopyRequest()


def test_nothing_of_an_inline_shopper_is_used_by_default():
    assert CopyRequest(channel="sms", shopper={"name": "Ann"}).shopper.consent is False


@pytest.mark.parametrize(("scores", "label"), [((0.6, 0.3, 0.1), "negative"), ((0.1, 0.5, 0.4), "neutral"), ((0.1, 0.2, 0.7), "positive")])
def test_the_label_of_a_mood_is_the_likeliest(scores, label):
    assert SentimentScore(*scores).label == label
