"""What a reader of a stream sees, one promise a test. The fake generator hands the first draft over letter by letter."""

import asyncio
import json
from contextlib import aclosing

import pytest

from serve.errors import Problem
from serve.messages import CopyAnswer, CopyRequest
from serve.screen import Screen, Shown
from serve.sse import streamed
from tests.fake_stages import FakeStages
from tests.fakes import NOW, make_product, percent_off
from tests.serve.pipelinekit import COAT, GOOD, answer_of, make_pipeline

LAWFUL = "风起了。{name}，{price}。路灯亮了。"


async def events_of(stages: FakeStages, **fields):
    request = CopyRequest(**{"channel": "chat_reply", "product_id": "coat", "seed": 1, "n": 1, **fields})
    async with aclosing(make_pipeline(stages).stream(request, "request-1", NOW)) as events:
        return [event async for event in events]


def screens(events) -> list[str]:
    """Every text that stood before the reader's eyes."""
    seen = [""]
    for event in events:
        if isinstance(event, Shown):
            seen.append(event.text if event.replaces else seen[-1] + event.text)
    return seen[1:]


async def test_text_comes_sentence_by_sentence_and_ends_as_the_chosen_copy():
    *shown, answer = await events_of(FakeStages(make_product(), [LAWFUL]))
    assert screens(shown) == ["风起了。", "风起了。云杉羊毛大衣，¥500。", "风起了。云杉羊毛大衣，¥500。路灯亮了。"]
    assert not any(event.replaces for event in shown)
    assert answer.choices[0].text == screens(shown)[-1]
    assert answer.timings_ms["first_text"] <= answer.timings_ms["total"]


@pytest.mark.parametrize("claim", ["全网最低价", "国家级品质", "治疗失眠", "只要九十九元", "买一送一"])
async def test_an_unlawful_sentence_is_never_before_the_readers_eyes(claim):
    events = await events_of(FakeStages(make_product(), [f"风起了。{{name}}，{claim}。路灯亮了，{{name}}也在。"]))
    assert screens(events)[0] == "风起了。"
    assert all(claim[:2] not in text for text in screens(events))
    assert screens(events)[-1] == events[-1].choices[0].text


async def test_a_slot_is_never_seen_unfilled():
    assert not any("{" in text or "}" in text for text in screens(await events_of(FakeStages(make_product(), [LAWFUL]))))


async def test_a_better_draft_takes_the_place_of_the_first():
    stages = FakeStages(COAT, GOOD[1:3], persuasive={"路灯": 0.99, "今天": 0.1})
    events = await events_of(stages, n=2, channel="sms")
    assert events[-2] == Shown("路灯亮了，云杉羊毛大衣陪你走回家", replaces=True)
    assert events[-1].choices[0].text == events[-2].text


async def test_the_answer_is_that_of_the_same_request_without_a_stream():
    fields = {"channel": "sms", "n": 3, "explain": True}
    streamed_answer = (await events_of(FakeStages(COAT, GOOD), **fields))[-1]
    answer = await answer_of(FakeStages(COAT, GOOD), **fields)
    ids = {"explanation": {"impressions": {"__all__": {"variant_id"}}}}
    varying = dict.fromkeys(("event_id", "timings_ms", "chosen", "choices"), True) | ids
    assert streamed_answer.model_dump(exclude=varying) == answer.model_dump(exclude=varying)
    assert [choice.text for choice in streamed_answer.choices] == [choice.text for choice in answer.choices]


async def test_without_a_draft_that_may_leave_the_copybook_is_shown():
    *shown, answer = await events_of(FakeStages(make_product(), ["全网最低价。"]), channel="sms")
    assert answer.choices[0].origin == "template"
    assert screens(shown) == [answer.choices[0].text]


async def test_a_generator_that_is_gone_costs_the_growing_not_the_answer():
    *shown, answer = await events_of(FakeStages(make_product(), failures={"generator": "gone"}), channel="sms")
    assert answer.degraded == ["generator: gone"]
    assert screens(shown) == [answer.choices[0].text]


async def test_a_discount_is_not_read_before_its_closing_date():
    product = make_product(offer=percent_off(20))
    *shown, answer = await events_of(FakeStages(product, ["风起了。{name}，{discount}。"]))
    assert all("为止" in text or "8折" not in text for text in screens(shown))
    assert "8折" in answer.choices[0].text


async def test_a_reader_who_leaves_ends_the_generators_work():
    stages = FakeStages(make_product(), [LAWFUL], delays={"letter": 0.01})
    request = CopyRequest(channel="chat_reply", product_id="coat", n=1)
    async with aclosing(make_pipeline(stages).stream(request, "r", NOW)) as events:
        assert await anext(events) == Shown("风起了。")
    await asyncio.sleep(0.01)
    assert stages.cancelled == {"generator"}
    assert "persuasion" not in stages.calls


async def test_a_request_that_fails_before_the_first_text_raises_its_problem():
    with pytest.raises(Problem) as raised:
        await events_of(FakeStages(make_product(), failures={"retrieval": "gone"}))
    assert raised.value.status == 503


def test_a_screen_sends_only_what_is_new():
    sent: list[Shown] = []
    screen = Screen(sent.append)
    for text in ("a", "ab", "ab", "c"):
        screen.show(text)
    assert sent == [Shown("a"), Shown("b"), Shown("c", replaces=True)]


async def wire_of(events) -> list[str]:
    response = await streamed(events, "request-1")
    assert response.media_type == "text/event-stream"
    return [chunk.decode() async for chunk in response.body_iterator]


async def test_events_on_the_wire_end_with_done():
    answer = await answer_of(FakeStages(COAT, GOOD))

    async def events():
        yield Shown("第一行\n“二”")
        yield Shown("三", replaces=True)
        yield answer

    first, second, third, last = await wire_of(events())
    assert first == 'event: text\ndata: {"text": "第一行\\n“二”"}\n\n'
    assert second == 'event: replace\ndata: {"text": "三"}\n\n'
    assert CopyAnswer.model_validate_json(third.removeprefix("event: answer\ndata: ")) == answer
    assert last == "data: [DONE]\n\n"


async def test_a_failure_after_the_first_event_is_an_event():
    async def events():
        yield Shown("风起了。")
        raise Problem(503, "stage_unavailable", "retrieval does not answer")

    _, error, last = await wire_of(events())
    assert error.startswith("event: error\ndata: ")
    assert json.loads(error.split("data: ")[1]) | {"errors": []} == {
        "type": "urn:suasion:problem:stage_unavailable", "title": "retrieval does not answer", "status": 503,
        "code": "stage_unavailable", "errors": [], "request_id": "request-1",
    }  # fmt: skip
    assert last == "data: [DONE]\n\n"


async def test_a_stage_that_ends_without_drafts_counts_as_gone():
    class Silent(FakeStages):
        async def stream(self, query):
            for nothing in ():
                yield nothing

    *_, answer = await events_of(Silent(make_product()), channel="sms")
    assert answer.degraded == ["generator: ended without drafts"]
