"""What is on in the market: a merchant's own holidays and competitors' promotions, and what of them a writer may know.

A competitor's name never reaches a prompt, and copy that names one or repeats its numbers is refused: numbers by the grammar and the
claim checker, names by `unnamable`. Where rows come from is `retrieval/market.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from copywriting.facts import Fact, promises
from copywriting.occasions import KNOWN, NAMES, occasion_on
from copywriting.plain import is_plain
from copywriting.product import Product
from copywriting.reading import fold

RowKind = Literal["holiday", "competitor_promotion"]
ROW_KINDS: tuple[RowKind, ...] = ("holiday", "competitor_promotion")
LOCALES = ("zh-CN", "en-US", "en-GB")


class MarketError(ValueError):
    """A row that can't be used. The message names the field, its value and the remedy."""


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One row of the market table, both days inclusive. `name` is the holiday's or the promotion's; `category` is a vertical, a kind or a
    step of the merchant's category path, None for everything; `discount_percent` is 20 for 20 % off. Raises MarketError."""

    from_day: date
    until: date
    locale: str
    kind: str
    name: str
    competitor: str | None = None
    category: str | None = None
    discount_percent: float | None = None

    def __post_init__(self) -> None:
        for fault in _faults(self):
            raise MarketError(fault)

    def concerns(self, product: Product) -> bool:
        """Is this product of the row's category?"""
        return self.category is None or self.category in (product.vertical, product.kind, *product.category)


def _faults(row: MarketRow) -> Iterable[str]:
    if row.until < row.from_day:
        yield f"until: {row.until} is before from ({row.from_day}); exchange the two, or correct one"
    if row.locale not in LOCALES:
        yield f"locale: {row.locale!r} is not one that copy is written in; use one of {list(LOCALES)}"
    if row.kind not in ROW_KINDS:
        yield f"kind: {row.kind!r} is not known; use one of {list(ROW_KINDS)}"
    if row.discount_percent is not None and not 0 < row.discount_percent < 100:
        yield f"discount_percent: {row.discount_percent:g} is not between 0 and 100; write 20 for 20 % off, or leave it empty"
    if not is_plain(row.name) or (row.kind == "holiday" and row.locale in LOCALES and promises(row.name, row.locale)):
        yield f"name: {row.name!r} can't stand in copy; use one short line without braces, links, prices or discounts"
    if row.kind == "competitor_promotion" and not (row.competitor and row.competitor.strip()):
        yield f"competitor: {row.competitor!r} names nobody; copy must know whom it may not name, so write the competitor's name"
    if row.kind == "holiday" and (row.competitor or row.discount_percent is not None):
        yield f"kind: 'holiday' has no competitor ({row.competitor!r}) and no discount_percent; empty them, or use competitor_promotion"


@dataclass(frozen=True, slots=True)
class Market:
    """What is on for one product on one day: the occasion, and competitors' promotions of its category, deepest discount first."""

    occasion: str
    promotions: tuple[MarketRow, ...] = ()

    @property
    def competitors(self) -> tuple[str, ...]:
        """Whom copy may not name."""
        return tuple(dict.fromkeys(row.competitor for row in self.promotions if row.competitor))


def market_on(rows: Sequence[MarketRow], day: date, locale: str, product: Product) -> Market:
    """The rows that hold on this day. A merchant's holiday takes the place of the calendar's occasion, the one that ends first where
    there are several; a name that the calendar knows ("Black Friday", 春节, black_friday, everyday) means that occasion."""
    on = [row for row in rows if row.locale == locale and row.from_day <= day <= row.until and row.concerns(product)]
    own = sorted((row for row in on if row.kind == "holiday"), key=lambda row: (row.until, row.name))
    promotions = sorted(
        (row for row in on if row.kind == "competitor_promotion"), key=lambda row: (-(row.discount_percent or 0), row.until, row.name)
    )
    return Market(occasion_named(own[0].name) if own else occasion_on(day, locale), tuple(promotions))


def occasion_named(name: str) -> str:
    """The calendar's occasion with this name or key; a name that it doesn't know is an occasion of its own."""
    said = name.strip()
    known = {key.casefold(): key for key in KNOWN} | {each.casefold(): key for key, names in NAMES.items() for each in names.values()}
    return known.get(said.casefold(), said)


def notes_of(promotions: Sequence[MarketRow]) -> tuple[str, ...]:
    """What a writer is told of competitors' promotions: no names. Only for a prompt; copy says nothing of it."""
    return tuple(
        f"a competitor promotes this category{f' at {row.discount_percent:g} % off' if row.discount_percent is not None else ''}"
        f" until {row.until.day} {row.until:%B}"
        for row in promotions
    )


def unnamable(market: Market, facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """Competitors' names that copy may not hold. A brand that the product itself has in its facts may be said."""
    own = fold(" ".join(fact.text for fact in facts.values())).casefold()
    return tuple(name for name in market.competitors if fold(name).casefold() not in own)
