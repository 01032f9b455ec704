"""What goes in and out of the shopper state. Plain values: loads no database library, so that the pipeline can name them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from copywriting.shopper import Event

Status = Literal["stored", "duplicate", "refused", "conflict"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One event as a shop sends it. `event_id` is the sender's own and makes sending it twice harmless; `at` has a timezone.

    `consent` and `locale` are what the sender says of the shopper: no part of the event, they create a shopper who is not known."""

    event_id: str
    shopper_id: str
    product_id: str | None
    kind: str
    at: datetime
    value: float | None = None
    quantity: int | None = None
    currency: str | None = None
    text: str | None = None
    consent: bool | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event. `stored` and `duplicate` are durable; `refused` and `conflict` name field, detail and remedy."""

    event_id: str
    status: Status
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Profile:
    """A shopper as the database has them: `attributes` and `events` (oldest first) are filled in only while consent holds."""

    shopper_id: str
    consent: bool
    consent_until: datetime | None
    locale: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def consents(self, now: datetime) -> bool:
        """May attributes and events be used at `now`?"""
        return holds(self.consent, self.consent_until, now)


def holds(consent: bool, until: datetime | None, now: datetime) -> bool:
    """Does consent that was given until some instant (None: without end) hold at `now`?"""
    return consent and (until is None or now < until)
