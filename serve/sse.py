"""A stream of answers as server-sent events.

event: text     {"text": …}       more of the piece; parts are one per line
event: replace  {"text": …}       forget what came before: this is the piece
event: answer   the document that the same request gets without `stream`
event: error    a problem document, where the answer failed after the first event
data: [DONE]    always the last one
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi.sse import EventSourceResponse, format_sse_event

from serve.errors import Problem
from serve.messages import CopyAnswer
from serve.screen import Shown

DONE = b"data: [DONE]\n\n"


async def streamed(events: AsyncGenerator[Shown | CopyAnswer, None], request_id: str) -> EventSourceResponse:
    """The response. Raises Problem where the request fails before anything was sent, so that the caller gets its status."""
    first = await anext(events)
    return EventSourceResponse(_encoded(first, events, request_id), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _encoded(first: Shown | CopyAnswer, events: AsyncGenerator[Shown | CopyAnswer, None], request_id: str) -> AsyncIterator[bytes]:
    async with aclosing(events):  # a reader who leaves closes this generator, and the work behind it ends
        yield _event(first)
        try:
            async for event in events:
                yield _event(event)
        except Problem as problem:
            yield format_sse_event(event="error", data_str=json.dumps(problem.body(request_id), ensure_ascii=False))
        yield DONE


def _event(event: Shown | CopyAnswer) -> bytes:
    if isinstance(event, CopyAnswer):
        return format_sse_event(event="answer", data_str=event.model_dump_json())
    return format_sse_event(event="replace" if event.replaces else "text", data_str=json.dumps({"text": event.text}, ensure_ascii=False))
