"""JSONL in and out: a line for each line, in order, whatever is in it."""

import asyncio
import json

import pytest

from serve.batch_lines import MAX_LINES, answered, lines_of
from serve.errors import Problem
from serve.messages import CopyRequest
from tests.fake_stages import FakeStages
from tests.fakes import NOW
from tests.serve.pipelinekit import COAT, GOOD, make_pipeline


def line(custom_id: object = "a", **body: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "body": {"channel": "sms", "product_id": "coat", "n": 1, **body}}).encode()


async def replies_to(lines, stages=None, at_once: int = 16):
    pipeline = make_pipeline(stages or FakeStages(COAT, GOOD))

    async def answer(request: CopyRequest, request_id: str):
        return await pipeline.answer(request, request_id, NOW)

    return [json.loads(reply) async for reply in answered(lines, answer, "request-1", at_once)]


async def test_each_line_has_its_answer_in_order():
    replies = await replies_to([line("b"), line("a", channel="chat_reply"), line("街", locale="zh-CN")])
    assert [(reply["custom_id"], reply["status"]) for reply in replies] == [("b", 200), ("a", 200), ("街", 200)]
    assert [reply["body"]["request_id"] for reply in replies] == ["request-1-1", "request-1-2", "request-1-3"]
    assert replies[1]["body"]["channel"] == "chat_reply"


@pytest.mark.parametrize(
    ("bad", "custom_id", "field"),
    [
        (b"{", None, "body"),
        (b"7", None, "body"),
        (b'{"body": {"channel": "sms"}}', None, "custom_id"),
        (line("x", channel="pigeon"), "x", "channel"),
        (line("x", colour="red"), "x", "colour"),
        (line(7), None, "custom_id"),
        (line(""), "", "custom_id"),
        (line("x", stream=True), "x", "stream"),
        (line("first"), "first", "custom_id"),
        (b"\xff\xfe", None, "body"),
    ],
)
async def test_a_bad_line_costs_that_line_and_says_what_is_wrong(bad, custom_id, field):
    first, middle, last = await replies_to([line("first"), bad, line("last")])
    assert (first["status"], middle["status"], last["status"]) == (200, 422, 200)
    assert middle["custom_id"] == custom_id
    assert middle["body"]["errors"][0]["field"] == field
    assert middle["body"]["errors"][0]["remedy"]


async def test_a_line_whose_stage_is_gone_has_its_problem():
    (reply,) = await replies_to([line()], FakeStages(COAT, failures={"retrieval": "gone"}))
    assert (reply["status"], reply["body"]["code"]) == (503, "stage_unavailable")


async def test_a_fault_of_ours_costs_one_line_and_tells_nothing_of_it():
    async def answer(request: CopyRequest, request_id: str):
        raise RuntimeError("a secret path")

    (reply,) = [json.loads(each) async for each in answered([line()], answer, "r")]
    assert (reply["status"], reply["body"]["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(reply)


async def test_so_many_lines_at_once_and_no_more():
    running = most = 0

    async def answer(request: CopyRequest, request_id: str):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        raise Problem(503, "busy", "busy")

    assert len([1 async for _ in answered([line(str(n)) for n in range(20)], answer, "r", at_once=4)]) == 20
    assert most == 4


async def test_a_caller_who_leaves_ends_the_work_on_what_is_left():
    ended = 0

    async def answer(request: CopyRequest, request_id: str):
        nonlocal ended
        if request_id == "r-1":
            raise Problem(503, "busy", "busy")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended += 1
            raise

    replies = answered([line(str(n)) for n in range(8)], answer, "r", at_once=4)
    assert json.loads(await anext(replies))["custom_id"] == "0"
    await asyncio.sleep(0)
    await replies.aclose()
    await asyncio.sleep(0)
    assert ended == 3


def test_blank_lines_are_passed_over_and_an_empty_or_endless_batch_is_refused():
    assert lines_of(b"a\n\n  \nb\r\n") == [b"a", b"b\r"]
    for content, detail in ((b"\n \n", "holds no lines"), (b"{}\n" * (MAX_LINES + 1), f"more than {MAX_LINES} lines")):
        with pytest.raises(Problem, match=detail):
            lines_of(content)
