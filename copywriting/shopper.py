"""A shopper as copy sees them. Built only with consent; without it the pipeline uses `anonymous`."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a shopper did. `kind` is view, search, cart, purchase, review or cancellation; `value` is the amount paid, the stars
    of a review (1 to 5) or the units in a cart; `text` holds search terms or the words of a review."""

    kind: str
    product_id: str | None
    at: datetime
    value: float | None = None
    quantity: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who is asking. `interests` are kinds or words, strongest first; `bought` are product ids; `recent` is the id of the
    last purchase; `attributes` are optional: name, city, age_band, gender …; `events` are their latest, oldest first."""

    shopper_id: str | None
    locale: str | None = None
    personalise: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    interests: tuple[str, ...] = ()
    bought: frozenset[str] = frozenset()
    recent: str | None = None
    events: tuple[Event, ...] = ()


def book(kept: dict[str, int], kind: str, product_id: str, units: int) -> None:
    """Enter a purchase or a cancellation into the units of each product that a shopper bought and kept; the last key is the latest
    purchase. What was cancelled is not theirs; part of it sent back does not make it the latest."""
    if kind == "purchase":
        kept[product_id] = kept.pop(product_id, 0) + units
    elif kept.get(product_id, 0) > units:
        kept[product_id] -= units
    else:
        kept.pop(product_id, None)


def anonymous(locale: str | None = None) -> Shopper:
    """A shopper of whom nothing may be used: unknown, or without consent."""
    return Shopper(None, locale)
