"""Shoppers of the sample shop: who they are, what they agreed to, and the tastes behind their behaviour.

Tastes are latent: they never reach a table, behaviour (`demo.behaviour`) only shows them, as in life.
"""

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from demo.merchandise import COLOURS, Merchandise

PEOPLE = Path(__file__).parent / "people.yaml"
LOCALE_SHARES: dict[str, float] = {"zh-CN": 0.5, "en-US": 0.3, "en-GB": 0.2}
COUNTRIES: dict[str, str] = {"zh-CN": "CN", "en-US": "US", "en-GB": "GB"}
AGE_BANDS: dict[str, float] = {"18-24": 0.17, "25-34": 0.34, "35-44": 0.25, "45-54": 0.14, "55+": 0.1}
GENDERS: dict[str, float] = {"female": 0.5, "male": 0.44, "other": 0.06}

_CONSENTING = 0.85
_LAPSED = 0.04  # of all shoppers: agreed once, and the agreement has run out
_LIMITED = 0.2  # of all shoppers: agreed until a coming date
_OF_THE_AGE = 4.0
_TOLD = {"name": 0.8, "city": 0.75, "age_band": 0.7, "gender": 0.6, "country": 1.0}
"""Attribute → the share of shoppers who gave it."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """A row of the shoppers table."""

    shopper_id: str
    locale: str
    consent: bool
    consent_until: datetime.datetime | None
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taste:
    """What a shopper is after. `kinds` with a weight each; `budget` 0 looks for the cheapest of a kind, 1 for the dearest."""

    kinds: Mapping[str, float]
    neighbours: tuple[str, ...]
    budget: float
    brands: frozenset[str]
    colour: str
    patience: float
    """Mean number of products looked at after the first, in one session."""
    generosity: float
    """Stars added to or taken from every review."""


def recruit(count: int, today: datetime.date, seed: int, source: Path = PEOPLE) -> tuple[Shopper, ...]:
    """That many shoppers, with consent as of `today`."""
    known = yaml.safe_load(source.read_text(encoding="utf-8"))
    rng = np.random.default_rng([seed, 1])
    return tuple(_shopper(f"shopper-{number:04d}", known, today, rng) for number in range(1, count + 1))


def taste_of(products: Sequence[Merchandise], lives: Mapping[str, Sequence[str]], likely: Mapping[str, float], rng: random.Random) -> Taste:
    """Two to four kinds out of one or two lives, the rest of those lives as neighbours, and a preference within each kind. `likely` is
    the weight of each life."""
    chosen = drawn(likely, 1 + int(rng.random() < 0.45), rng)
    kinds: dict[str, float] = {}
    for life in chosen:
        wanted = 2 if len(chosen) == 2 else rng.randint(2, 4)
        kinds |= {kind: rng.uniform(0.5, 1.5) for kind in rng.sample(lives[life], wanted)}
    brands = sorted({product.brand.en for product in products if product.kind in kinds})
    return Taste(
        kinds=kinds,
        neighbours=tuple(kind for life in chosen for kind in lives[life] if kind not in kinds),
        budget=rng.betavariate(1.6, 1.8),
        brands=frozenset(rng.sample(brands, min(len(brands), rng.randint(1, 3)))),
        colour=rng.choice(COLOURS),
        patience=rng.uniform(1.5, 5.5),
        generosity=rng.gauss(0, 0.35),
    )


def drawn(weights: Mapping[str, float], count: int, rng: random.Random) -> list[str]:
    """That many different keys, by weight."""
    left = dict(weights)
    chosen: list[str] = []
    while left and len(chosen) < count:
        chosen += rng.choices(list(left), list(left.values()))
        del left[chosen[-1]]
    return chosen


def likely_lives(age_band: str | None, source: Path = PEOPLE) -> dict[str, float]:
    """Life → weight at an age; of somebody whose age nobody knows, all alike."""
    known = yaml.safe_load(source.read_text(encoding="utf-8"))
    return {life: _OF_THE_AGE if age_band in known["ages"].get(life, ()) else 1.0 for life in known["lives"]}


def lives_of(source: Path = PEOPLE) -> dict[str, list[str]]:
    """Life → the kinds that go together in it."""
    lives: dict[str, list[str]] = yaml.safe_load(source.read_text(encoding="utf-8"))["lives"]
    return lives


def table(shoppers: Sequence[Shopper]) -> pa.Table:
    """The shoppers as rows of `retrieval.schemas.SHOPPERS`."""
    columns: dict[str, list[Any]] = {
        "shopper_id": [shopper.shopper_id for shopper in shoppers],
        "consent": [shopper.consent for shopper in shoppers],
        "locale": [shopper.locale for shopper in shoppers],
    }
    until = pa.array([shopper.consent_until for shopper in shoppers], pa.timestamp("us", tz="UTC"))
    attributes = pa.array([list(shopper.attributes.items()) for shopper in shoppers], pa.map_(pa.string(), pa.string()))
    return pa.table({**columns, "consent_until": until, "attributes": attributes})


def _shopper(shopper_id: str, known: Mapping[str, Any], today: datetime.date, rng: np.random.Generator) -> Shopper:
    locale = str(rng.choice(list(LOCALE_SHARES), p=list(LOCALE_SHARES.values())))
    consent = bool(rng.random() < _CONSENTING)
    facts = {
        "name": str(rng.choice(known["names"][locale])),
        "city": str(rng.choice(known["cities"][locale])),
        "age_band": str(rng.choice(list(AGE_BANDS), p=list(AGE_BANDS.values()))),
        "gender": str(rng.choice(list(GENDERS), p=list(GENDERS.values()))),
        "country": COUNTRIES[locale],
    }
    told = {key: value for key, value in facts.items() if rng.random() < _TOLD[key]}
    return Shopper(shopper_id, locale, consent, _lapse(consent, today, rng), told)


def _lapse(consent: bool, today: datetime.date, rng: np.random.Generator) -> datetime.datetime | None:
    fate, past, ahead = rng.random(), int(rng.integers(3, 60)), int(rng.integers(30, 365))
    if not consent or fate >= _LAPSED + _LIMITED:
        return None
    days = -past if fate < _LAPSED else ahead
    return datetime.datetime.combine(today + datetime.timedelta(days=days), datetime.time(tzinfo=datetime.UTC))
