"""Without consent an answer is the same whatever the database holds of a shopper, and nothing past the consent flag is read.

The fakes count: a profile notes which of its fields are read, retrieval keeps what it was asked.
"""

from datetime import timedelta

import pytest

from copywriting.shopper import Event, anonymous
from feedback.records import Profile
from tests.fake_stages import FakeStages
from tests.fakes import NOW
from tests.serve.pipelinekit import COAT, GOOD, answer_of

ALLOWED = {"consents", "consent", "consent_until", "locale"}
EVENTS = (Event("purchase", "longjing", NOW), Event("search", None, NOW, text="a secret"))


class CountingProfile(Profile):
    """A profile that notes the fields that are read, and has what it must not tell."""

    def __init__(self, consent: bool, until=None, attributes=None, events=()) -> None:
        super().__init__("ann-77", consent, until, "zh-CN", attributes or {}, events)
        object.__setattr__(self, "read", set())

    def __getattribute__(self, name: str):
        if not name.startswith("__") and name != "read":
            object.__getattribute__(self, "__dict__").setdefault("read", set()).add(name)
        return object.__getattribute__(self, name)


REFUSALS = [{"consent": False}, {"consent": True, "until": NOW}, {"consent": True, "until": NOW - timedelta(days=9)}]


@pytest.mark.parametrize("refusal", REFUSALS, ids=["never", "this moment", "lapsed"])
async def test_nothing_past_the_consent_flag_is_read_or_carried_on(refusal):
    profile = CountingProfile(**refusal, attributes={"name": "林晓月"}, events=EVENTS)
    stages = FakeStages(COAT, GOOD, profile=profile)
    answer = await answer_of(stages, shopper_id="ann-77")
    assert profile.read <= ALLOWED
    (query,) = stages.calls["retrieval"]
    assert query.shopper == anonymous("zh-CN") and query.shopper_id is None
    for secret in ("ann-77", "林晓月", "longjing", "a secret"):
        assert not any(secret in repr(asked) for stage, asked in stages.calls.items() if stage != "state")
    assert not answer.personalised


@pytest.mark.parametrize("refusal", REFUSALS, ids=["never", "this moment", "lapsed"])
async def test_the_answer_is_the_same_whatever_is_stored(refusal):
    def told(answer) -> dict:
        return {key: value for key, value in answer.model_dump().items() if key not in ("event_id", "chosen", "timings_ms", "choices")} | {
            "texts": [choice.text for choice in answer.choices]
        }

    full = CountingProfile(**refusal, attributes={"name": "林晓月", "city": "苏州"}, events=EVENTS)
    answers = [
        await answer_of(FakeStages(COAT, GOOD, profile=profile), shopper_id="ann-77") for profile in (full, CountingProfile(**refusal))
    ]
    assert told(answers[0]) == told(answers[1])


async def test_with_consent_everything_is_read_so_the_count_counts():
    profile = CountingProfile(True, NOW + timedelta(seconds=1), {"name": "林晓月"}, EVENTS)
    stages = FakeStages(COAT, GOOD, profile=profile)
    await answer_of(stages, shopper_id="ann-77")
    assert {"attributes", "events"} <= profile.read
    (query,) = stages.calls["retrieval"]
    assert (query.shopper.shopper_id, query.shopper.events, query.shopper.bought) == ("ann-77", EVENTS, frozenset({"longjing"}))


async def test_the_database_is_asked_once_with_the_requests_own_moment():
    stages = FakeStages(COAT, GOOD)
    answer = await answer_of(stages, shopper_id="ann-77")
    assert stages.calls["state"] == [("ann-77", NOW)]
    assert answer.timings_ms.keys() == {"shopper", "retrieval", "retrieval_search", "generation", "check", "scoring", "total"}


async def test_a_shopper_whom_the_database_does_not_know_is_looked_up_in_the_shops_table():
    stages = FakeStages(COAT, GOOD)
    await answer_of(stages, shopper_id="ann-77")
    (query,) = stages.calls["retrieval"]
    assert (query.shopper, query.shopper_id) == (None, "ann-77")


async def test_who_is_nobody_or_described_in_the_request_is_not_asked_for():
    stages = FakeStages(COAT, GOOD)
    await answer_of(stages)
    await answer_of(stages, shopper_id="ann-77", shopper={"locale": "en-GB"})
    assert "state" not in stages.calls
    assert [(query.shopper, query.shopper_id) for query in stages.calls["retrieval"]] == [(anonymous(), None), (anonymous("en-GB"), None)]
