"""Who is asking, as the pipeline may know them: from the request itself, or from what the database has. Consent is asked first; where it
does not hold, nothing else is read."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from copywriting.shopper import Event, Shopper, anonymous, book
from feedback.records import Profile
from serve.messages import InlineEvent, InlineShopper


def described(shopper: InlineShopper) -> Shopper:
    """A shopper whom the request describes. Without consent only the age band is kept: it protects, and serves nothing else."""
    if not shopper.consent:
        return replace(anonymous(shopper.locale), attributes={"age_band": shopper.age_band} if shopper.age_band else {})
    told = {"name": shopper.name, "city": shopper.city, "age_band": shopper.age_band, "gender": shopper.gender}
    attributes = {key: value for key, value in told.items() if value}
    events = tuple(sorted((_event(event) for event in shopper.events), key=lambda event: event.at))
    kept = kept_of(events)
    return Shopper(
        None, shopper.locale, True, attributes, tuple(shopper.interests), frozenset(kept), kept[-1] if kept else None, events=events
    )


def _event(event: InlineEvent) -> Event:
    return Event(event.kind, event.product_id, event.at.astimezone(UTC), event.value, text=event.text)


def remembered(profile: Profile, now: datetime) -> Shopper:
    """A shopper whom the database knows; with no consent at `now` an anonymous one that carries the locale and nothing else."""
    if not profile.consents(now):
        return anonymous(profile.locale)
    events = profile.events
    kept = kept_of(events)
    recent = kept[-1] if kept else None
    attributes = dict(profile.attributes)
    return Shopper(profile.shopper_id, profile.locale, True, attributes, bought=frozenset(kept), recent=recent, events=events)


def kept_of(events: Iterable[Event]) -> list[str]:
    """Products that were bought and not sent back, the latest purchase last. `events` are oldest first."""
    kept: dict[str, int] = {}
    for event in events:
        if event.product_id is not None and event.kind in ("purchase", "cancellation"):
            book(kept, event.kind, event.product_id, event.quantity or 1)
    return list(kept)
