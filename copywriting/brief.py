"""The brief: everything a writer needs to know, and nothing personal.

A brief names the slots that have values, never the values of prices, offers or the shopper's data; those are filled in after
generation from `facts`. Equal briefs give equal prompts, which is what makes drafts cacheable.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from copywriting.channels import CHANNELS, Channel, Language
from copywriting.claims import Ground
from copywriting.law import Case, Law, law_of
from copywriting.plain import is_harmless, is_plain, marks_of
from copywriting.principles import supported
from copywriting.product import Product
from copywriting.slots import SLOTS
from copywriting.voices import Manner


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat: `role` is `shopper` or `shop`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What to write. `slots` are the available ones in the order of `SLOTS`; `principles` those the facts can prove. `doubts` and
    `likings` are names of aspects (`copywriting/aspects.yaml`), `market` notes on what competitors do, without names; `unnamable` are
    those names, for the check alone; so are `jurisdictions`, `audience`, `category` (the product's own words for what it is) and
    `grounds`, texts of the product that can prove a word; `withheld` are marks of data that was refused and of what the shopper says in a
    chat, which no writer may repeat. `manner` is how the brand speaks; `together` how many products the piece is about; `opening` and
    `structure` say how the piece should begin and how full it should be (`copywriting/variety.py`)."""

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
    opening: str | None = None
    structure: str | None = None
    jurisdictions: tuple[str, ...] = ()
    audience: frozenset[str] = frozenset()
    grounds: tuple[Ground, ...] = ()
    category: str = ""
    withheld: frozenset[str] = frozenset()
    manner: Manner | None = None
    together: int = 1

    @property
    def case(self) -> Case:
        """What the law looks at."""
        return Case(self.language, self.channel.name, self.vertical, self.kind, self.intent, self.audience, self.category)

    @property
    def law(self) -> Law:
        """The law that holds for this brief."""
        return law_of(self.jurisdictions)


def language_of(locale: str) -> Language:
    """`zh-CN` → `zh`. Raises ValueError for a language that Suasion does not write."""
    language = locale.split("-")[0]
    if language == "zh":
        return "zh"
    if language == "en":
        return "en"
    raise ValueError(f"locale {locale!r} is not one that copy is written in; use zh-CN, en-US or en-GB")


def _notes(product: Product) -> tuple[str, ...]:
    """What a writer may read of the product: its attributes and description. Notes that give orders are left out by the caller."""
    return (*(f"{key}: {value}" for key, value in product.attributes.items()), *((product.description,) if product.description else ()))


def _texts(product: Product) -> Iterator[str]:
    """Every free text of a product's row."""
    yield from (product.name, product.title, *product.category, *product.certificates, *product.attributes.values())
    yield from (text for text in (product.brand, product.description, product.offer.gift if product.offer else None) if text)


def case_of(product: Product, *, locale: str, channel: str, intent: str | None = None, audience: frozenset[str] = frozenset()) -> Case:
    """What the law looks at before there is a brief."""
    words = " ".join((product.title, product.name, *product.category))
    return Case(language_of(locale), channel, product.vertical, product.kind, intent, audience, words)


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
    jurisdictions: Sequence[str] = (),
    audience: frozenset[str] = frozenset(),
    grounds: Sequence[Ground] = (),
    manner: Manner | None = None,
) -> Brief:
    """Put a brief together. Empty `principles` means all that the facts support; ones they don't support, or that the law keeps from
    these people, are left out."""
    language = language_of(locale)
    case = case_of(product, locale=locale, channel=channel, intent=intent, audience=audience)
    capped = law_of(tuple(jurisdictions)).caps(case)
    proved = tuple(each for each in supported(slot_names) if each not in capped)
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
        about=tuple(note for note in _notes(product) if is_harmless(note)),
        interests=tuple(each for each in interests if is_plain(each)),
        conversation=tuple(conversation),
        must_include=tuple(must_include),
        doubts=tuple(doubts),
        likings=tuple(likings),
        market=tuple(market),
        unnamable=tuple(unnamable),
        jurisdictions=tuple(jurisdictions),
        audience=audience,
        grounds=tuple(grounds),
        category=case.product,
        manner=manner,
        withheld=marks_of(
            [*(text for text in (*_texts(product), *interests) if not is_harmless(text)), *(turn.text for turn in conversation)]
        ),
    )
