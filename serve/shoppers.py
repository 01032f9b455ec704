"""Who is asking, as the pipeline may know them: from the request itself, or from what the database has. Consent is asked first; where it
does not hold, nothing else is read."""

from collections.abc import Iterable
from datetime import datetime

from copywriting.shopper import Event, Shopper, anonymous, book
from feedback.records import Profile
from serve.messages import InlineShopper


def described(shopper: InlineShopper) -> Shopper:
    """A shopper whom the request describes."""
    if not shopper.consent:
        return anonymous(shopper.locale)
    attributes = {key: value for key, value in (("name", shopper.name), ("city", shopper.city)) if value}
    return Shopper(None, shopper.locale, True, attributes, tuple(shopper.interests))


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
