"""What the pipeline answers when a stage is gone, slow, or returns garbage: less, in time, and named."""

import time

import pytest

from copywriting.shopper import anonymous
from feedback.records import Profile
from serve.errors import Problem
from serve.exchange import DraftQuery, Drafts, ImageMatch
from tests.fake_stages import FakeStages
from tests.fakes import NOW
from tests.serve.pipelinekit import COAT, GOOD, answer_of


async def test_when_no_draft_is_safe_templates_take_their_place():
    stages = FakeStages(COAT, ["{name}只要99元", "{name}打三折"])
    answer = await answer_of(stages)
    assert {choice.origin for choice in answer.choices} == {"template"}
    assert answer.degraded == ["generator: no draft passed the check"]
    assert len(stages.calls["generator"]) == 2, "asked for once more, not without end"
    assert (answer.usage.drafts, answer.usage.refused) == (4, 4)


class SecondThoughts(FakeStages):
    """A generator whose first drafts are all unsafe."""

    async def draft(self, query: DraftQuery) -> Drafts:
        good = await super().draft(query)
        return good if len(self.calls["generator"]) > 1 else Drafts(("{name}打三折",), prompt_tokens=5, output_tokens=7, cached=True)


@pytest.mark.parametrize("seed", [None, 2**31 - 1])
async def test_when_no_draft_is_safe_others_are_asked_for_before_templates(seed):
    stages = SecondThoughts(COAT, GOOD)
    answer = await answer_of(stages, seed=seed)
    assert answer.degraded == []
    assert {choice.origin for choice in answer.choices} == {"model"}
    first, second = stages.calls["generator"]
    assert first.seed == seed
    if seed is None:
        assert (second.seed, second.renew) == (None, True), "others than those in the cache, and in their place"
    else:
        assert second.seed != seed
        assert 0 <= second.seed < 2**31
    assert (answer.usage.refused, answer.usage.drafts, answer.usage.prompt_tokens) == (1, 1 + len(GOOD), 45)
    assert not answer.usage.cached


@pytest.mark.parametrize("failures", [{"generator": "too busy"}])
async def test_without_the_generator_the_copybook_answers(failures):
    answer = await answer_of(FakeStages(COAT, GOOD, failures=failures))
    assert {choice.origin for choice in answer.choices} == {"template"}
    assert all("云杉羊毛大衣" in choice.text for choice in answer.choices)
    assert answer.degraded == ["generator: too busy"]
    assert answer.usage.drafts == 0
    assert answer.choices[0].scores.persuasion is not None


@pytest.mark.parametrize(("stage", "missing"), [("persuasion", "persuasion"), ("sentiment", "sentiment"), ("fusion", "image_fit")])
@pytest.mark.parametrize("how", ["failures", "delays"])
async def test_a_scorer_that_is_gone_or_slow_costs_its_score_only(stage, missing, how):
    trouble = {"failures": {stage: "not running"}} if how == "failures" else {"delays": {stage: 30.0}}
    answer = await answer_of(FakeStages(COAT, GOOD, **trouble), deadline_ms=1200 if how == "delays" else 10_000)
    assert len(answer.choices) == 4
    assert answer.degraded == [f"{stage}: {'not running' if how == 'failures' else 'no answer within the deadline'}"]
    for choice in answer.choices:
        scores = choice.scores.model_dump()
        assert scores[missing] is None
        assert all(scores[name] is not None for name in {"utility", "persuasion", "sentiment", "image_fit"} - {missing})


async def test_without_any_stage_but_retrieval_there_is_still_an_answer():
    failures = dict.fromkeys(("generator", "persuasion", "sentiment", "fusion"), "not running")
    answer = await answer_of(FakeStages(COAT, GOOD, failures=failures))
    assert sorted(entry.split(":")[0] for entry in answer.degraded) == ["fusion", "generator", "persuasion", "sentiment"]
    assert answer.choices[0].scores.utility == 0.5


@pytest.mark.parametrize("trouble", [{"failures": {"retrieval": "not running"}}, {"delays": {"retrieval": 30.0}}])
async def test_without_retrieval_there_is_no_answer(trouble):
    stages = FakeStages(COAT, GOOD, **trouble)
    with pytest.raises(Problem) as raised:
        await answer_of(stages, deadline_ms=200)
    assert (raised.value.status, raised.value.code, raised.value.retry_after_s) == (503, "stage_unavailable", 2)
    assert stages.calls.keys() == {"retrieval"}


