"""`POST /v1/events`: what goes in and out, and how a batch is taken in. The body is validated as a whole; what needs a table to be judged
(is the product in the catalogue, did the shopper agree, is the id taken) is judged event by event and told in its receipt.

Loads no Ray and no database library: the two stages are plain async callables.
"""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from babel.numbers import list_currencies
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from feedback.records import Behaviour, Receipt, Status
from serve.errors import StageUnavailable, unavailable
from serve.messages import Locale

MAX_EVENTS = 500
MAX_AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
STAGE_TIMEOUT_S = 10.0

EventKind = Literal["view", "search", "cart", "purchase", "review", "cancellation"]
Value = TypeVar("Value")


def _wrong(detail: str, remedy: str) -> PydanticCustomError:
    """A field error with a remedy of its own, which `serve/framing.py` tells."""
    return PydanticCustomError("event", "{detail}", {"detail": detail, "remedy": remedy})


def _written(at: Any) -> Any:
    """A number could be seconds or milliseconds; only text and datetimes say which instant they mean."""
    if not isinstance(at, str | datetime):
        raise _wrong("must be text", "write it as 2026-01-31T12:00:00Z")
    return at


def _credible(at: datetime) -> datetime:
    if at > datetime.now(UTC) + MAX_AHEAD:
        raise _wrong(f"is more than {MAX_AHEAD.seconds // 60} minutes in the future", "correct the sender's clock, or its timezone")
    if at < EARLIEST:
        raise _wrong(f"is before {EARLIEST:%Y}", "send the instant at which it happened")
    return at


def _one_line(name: str) -> str:
    if any(map(_is_control, name)):
        raise _wrong("holds control characters", "use letters, digits and signs on one line")
    return name


def _readable(text: str) -> str:
    if not text.strip() or any(_is_control(char) for char in text if char not in "\n\r\t"):
        raise _wrong("is blank, or holds control characters", "send the words as the shopper wrote them, or leave it out")
    return text


def _is_control(char: str) -> bool:
    """Not merely unprintable: a full-width space, and what joins the parts of an emoji, are part of what people write."""
    return unicodedata.category(char) == "Cc"


def _currency(code: str) -> str:
    if code not in _currencies():
        raise _wrong("is no ISO 4217 currency", "send its three capitals: CNY, USD, GBP")
    return code


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


Id = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
At = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_credible)]
Words = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_readable)]
Currency = Annotated[str, StringConstraints(max_length=3), AfterValidator(_currency)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EventIn(_Message):
    """Something that a shopper did. `consent` and `locale` come with a shopper who is new here and has agreed to personalisation."""

    event_id: Id = Field(description="the sender's own, the same when it is sent again")
    shopper_id: Id
    kind: EventKind
    product_id: Id | None = Field(None, validate_default=True, description="needed by every kind but search")
    value: Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)] | None = Field(
        None, description="purchase, cancellation: amount in currency; review: stars, 1 to 5; cart: units"
    )
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = Field(None, description="units bought or cancelled")
    currency: Currency | None = Field(None, validate_default=True, description="ISO 4217, needed where value is money")
    text: Words | None = Field(None, validate_default=True, description="search terms, or the words of a review")
    at: At = Field(description="when, with a timezone")
    consent: StrictBool | None = None
    locale: Locale | None = None

    # Each looks at fields above its own; one that was refused itself is not there, and told already.

    @field_validator("product_id")
    @classmethod
    def _of_a_product(cls, product_id: str | None, info: ValidationInfo) -> str | None:
        if product_id is None and (kind := info.data.get("kind", "search")) != "search":
            raise _wrong(f"a {kind} is of a product", "name it in product_id")
        return product_id

    @field_validator("value")
    @classmethod
    def _stars(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("kind") == "review" and not 1 <= value <= 5:
            raise _wrong("the value of a review is its stars", "send 1 to 5, or leave value out where the review is only text")
        return value

    @field_validator("currency")
    @classmethod
    def _of_money(cls, currency: str | None, info: ValidationInfo) -> str | None:
        if currency is None and info.data.get("value") is not None and info.data.get("kind") in ("purchase", "cancellation"):
            raise _wrong(f"the value of a {info.data['kind']} is money", "name its currency, or leave value out")
        return currency

    @field_validator("text")
    @classmethod
    def _words(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None and info.data.get("kind") == "search":
            raise _wrong("a search has terms", "send them in text")
        if text is None and info.data.get("kind") == "review" and info.data.get("value", 1) is None:
            raise _wrong("a review has stars or words", "send stars in value, words in text, or both")
        return text


class EventsRequest(_Message):
    """A batch of events, in any order."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=MAX_EVENTS)]


class ReceiptOut(_Message):
    """What became of one event. `stored` and `duplicate` need no more sending; `refused` and `conflict` say why and what to do."""

    event_id: str
    status: Status
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


class EventsAnswer(_Message):
    """One receipt for each event, in order, and how many there are of each status."""

    request_id: str
    receipts: list[ReceiptOut]
    counts: dict[Status, int]


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes batches in. `known` tells which product ids are in the catalogue, `record` stores; each raises StageUnavailable."""

    known: Callable[[Sequence[str]], Awaitable[Collection[str]]]
    record: Callable[[Sequence[Behaviour]], Awaitable[Sequence[Receipt]]]

    async def take(self, request: EventsRequest, request_id: str) -> EventsAnswer:
        """Store what may be stored. Raises Problem (503) where a stage does not answer: nothing is acknowledged then, and sending the
        same events again is harmless."""
        wanted = sorted({event.product_id for event in request.events if event.product_id is not None})
        try:
            known = await _within("retrieval", self.known(wanted)) if wanted else ()
            allowed = [event for event in request.events if event.product_id is None or event.product_id in known]
            stored = iter(await _within("state", self.record([Behaviour(**dict(event)) for event in allowed])) if allowed else ())
        except StageUnavailable as error:
            raise unavailable(error.stage, error.reason) from error
        receipts = [
            next(stored) if event.product_id is None or event.product_id in known else _unknown_product(event) for event in request.events
        ]
        return EventsAnswer(
            request_id=request_id,
            receipts=[ReceiptOut(**asdict(receipt)) for receipt in receipts],
            counts={
                status: sum(receipt.status == status for receipt in receipts) for status in ("stored", "duplicate", "refused", "conflict")
            },
        )


async def _within(stage: str, call: Awaitable[Value]) -> Value:
    try:
        return await asyncio.wait_for(call, STAGE_TIMEOUT_S)
    except TimeoutError as error:
        raise StageUnavailable(stage, f"no answer within {STAGE_TIMEOUT_S:.0f} s") from error


def _unknown_product(event: EventIn) -> Receipt:
    detail = f"{event.product_id!r} is not in the catalogue"
    return Receipt(event.event_id, "refused", "product_id", detail, "ingest the product first, or correct the id")
