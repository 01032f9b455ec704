"""Training examples for the generator: one hand-written piece serves many briefs, and many a brief finds a piece.

Some of the examples start from a piece and look for a brief that it answers well, so that every piece is learned. Most start
from a brief as serving may make it, in any combination, and take a piece that fits: slots all available, kind and day not wrong,
tone and principles as near as there is. That teaches what to write where no piece matches every tag. Briefs are written by
`copywriting.prompt`, so that training equals serving. Every choice comes from a seeded generator.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random

from copywriting.brief import Brief
from copywriting.channels import CHANNELS, Language
from copywriting.copybook import Piece, fits
from copywriting.principles import supported
from copywriting.slots import SLOTS, nominal_length
from copywriting.taxonomy import GENERAL, INTENTS, OCCASIONS, TONES, VERTICALS
from copywriting.variety import opening_of, structure_of

_OFFERS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.45, ()),
    (0.25, ("list_price", "discount", "saving", "offer.ends")),
    (0.12, ("list_price", "discount", "saving")),
    (0.10, ("gift", "offer.ends")),
    (0.08, ("list_price", "discount", "saving", "gift", "offer.ends")),
    (0.12, ("offer", "offer.ends")),
)
"""How often a product has which price and offer slots; they come and go together."""
_ALONE = {
    "brand": 0.85,
    "certificate": 0.4,
    "material": 0.75,
    "color": 0.75,
    "origin": 0.55,
    "feature": 0.9,
    "feature_2": 0.75,
}
"""How often a product has each other slot."""
_BARE, _BARE_PRICED, _BARE_SHARE = 0.3, 0.6, 0.2
"""How often a product is as bare as in many a merchant's catalogue, how often such a one has a price, and its share of `_ALONE`."""
_RATED = 0.65
_STOCKED = (0.2, 0.6, 0.2)
"""How often stock is few, plentiful, or unknown."""
_PAIRED = 0.12
_CONSENT = 0.5
_PERSONAL = {"shopper.name": 0.8, "shopper.city": 0.7, "recent": 0.6}
"""How often a shopper who consented has each slot."""
_OTHER_TONE = 0.2
_OTHER_OCCASION = 0.4  # of an everyday piece, which suits any day; a festive piece suits its own only
_GENERAL_ELSEWHERE = 0.7  # a piece for any product, used in one vertical
_ELSEWHERE_GENERAL = 0.15  # a vertical's piece that names no kind, used for a product that fits no vertical
_BRIEF_FIRST = 0.7
_TRIES = 8
_SHAPED = 0.6  # how often a brief says how to begin, and how full to be


@dataclass(frozen=True, slots=True)
class Example:
    """A brief and the copy that answers it, slots unfilled."""

    brief: Brief
    copy: str


