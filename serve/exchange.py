"""What stages exchange with the pipeline: plain values that travel between replicas. What goes in and out over HTTP is `messages.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Generic, TypeVar

from copywriting.concerns import Shelf
from copywriting.dialogue import Passage
from copywriting.market import MarketRow
from copywriting.product import Product
from copywriting.shopper import Shopper


@dataclass(frozen=True, slots=True)
class FindQuery:
    """Ask retrieval for the products, and for the shopper where nobody else knows them: `shopper` is who is asking; None has
    `shopper_id` looked up in the shop's own table."""

    shopper: Shopper | None
    shopper_id: str | None
    product_id: str | None
    query: str | None
    locale: str | None
    bundle_with: tuple[str, ...] = ()
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The shopper, ranked products with score and reason, and the shopper's last purchase in the answer's locale.

    `new_shopper` says that the id of the request is in no table and no database. `shelves` tells vertical and kind of the products that
    the shopper reviewed; `market` holds the rows of the market table that are on about now in the locale; `leanings` are the shopper's
    by vertical (`retrieval/leanings.py`), `price_levels` rank each product's price within its kind; `index` is the version that found the
    products, `also` the other products of a bundle, `passages` what the merchant knows about the question, `search_ms` the time within
    the stage."""

    shopper: Shopper
    locale: str
    products: tuple[tuple[Product, float, str], ...]
    recent: Product | None
    new_shopper: bool = False
    shelves: Mapping[str, Shelf] = field(default_factory=dict)
    market: tuple[MarketRow, ...] = ()
    leanings: Mapping[str, float] = field(default_factory=dict)
    price_levels: Mapping[str, float | None] = field(default_factory=dict)
    index: str = ""
    search_ms: float = 0.0
    also: tuple[Product, ...] = ()
    passages: tuple[Passage, ...] = ()


Prompt = str | list[dict[str, str]]
Score = TypeVar("Score")


@dataclass(frozen=True, slots=True)
class Serving:
    """What a node says of its artefact: the version that serves, empty where it has none, and why the one that should serve does not."""

    version: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Scored(Generic[Score]):
    """A value for each text, and the version of the model that gave them all."""

    values: Sequence[Score]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter of the generator. A version never changes where it lies: another one has another path. `base` is the version of the
    generator that it was trained on, empty where nobody knows."""

    name: str
    version: str
    path: str
    base: str = ""

    def misfit(self, generator: str) -> str:
        """Why it can't be used with this version of the generator; empty where it can."""
        if not self.base or not generator or self.base == generator:
            return ""
        return f"voice {self.name}: its adapter was trained on generator {self.base}, {generator} serves; its guide alone is followed"


@dataclass(frozen=True, slots=True)
class DraftQuery:
    """Ask the generator for `n` drafts of each prompt. A prompt is a string or chat messages; `seed` None lets cached drafts serve, and
    `renew` has new ones take their place, `more` of them than `n`."""

    prompts: tuple[Prompt, ...]
    grammar: str
    n: int
    max_tokens: int
    seed: int | None
    renew: bool = False
    more: int = 0
    adapter: Adapter | None = None


@dataclass(frozen=True, slots=True)
class Drafts:
    """Texts with unfilled slots. `version` is that of the generator that wrote them, `faults` tell what of the query it did without."""

    texts: tuple[str, ...]
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached: bool = False
    version: str = ""
    faults: tuple[str, ...] = ()

    @classmethod
    def dealt(cls, each: "Sequence[Drafts]") -> "Drafts":
        """Drafts of several prompts as one: the first of each, then the second, so that the best of every prompt come early."""
        rounds = zip_longest(*(drafts.texts for drafts in each))
        return cls(
            tuple(text for texts in rounds for text in texts if text is not None),
            sum(drafts.prompt_tokens for drafts in each),
            sum(drafts.output_tokens for drafts in each),
            all(drafts.cached for drafts in each),
        )

    def and_then(self, more: "Drafts") -> "Drafts":
        """These and more of them: what both cost, cached only where all were."""
        cached = more.cached and (self.cached or not self.texts)
        tokens = (self.prompt_tokens + more.prompt_tokens, self.output_tokens + more.output_tokens)
        return Drafts(self.texts + more.texts, *tokens, cached, more.version or self.version)


PRINCIPLE_SHOWN = 0.5
"""From this score on a text appeals to a principle."""


@dataclass(frozen=True, slots=True)
class PersuasionScore:
    """How persuasive a text is, and how much of each principle it shows; all in [0, 1]."""

    persuasive: float
    principles: dict[str, float]

    @property
    def shown(self) -> dict[str, float]:
        """The principles that the text appeals to, strongest first."""
        return {name: value for name, value in sorted(self.principles.items(), key=lambda item: -item[1]) if value >= PRINCIPLE_SHOWN}

    def is_sound(self) -> bool:
        """Are all values probabilities? A NaN is not."""
        return all(0 <= value <= 1 for value in (self.persuasive, *self.principles.values()))


@dataclass(frozen=True, slots=True)
class SentimentScore:
    """Probabilities of the three moods; they sum to 1."""

    negative: float
    neutral: float
    positive: float

    def is_sound(self) -> bool:
        """Are all values probabilities? A NaN is not."""
        return all(0 <= value <= 1 for value in (self.negative, self.neutral, self.positive))

    @property
    def label(self) -> str:
        """The likeliest mood."""
        return max(("negative", "neutral", "positive"), key=lambda name: float(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """The picture that suits a text best and how well, in [0, 1]; no path where the product has no usable picture."""

    path: str | None
    fit: float | None
    problems: tuple[str, ...] = ()

    def is_sound(self) -> bool:
        """Is the fit a probability, or absent? A NaN is neither."""
        return self.fit is None or 0 <= self.fit <= 1


@dataclass(frozen=True, slots=True)
class ResponseScore:
    """How likely this shopper answers a text with the `outcome` (click, conversion), and how likely anybody `usually` does."""

    outcome: str
    probability: float
    usually: float

    def is_sound(self) -> bool:
        """Are both probabilities? A NaN is not."""
        return 0 <= self.probability <= 1 and 0 < self.usually < 1

    @property
    def lift(self) -> float:
        """What sets it apart from the usual, in [0, 1]: 0.5 for what is as likely as usual, 0.67 for twice the odds."""
        odds, usual = self.probability * (1 - self.usually), self.usually * (1 - self.probability)
        return odds / (odds + usual)
