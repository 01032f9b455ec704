"""Many requests in one: JSONL in, JSONL out, one line for each line, in the same order.

    {"custom_id": "a1", "body": {"channel": "sms", "product_id": "tea-1"}}
    {"custom_id": "a1", "status": 200, "body": {…the answer…}}      or the problem, with its status

A line that can't be answered costs that line. The HTTP route is in `ingress.py`, files of millions of lines are `batch.py`.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve.errors import FieldError, Problem, invalid
from serve.framing import field_error
from serve.messages import CopyAnswer, CopyRequest

MAX_LINES = 1000
AT_ONCE = 16
"""Lines of one batch that are answered at the same time."""
NDJSON = "application/x-ndjson"
_LOG = logging.getLogger(__name__)

Answer = Callable[[CopyRequest, str], Awaitable[CopyAnswer]]


class BatchLine(BaseModel):
    """One request of a batch. `custom_id` comes back with its answer and is used once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    custom_id: Annotated[str, Field(min_length=1, max_length=128)]
    body: CopyRequest


def lines_of(content: bytes) -> list[bytes]:
    """The lines of a batch, blank ones left out. Raises Problem where there are none or too many."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    if not lines:
        raise invalid("body", "", "holds no lines", 'send one JSON object a line: {"custom_id": …, "body": {…}}')
    if len(lines) > MAX_LINES:
        raise invalid("body", f"{len(lines)} lines", f"more than {MAX_LINES} lines", "send several batches, or use `python -m serve.batch`")
    return lines


async def answered(lines: Sequence[bytes], answer: Answer, request_id: str, at_once: int = AT_ONCE) -> AsyncGenerator[bytes, None]:
    """A line of JSON for each line, in order. Closing the generator ends the work on what is left."""
    pending: deque[asyncio.Task[bytes]] = deque()
    try:
        for number, (line, read) in enumerate(zip(lines, _read(lines), strict=True), start=1):
            if len(pending) == at_once:
                yield await pending.popleft()
            pending.append(asyncio.create_task(_line(line, read, answer, f"{request_id}-{number}")))
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()


def _read(lines: Iterable[bytes]) -> Iterable[BatchLine | Problem]:
    seen: set[str] = set()
    for line in lines:
        read = _parsed(line)
        if isinstance(read, BatchLine):
            if read.custom_id in seen:
                read = invalid("custom_id", read.custom_id, "was used by an earlier line", "give each line an id of its own")
            elif read.body.stream:
                read = invalid("stream", True, "a batch is not streamed", "leave it out")
            else:
                seen.add(read.custom_id)
        yield read


def _parsed(line: bytes) -> BatchLine | Problem:
    try:
        return BatchLine.model_validate_json(line)
    except ValidationError as error:
        return Problem(422, "invalid_request", "The line is not valid", tuple(map(field_error, error.errors())))


async def _line(line: bytes, read: BatchLine | Problem, answer: Answer, request_id: str) -> bytes:
    if isinstance(read, Problem):
        return _encoded(_id_of(line), read.status, json.dumps(read.body(request_id), ensure_ascii=False))
    try:
        return _encoded(read.custom_id, 200, (await answer(read.body, request_id)).model_dump_json())
    except Problem as problem:
        return _encoded(read.custom_id, problem.status, json.dumps(problem.body(request_id), ensure_ascii=False))
    except Exception:  # a fault of ours costs one line; its text stays in the log
        _LOG.exception("line %s of a batch failed", request_id)
        fault = FieldError("request", read.custom_id, "failed in the server", "report the request id; trying again may help")
        return _encoded(read.custom_id, 500, json.dumps(Problem(500, "internal_error", "The server failed", (fault,)).body(request_id)))


def _id_of(line: bytes) -> Any:
    """The id of a line that is not valid, where it can be told."""
    try:
        held = json.loads(line)
    except ValueError:
        return None
    found = held.get("custom_id") if isinstance(held, dict) else None
    return found if isinstance(found, str) else None


def _encoded(custom_id: str | None, status: int, body: str) -> bytes:
    return f'{{"custom_id": {json.dumps(custom_id, ensure_ascii=False)}, "status": {status}, "body": {body}}}\n'.encode(
        "utf-8", "backslashreplace"
    )