class Shelf:
    """The pieces that may be trained on, by language and channel."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        own = tuple(sorted({piece.vertical for piece in pieces}))
        self._verticals = own if own != (GENERAL,) else (*VERTICALS, GENERAL)  # pieces for any product serve products of every kind
        self._by_place: dict[tuple[str, str], list[Piece]] = defaultdict(list)
        for piece in pieces:
            self._by_place[piece.language, piece.channel].append(piece)

    def example(self, number: int, random: Random) -> Example:
        """An example that starts from piece `number`, or from a brief in its language and channel, where pieces are about as long."""
        piece = self.pieces[number]
        if random.random() < _BRIEF_FIRST:
            for _ in range(_TRIES):
                brief = random_brief(random, piece.language, self._verticals, piece.channel)
                if answer := self.answer(brief, random):
                    return Example(asking_for(answer, brief, random), answer.template)
        return example(piece, random)

    def answer(self, brief: Brief, random: Random) -> Piece | None:
        """A piece that may be used for this brief, better ones more often; None where there is none."""
        fitting = [piece for piece in self._by_place[brief.language, brief.channel.name] if fits(piece, brief)]
        return random.choices(fitting, [nearness(piece, brief) for piece in fitting])[0] if fitting else None


def nearness(piece: Piece, brief: Brief) -> float:
    """How much better than a piece that merely fits."""
    own, asked = set(piece.principles), set(brief.principles)
    weight = 4.0 if own <= asked else 2.0 if own & asked else 1.0
    weight *= 5.0 if piece.occasion == brief.occasion != "everyday" else 1.0
    weight *= 8.0 if piece.vertical == brief.vertical else 1.0
    weight *= 3.0 if piece.kind is not None else 1.0
    weight *= len(piece.slots)  # copy that says something of this product, rather than what could be said of any
    return weight * (3.0 if piece.tone == brief.tone else 1.0)


def split(pieces: Sequence[Piece], share: float, seed: int) -> tuple[list[Piece], list[Piece]]:
    """(training, held out). A hash of its words decides for each piece, so that a growing copybook moves none across."""
    draw = {piece: int.from_bytes(sha256(f"{seed}/{piece.template}".encode()).digest()[:6]) / 2**48 for piece in pieces}
    limit = max(share, min(draw.values()))  # at least one is held out
    return [piece for piece in pieces if draw[piece] > limit], [piece for piece in pieces if draw[piece] <= limit]


def example(piece: Piece, random: Random) -> Example:
    """One brief that this piece answers well."""
    vertical, kind = _product(piece, random)
    occasion = _occasion(piece, random)
    slots = frozenset(available(random, occasion)) | piece.slots | {"name"}
    brief = Brief(
        language=piece.language,
        channel=CHANNELS[piece.channel],
        tone=random.choice(TONES) if random.random() < _OTHER_TONE else piece.tone,
        occasion=occasion,
        principles=_principles(piece, slots, random),
        vertical=vertical,
        kind=kind,
        slots=tuple(slot for slot in SLOTS if slot in slots),
        max_chars=CHANNELS[piece.channel].max_chars[piece.language],
        intent=piece.intent,
    )
    return Example(asking_for(piece, brief, random), piece.template)


def asking_for(piece: Piece, brief: Brief, random: Random) -> Brief:
    """The brief as it may ask for how this piece begins and how full it is, or for neither."""
    length = sum(nominal_length(part, piece.language) for part in piece.parts)
    opening = opening_of(piece.template, piece.language) if random.random() < _SHAPED else None
    shaped = len(brief.channel.parts) > 1 and random.random() < _SHAPED
    structure = structure_of(piece.template, brief.channel.max_chars[piece.language], length) if shaped else None
    return replace(brief, opening=opening, structure=structure)


def random_brief(random: Random, language: Language, verticals: Sequence[str] = tuple(VERTICALS), channel_name: str | None = None) -> Brief:
    """Any kind, tone, occasion and plausible slots, in any channel or the given one; principles are all that the slots prove, or one or
    two of them."""
    vertical = random.choice(verticals)
    channel = CHANNELS[channel_name or random.choice(list(CHANNELS))]
    occasion = random.choice(OCCASIONS) if random.random() < 0.6 else "everyday"
    intent = random.choice(INTENTS) if channel.name == "chat_reply" else None
    slots = available(random, occasion) | ({"answer"} if intent == "question" else set())
    proved = supported(slots)
    asked = proved if random.random() < 0.5 else random.sample(proved, random.randint(1, 2))
    return Brief(
        language=language,
        channel=channel,
        tone=random.choice(TONES),
        occasion=occasion,
        principles=tuple(p for p in proved if p in asked),
        vertical=vertical,
        kind=random.choice(VERTICALS[vertical]) if vertical in VERTICALS else None,
        slots=tuple(slot for slot in SLOTS if slot in slots),
        max_chars=channel.max_chars[language],
        intent=intent,
    )


def available(random: Random, occasion: str) -> set[str]:
    """A plausible set of slots that a product, its offer, the day and the shopper give."""
    slots = _bare(random) if random.random() < _BARE else _described(random)
    if random.random() < _CONSENT:
        slots |= {slot for slot, share in _PERSONAL.items() if random.random() < share}
    if occasion != "everyday":
        slots.add("occasion")
    return slots


def _described(random: Random) -> set[str]:
    slots = {"name", "price", *random.choices([slots for _, slots in _OFFERS], [weight for weight, _ in _OFFERS])[0]}
    slots |= {slot for slot, share in _ALONE.items() if random.random() < share}
    slots |= random.choices([{"stock"}, {"availability"}, set()], _STOCKED)[0]
    if random.random() < _PAIRED:
        slots |= {"also", "also.price", "total"}
    if random.random() < _RATED:
        slots |= {"rating", "rating_count"}
    return slots


def _bare(random: Random) -> set[str]:
    slots = {"name"} | ({"price"} if random.random() < _BARE_PRICED else set())
    return slots | {slot for slot, share in _ALONE.items() if random.random() < share * _BARE_SHARE}


def _product(piece: Piece, random: Random) -> tuple[str, str | None]:
    """Vertical and kind: the piece's own, or any that it suits where it names none."""
    if piece.kind:
        return piece.vertical, piece.kind
    vertical = piece.vertical
    if vertical == GENERAL and random.random() < _GENERAL_ELSEWHERE:
        vertical = random.choice(list(VERTICALS))
    elif random.random() < _ELSEWHERE_GENERAL:
        vertical = GENERAL
    kinds = VERTICALS.get(vertical, ())
    return vertical, random.choice(kinds) if kinds and random.random() < 0.85 else None


def _occasion(piece: Piece, random: Random) -> str:
    movable = piece.occasion == "everyday" and random.random() < _OTHER_OCCASION
    return random.choice(OCCASIONS) if movable else piece.occasion


def _principles(piece: Piece, slots: frozenset[str], random: Random) -> tuple[str, ...]:
    """The piece's own principles, with some or all of the others that these slots can prove: a brief may ask for any of that."""
    proved = supported(slots)
    mode = random.random()
    extra = proved if mode < 0.3 else tuple(p for p in proved if mode < 0.65 and random.random() < 0.3)
    return tuple(p for p in proved if p in piece.principles or p in extra)
