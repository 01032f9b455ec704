"""The brief: everything a writer needs to know, and nothing personal.

A brief names the slots that have values, never the values of prices, offers or the shopper's data; those are filled in after
generation from `facts`. Equal briefs give equal prompts, which is what makes drafts cacheable.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from copywriting.channels import CHANNELS, Channel, Language
from copywriting.principles import supported
from copywriting.product import Product
from copywriting.slots import SLOTS


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat: `role` is `shopper` or `shop`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What to write. `slots` are the available ones in the order of `SLOTS`; `principles` those the facts can prove. `doubts` and
    `likings` are names of aspects (`copywriting/aspects.yaml`), `market` notes on what competitors do, without names; `unnamable` are
    those names, for the check alone."""

    language: Language
    channel: Channel
    tone: str
    occasion: str
    principles: tuple[str, ...]
    vertical: str
    kind: str | None
    slots: tuple[str, ...]
    max_chars: int
    intent: str | None = None
    about: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    conversation: tuple[Turn, ...] = ()
    must_include: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    likings: tuple[str, ...] = ()
    market: tuple[str, ...] = ()
    unnamable: tuple[str, ...] = ()


def language_of(locale: str) -> Language:
    """`zh-CN` → `zh`. Raises ValueError for a language that Suasion does not write."""
    language = locale.split("-")[0]
    if language == "zh":
        return "zh"
    if language == "en":
        return "en"
    raise ValueError(f"locale {locale!r} is not one that copy is written in; use zh-CN, en-US or en-GB")


def make_brief(
    product: Product,
    slot_names: Collection[str],
    *,
    locale: str,
    channel: str,
    tone: str,
    occasion: str,
    principles: Sequence[str] = (),
    max_chars: int | None = None,
    intent: str | None = None,
    interests: Sequence[str] = (),
    conversation: Sequence[Turn] = (),
    must_include: Sequence[str] = (),
    doubts: Sequence[str] = (),
    likings: Sequence[str] = (),
    market: Sequence[str] = (),
    unnamable: Sequence[str] = (),
) -> Brief:
    """Put a brief together. Empty `principles` means all that the facts support; ones they don't support are left out."""
    language = language_of(locale)
    proved = supported(slot_names)
    limit = CHANNELS[channel].max_chars[language]
    return Brief(
        language=language,
        channel=CHANNELS[channel],
        tone=tone,
        occasion=occasion,
        principles=tuple(p for p in proved if p in principles) if principles else proved,
        vertical=product.vertical,
        kind=product.kind,
        slots=tuple(slot for slot in SLOTS if slot in slot_names),
        max_chars=min(limit, max_chars or limit),
        intent=intent,
        about=tuple(f"{key}: {value}" for key, value in product.attributes.items())
        + ((product.description,) if product.description else ()),
        interests=tuple(interests),
        conversation=tuple(conversation),
        must_include=tuple(must_include),
        doubts=tuple(doubts),
        likings=tuple(likings),
        market=tuple(market),
        unnamable=tuple(unnamable),
    )
