"""A shopper as copy sees them. Built only with consent; without it the pipeline uses `anonymous`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who is asking. `interests` are kinds or words, strongest first; `bought` are product ids; `recent` is the id of the
    last purchase; `attributes` are optional: name, city, age_band, gender …"""

    shopper_id: str | None
    locale: str | None = None
    personalise: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    interests: tuple[str, ...] = ()
    bought: frozenset[str] = frozenset()
    recent: str | None = None


def anonymous(locale: str | None = None) -> Shopper:
    """A shopper of whom nothing may be used: unknown, or without consent."""
    return Shopper(None, locale)