async def test_the_deadline_holds_when_everything_is_slow():
    slow = dict.fromkeys(("generator", "persuasion", "sentiment", "fusion"), 30.0)
    stages = FakeStages(COAT, GOOD, delays=slow)
    started = time.monotonic()
    answer = await answer_of(stages, deadline_ms=600)
    assert time.monotonic() - started < 0.6 + 1.0, "a loaded test machine gets a second of grace"
    assert len(answer.degraded) == 4
    assert stages.cancelled == slow.keys(), "work that nobody waits for must stop"


async def test_a_slow_generator_leaves_time_for_scores():
    answer = await answer_of(FakeStages(COAT, GOOD, delays={"generator": 30.0}), deadline_ms=1200)
    assert answer.degraded == ["generator: no answer within the deadline"]
    assert answer.choices[0].scores.persuasion is not None


async def test_the_shortest_deadline_that_may_be_asked_for_is_answered():
    answer = await answer_of(FakeStages(COAT, GOOD, delays={"generator": 30.0}), deadline_ms=50)
    assert answer.choices


async def test_a_wrong_number_of_scores_is_a_stage_missing():
    answer = await answer_of(FakeStages(COAT, GOOD, matches=[ImageMatch("media/coat.jpg", 0.9)]))
    assert answer.degraded == ["fusion: 1 answers for 4 texts, or values outside [0, 1]"]
    assert {choice.image for choice in answer.choices} == {None}


async def test_a_picture_that_cannot_be_read_is_named_once():
    match = ImageMatch(None, None, ("media/coat.jpg: not a picture",))
    answer = await answer_of(FakeStages(COAT, GOOD, matches=[match] * 4))
    assert answer.degraded == ["fusion: media/coat.jpg: not a picture"]


async def test_scores_that_are_no_probabilities_are_left_out():
    answer = await answer_of(FakeStages(COAT, GOOD, matches=[ImageMatch("media/coat.jpg", float("nan"))] * 4))
    assert [entry.split(":")[0] for entry in answer.degraded] == ["fusion"]
    assert all(0 <= choice.scores.utility <= 1 for choice in answer.choices)


@pytest.mark.parametrize("how", ["failures", "delays"])
async def test_while_the_database_does_not_answer_a_shopper_counts_as_anybody(how):
    trouble = {"failures": {"state": "failed (DatabaseUnavailable)"}} if how == "failures" else {"delays": {"state": 30.0}}
    stages = FakeStages(COAT, GOOD, profile=Profile("ann", True, None, "zh-CN", {"name": "林"}), **trouble)
    answer = await answer_of(stages, shopper_id="ann", deadline_ms=1200)
    assert answer.degraded == [f"state: {'failed (DatabaseUnavailable)' if how == 'failures' else 'no answer within the deadline'}"]
    assert len(answer.choices) == 4 and {choice.origin for choice in answer.choices} == {"model"}
    assert not answer.personalised
    (query,) = stages.calls["retrieval"]
    assert (query.shopper, query.shopper_id) == (anonymous(), None), "the shop's own table may say yes where consent was withdrawn since"
    assert answer.notices == []


async def test_a_slow_database_takes_a_part_of_the_deadline_only():
    stages = FakeStages(COAT, GOOD, profile=Profile("ann", True, None, "zh-CN"), delays={"state": 30.0})
    for deadline_ms, most_s in ((50, 0.05), (2000, 0.7), (60_000, 1.5)):
        started = time.monotonic()
        answer = await answer_of(stages, shopper_id="ann", deadline_ms=deadline_ms)
        assert answer.timings_ms["shopper"] <= most_s * 1000 + 500, "a loaded test machine gets half a second of grace"
        assert time.monotonic() - started < most_s + 2
    assert "state" in stages.cancelled


async def test_a_database_in_time_costs_nothing():
    stages = FakeStages(COAT, GOOD, profile=Profile("ann", True, NOW, "zh-CN"), delays={"state": 0.05})
    assert (await answer_of(stages, shopper_id="ann")).degraded == []
