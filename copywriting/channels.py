"""Where copy appears: the parts a piece has there and how long it may be once its slots are filled.

To add a channel: one entry in `CHANNELS`. Limits are characters of the filled text, part breaks not counted; a request may
lower them with `max_chars`, never raise them.
"""

from dataclasses import dataclass
from typing import Literal

Part = Literal["headline", "body", "cta"]
Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One place where copy appears. `max_chars` is keyed by language because a Chinese character carries a word's weight."""

    name: str
    parts: tuple[Part, ...]
    max_chars: dict[Language, int]


CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("product_page", ("headline", "body", "cta"), {"zh": 200, "en": 480}),
        Channel("email", ("headline", "body", "cta"), {"zh": 220, "en": 600}),
        Channel("email_subject", ("headline",), {"zh": 40, "en": 90}),
        Channel("push", ("headline", "body"), {"zh": 80, "en": 178}),
        Channel("sms", ("body",), {"zh": 70, "en": 160}),
        Channel("search_ad", ("headline", "body"), {"zh": 80, "en": 150}),
        Channel("social", ("body",), {"zh": 140, "en": 280}),
        Channel("chat_reply", ("body",), {"zh": 150, "en": 320}),
        Channel("banner", ("headline", "cta"), {"zh": 40, "en": 90}),
        Channel("article_title", ("headline",), {"zh": 40, "en": 100}),
    )
}
