"""What the sample shop's shoppers did in the last ninety days: searches, views, carts, purchases and reviews.

Behaviour is coherent, so that recommenders have something to learn: a shopper's latent taste (`demo.people.Taste`) decides which kinds
are opened and which product of a kind appeals; a bought durable is not bought again and attention moves on to a kind of the same life;
stars follow how well the product suits its buyer. Every purchase is made after a view and a cart of the same session.
"""

import datetime
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa

from copywriting.taxonomy import VERTICALS
from demo.merchandise import CURRENCIES, Merchandise, Range
from demo.people import AGE_BANDS, Shopper, Taste, likely_lives, lives_of, taste_of
from demo.reviews import review
from retrieval.schemas import EVENTS

DAYS = 90
Paid = Callable[[str, str, datetime.datetime], Decimal]
"""(product id, locale, instant) → the unit price then, offer included."""

_CONSUMABLE = {*VERTICALS["food"], *VERTICALS["beauty"], "cat_food", "dog_food"}
_CHOSEN_BY_COLOUR = ("fashion", "home", "electronics", "sport", "baby")
_MEAN_SESSIONS = 8.5
_STRAY = 0.07  # sessions that open any kind at all: gifts, curiosity
_NEIGHBOUR = 0.18  # sessions that open another kind of the same life
_SEARCHING = 0.55
_CARTING = 0.3
_BUYING = 0.62
_REVIEWING = 0.6
_GLANCING = 0.12  # views, within a session, of something of another kind of the same life
_KEENNESS = 2.6  # how much likelier a product is opened that suits: 0 all alike
_UNITS = (1, 1, 1, 1, 2, 2, 3)
_WAKING = (7.0, 23.0)  # hours, UTC


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the events table but for its id, which follows the order in time."""

    shopper_id: str
    product_id: str | None
    kind: str
    at: datetime.datetime
    value: float | None = None
    quantity: int | None = None
    currency: str | None = None
    text: str | None = None


@dataclass(slots=True)
class _Visitor:
    """A shopper on the way through the ninety days. `fits` says how well each product suits, 0 to 1."""

    shopper: Shopper
    taste: Taste
    fits: Mapping[str, float]
    rng: random.Random
    bought: set[str] = field(default_factory=set)
    last_kind: str | None = None
    events: list[Event] = field(default_factory=list)

    def note(
        self,
        kind: str,
        at: datetime.datetime,
        product: Merchandise | None = None,
        *,
        value: float | None = None,
        quantity: int | None = None,
        currency: str | None = None,
        text: str | None = None,
    ) -> None:
        """Remember an event."""
        product_id = product.product_id if product else None
        self.events.append(Event(self.shopper.shopper_id, product_id, kind, at, value, quantity, currency, text))

    def drawn_to(self, shelf: Sequence[Merchandise]) -> Merchandise:
        """One product of a shelf, the better it suits the likelier."""
        return self.rng.choices(shelf, [math.exp(_KEENNESS * self.fits[product.product_id]) for product in shelf])[0]


class Behaviour:
    """Plays the shoppers' ninety days against the shop's range."""

    def __init__(self, shop: Range, quality: Mapping[str, float], paid: Paid, today: datetime.date, seed: int) -> None:
        self._shop, self._quality, self._paid, self._seed = shop, quality, paid, seed
        self._end = datetime.datetime.combine(today, datetime.time(tzinfo=datetime.UTC))
        self._lives = lives_of()
        self._likely = {age: likely_lives(age) for age in (*AGE_BANDS, None)}
        self._by_kind: dict[str, list[Merchandise]] = {}
        for product in shop.products:
            self._by_kind.setdefault(product.kind, []).append(product)
        self._dearness = {product.product_id: self._rank(product) for product in shop.products}

    def events(self, shoppers: Sequence[Shopper]) -> list[Event]:
        """Every event of these shoppers, in order of time. A shopper's days depend on nobody else's."""
        found = [event for shopper in shoppers for event in self._days_of(shopper)]
        return sorted(found, key=lambda event: (event.at, event.shopper_id, event.kind))

    def _days_of(self, shopper: Shopper) -> list[Event]:
        rng = random.Random(f"{self._seed} {shopper.shopper_id}")
        taste = taste_of(self._shop.products, self._lives, self._likely[shopper.attributes.get("age_band")], rng)
        fits = {product.product_id: self._fit(taste, product) for product in self._shop.products}
        visitor = _Visitor(shopper, taste, fits, rng)
        for start in self._session_starts(rng):
            self._session(visitor, start)
        return [event for event in visitor.events if event.at < self._end]

    def _session_starts(self, rng: random.Random) -> list[datetime.datetime]:
        """One session a day at most, so that two sessions never interleave."""
        count = min(1 + int(rng.gammavariate(2.2, _MEAN_SESSIONS / 2.2)), DAYS)
        begin = self._end - datetime.timedelta(days=DAYS)
        days = sorted(rng.sample(range(DAYS), count))
        return [begin + datetime.timedelta(days=day, seconds=int(rng.uniform(*_WAKING) * 3600)) for day in days]

    def _session(self, visitor: _Visitor, at: datetime.datetime) -> None:
        rng, kind = visitor.rng, self._opened_kind(visitor)
        visitor.last_kind = kind
        if rng.random() < _SEARCHING:
            visitor.note("search", at, text=self._query(visitor, kind))
            at += _pause(rng)
        looked_at = []
        for _ in range(1 + round(rng.expovariate(1 / visitor.taste.patience))):
            astray = visitor.taste.neighbours and rng.random() < _GLANCING
            product = visitor.drawn_to(self._by_kind[rng.choice(visitor.taste.neighbours) if astray else kind])
            visitor.note("view", at, product)
            looked_at.append(product)
            at += _pause(rng)
        self._checkout(visitor, max(looked_at, key=lambda each: visitor.fits[each.product_id]), at)

    def _checkout(self, visitor: _Visitor, product: Merchandise, at: datetime.datetime) -> None:
        """A cart, perhaps a purchase, perhaps a review, of the product that suited best in this session."""
        rng, consumable = visitor.rng, product.kind in _CONSUMABLE
        fit = visitor.fits[product.product_id]
        if (product.product_id in visitor.bought and not consumable) or rng.random() > _CARTING * (0.6 + fit):
            return
        units = rng.choice(_UNITS) if consumable else 1
        visitor.note("cart", at, product, value=float(units))
        if rng.random() > _BUYING:
            return
        at += _pause(rng)
        locale = visitor.shopper.locale
        amount = float(self._paid(product.product_id, locale, at) * units)
        visitor.note("purchase", at, product, value=amount, quantity=units, currency=CURRENCIES[locale])
        visitor.bought.add(product.product_id)
        if rng.random() < _REVIEWING:
            self._review(visitor, product, at + datetime.timedelta(seconds=int(rng.uniform(2.5, 21) * 86400)))

    def _review(self, visitor: _Visitor, product: Merchandise, at: datetime.datetime) -> None:
        better = self._quality[product.product_id] - 4.2
        mean = 2.9 + 1.2 * visitor.fits[product.product_id] + better + visitor.taste.generosity
        stars = min(max(round(mean + visitor.rng.gauss(0, 1.2)), 1), 5)
        language = "zh" if visitor.shopper.locale.startswith("zh") else "en"
        visitor.note("review", at, product, value=float(stars), text=review(language, product.kind, stars, visitor.rng))

    def _opened_kind(self, visitor: _Visitor) -> str:
        taste, rng = visitor.taste, visitor.rng
        roll = rng.random()
        if roll < _STRAY:
            return rng.choice(list(self._by_kind))
        if roll < _STRAY + _NEIGHBOUR and taste.neighbours:
            return rng.choice(taste.neighbours)
        weights = dict(taste.kinds)
        if visitor.last_kind in weights:
            satisfied = any(product.product_id in visitor.bought for product in self._by_kind[visitor.last_kind])
            weights[visitor.last_kind] *= 0.35 if satisfied and visitor.last_kind not in _CONSUMABLE else 2.2
        return rng.choices(list(weights), list(weights.values()))[0]

    def _fit(self, taste: Taste, product: Merchandise) -> float:
        """How well a product suits a taste, 0 to 1: budget, brand, colour, and what everybody finds good."""
        budget = 1 - abs(taste.budget - self._dearness[product.product_id])
        known = 1.0 if product.brand.en in taste.brands else 0.0
        colour = 1.0 if product.colour == taste.colour else 0.0
        good = (self._quality[product.product_id] - 3.2) / 1.7
        return 0.4 * budget + 0.25 * known + 0.1 * colour + 0.25 * good

    def _rank(self, product: Merchandise) -> float:
        """Rank of the price within its kind: 0 the cheapest, 1 the dearest."""
        shelf = self._by_kind[product.kind]
        return sum(other.prices["CNY"] < product.prices["CNY"] for other in shelf) / (len(shelf) - 1)

    def _query(self, visitor: _Visitor, kind: str) -> str:
        """A search term of the kind, a feature of it, or a brand or colour with the kind's name, in the shopper's language."""
        rng, locale = visitor.rng, visitor.shopper.locale
        product, gap = visitor.drawn_to(self._by_kind[kind]), "" if locale.startswith("zh") else " "
        roll, label = rng.random(), product.category[-1].in_locale(locale).lower()
        if roll < 0.62:
            return rng.choice(self._shop.searches[kind]).in_locale(locale)
        if roll < 0.78:
            return product.attributes["feature"].in_locale(locale).removeprefix("a ").removeprefix("an ")
        in_colour = roll >= 0.9 and product.vertical in _CHOSEN_BY_COLOUR
        first = product.attributes.get("color", product.brand) if in_colour else product.brand
        return first.in_locale(locale) + gap + label


def table(events: Sequence[Event]) -> pa.Table:
    """The events as rows of `retrieval.schemas.EVENTS`, numbered in order."""
    columns = {name: [getattr(event, name) for event in events] for name in EVENTS.names if name != "event_id"}
    columns["event_id"] = [f"event-{number:06d}" for number in range(1, len(events) + 1)]
    return pa.table({name: pa.array(columns[name], EVENTS.field(name).type) for name in EVENTS.names})


def _pause(rng: random.Random) -> datetime.timedelta:
    return datetime.timedelta(seconds=15 + int(rng.expovariate(1 / 70)))
