"""Simulated answers of the sample shop's shoppers to copy: impressions, each clicked or not by the law of `demo/response_law.py`.

`python -m demo.training_data` writes them, because training reads files and never imports the demo. Nobody's real behaviour is in them, and
the shop's own events are not touched: the impressions lie in the four weeks after these, by the clocks of each market, so that interests
are known before. Only shoppers who consent to the end of those weeks are shown anything. What a row says of shopper, product and moment is
what the graph says of an impression (`serve/impressions.py`), so that a model of these rows can serve.
"""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from copywriting.facts import zone_of
from copywriting.prices import active_offer, share_off
from copywriting.principles import PRINCIPLES, supported
from copywriting.product import Offer, Product
from demo.response_law import Floats, Shown, click_log_odds, conversion_log_odds
from demo.shop import LOW_STOCK
from retrieval import tables
from retrieval.catalogue import Catalogue
from retrieval.features import consenting
from retrieval.leanings import interests, leanings

DAYS = 28
CHANNELS = {"product_page": 0.3, "email": 0.2, "push": 0.2, "sms": 0.08, "banner": 0.14, "social": 0.08}
"""Channel → its share of impressions."""
_OF_INTEREST = 0.4
"""Share of impressions that the shop chose by the shopper's interests; the others show any product."""
_HOURS = np.array([1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 8, 10, 9, 7, 6, 6, 7, 9, 11, 12, 11, 7, 3], dtype=np.float64)
"""Impressions in each hour of the day, in parts."""

SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("shopper_id", pa.string(), nullable=False),
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("locale", pa.string(), nullable=False),
        pa.field("age_band", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("interests", pa.list_(pa.string()), nullable=False),
        pa.field("vertical", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("affinity", pa.float64(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("hour", pa.int32(), nullable=False),
        pa.field("principles", pa.list_(pa.string()), nullable=False),
        pa.field("persuasion", pa.float64(), nullable=False),
        pa.field("sentiment", pa.float64(), nullable=False),
        pa.field("price_level", pa.float64(), nullable=False),
        pa.field("discount", pa.float64(), nullable=False),
        pa.field("rating", pa.float64(), nullable=False),
        pa.field("click", pa.int32(), nullable=False),
        pa.field("conversion", pa.int32(), nullable=False),
        pa.field("true_probability", pa.float64(), nullable=False),
        pa.field("true_conversion", pa.float64(), nullable=False),
    ]
)
"""`hour` is by the clocks of the shopper's market. `interests`: verticals, from behaviour. `affinity`: share of the shopper's weighted
events in the product's vertical. `price_level`: 0 the cheapest of its kind, 1 the dearest. `discount`: share of the price taken off at that
hour. `persuasion`, `sentiment`: what scorers said of the copy. `conversion` is 0 without a click. `true_probability` is the law's own of a
click, `true_conversion` of a conversion after one: no features, but what a benchmark compares with."""


def write_responses(shop: Path, directory: Path, now: datetime.datetime, seed: int, count: int) -> Path:
    """`responses.parquet` with the columns of SCHEMA, in order of time, from the tables of a shop as of `now`. Same seed, same file."""
    path = directory / "responses.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(responses(shop, now, seed, count), path)
    return path


def responses(shop: Path, now: datetime.datetime, seed: int, count: int) -> pa.Table:
    """The impressions as a table."""
    rng = np.random.default_rng([seed, 5])
    begin = datetime.datetime.combine(now.date() + datetime.timedelta(days=1), datetime.time())
    willing = consenting(tables.read(shop, "shoppers"), _everywhere(begin + datetime.timedelta(days=DAYS)))
    shoppers = willing.to_pylist(maps_as_pydicts="strict")
    shelf = Shelf(shop)
    affinities = _affinities(shop, shelf)
    activity = rng.gamma(1.5, size=len(shoppers))
    who = rng.choice(len(shoppers), size=count, p=activity / activity.sum()).tolist()
    hours = rng.integers(DAYS, size=count) * 24 + rng.choice(24, size=count, p=_HOURS / _HOURS.sum())
    instants = np.sort(hours * 3600 + rng.integers(3600, size=count)).tolist()
    rows = [
        _impression(shelf, shoppers[i], affinities[shoppers[i]["shopper_id"]], begin + datetime.timedelta(seconds=after), rng)
        for i, after in zip(who, instants, strict=True)
    ]
    return _answered(sorted(rows, key=lambda row: row["at"]), rng)


def _everywhere(end: datetime.datetime) -> datetime.datetime:
    """When it is that late on every clock."""
    return end.replace(tzinfo=datetime.UTC) + datetime.timedelta(hours=12)


class Shelf:
    """What the shop can show in each locale: products in stock, by vertical."""

    def __init__(self, shop: Path) -> None:
        self.catalogue = Catalogue.read(shop)
        rows = tables.read(shop, "products").select(["product_id", "locale", "vertical", "stock"]).to_pylist()
        self.verticals = sorted({row["vertical"] for row in rows})
        self._shelves: dict[tuple[str, str], list[Product]] = defaultdict(list)
        for row in rows:
            if row["stock"] != 0:
                self._shelves[row["vertical"], row["locale"]].append(self.catalogue.product(row["product_id"], row["locale"]))

    def drawn(self, vertical: str, locale: str, rng: np.random.Generator) -> Product:
        """Any product of a vertical."""
        shelf = self._shelves[vertical, locale]
        return shelf[int(rng.integers(len(shelf)))]


def _impression(
    shelf: Shelf, shopper: Mapping[str, Any], affinity: Mapping[str, float], clock: datetime.datetime, rng: np.random.Generator
) -> dict[str, Any]:
    """One row without its answer, when the clocks of the shopper's market say `clock`."""
    at = clock.replace(tzinfo=zone_of(shopper["locale"])).astimezone(datetime.UTC)
    liked = interests(affinity)
    verticals = liked if liked and rng.random() < _OF_INTEREST else shelf.verticals
    product = shelf.drawn(verticals[int(rng.integers(len(verticals)))], shopper["locale"], rng)
    return {
        "at": at, "shopper_id": shopper["shopper_id"], "product_id": product.product_id, "locale": shopper["locale"],
        "age_band": shopper["attributes"].get("age_band"), "gender": shopper["attributes"].get("gender"), "interests": liked,
        "vertical": product.vertical, "kind": product.kind, "affinity": round(affinity.get(product.vertical, 0.0), 3),
        "hour": clock.hour, "channel": str(rng.choice(list(CHANNELS), p=list(CHANNELS.values()))),
        "price_level": round(shelf.catalogue.price_level(product) or 0.0, 3), "discount": round(share_off(product, at), 3),
        "rating": round(product.rating or 0.0, 1), **drawn_copy(product, at, rng),
    }  # fmt: skip


def drawn_copy(product: Product, at: datetime.datetime, rng: np.random.Generator) -> dict[str, Any]:
    """What a row says of its copy, which uses one or two principles that the product's facts support then."""
    usable = supported(_slots(product, active_offer(product, at)))
    principles = rng.choice(usable, size=min(len(usable), int(rng.integers(1, 3))), replace=False).tolist()
    return {"principles": principles, "persuasion": round(float(rng.beta(5, 2.7)), 3), "sentiment": round(float(rng.beta(4, 1.8)), 3)}


def _slots(product: Product, offer: Offer | None) -> set[str]:
    """Slots of which principles need evidence, as far as the product fills them."""
    low = product.stock is not None and product.stock in LOW_STOCK
    there = {
        "stock": low, "offer.ends": offer, "rating_count": product.rating_count, "certificate": product.certificates,
        "gift": offer and offer.gift, "offer": offer,
    }  # fmt: skip
    return {slot for slot, fact in there.items() if fact}


def _affinities(shop: Path, shelf: Shelf) -> defaultdict[str, dict[str, float]]:
    """Shopper → vertical → its share of what they did; nothing for whoever did nothing."""
    done: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in tables.read(shop, "events").select(["shopper_id", "product_id", "kind"]).to_pylist():
        if event["product_id"]:
            done[event["shopper_id"]].append((event["kind"], shelf.catalogue.vertical_of(event["product_id"])))
    return defaultdict(dict, {shopper_id: leanings(events) for shopper_id, events in done.items()})


def _answered(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> pa.Table:
    """The rows with what their shoppers did."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    shown = shown_of(columns)
    chance, after = sigmoid(click_log_odds(shown)), sigmoid(conversion_log_odds(shown))
    clicked = rng.random(len(rows)) < chance
    columns |= {
        "event_id": [f"impression-{number:06d}" for number in range(1, len(rows) + 1)],
        "click": clicked.astype(np.int32), "conversion": (clicked & (rng.random(len(rows)) < after)).astype(np.int32),
        "true_probability": chance, "true_conversion": after,
    }  # fmt: skip
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in SCHEMA}, schema=SCHEMA)


def shown_of(columns: Mapping[str, Sequence[Any]]) -> Shown:
    """Columns of rows as the law reads them."""
    numbers = {
        name: np.array(columns[name], dtype=np.float64)
        for name in ("affinity", "persuasion", "sentiment", "price_level", "discount", "rating")
    }
    return Shown(
        channel=np.array(columns["channel"]), hour=np.array(columns["hour"]), vertical=np.array(columns["vertical"]),
        age_band=np.array([band or "" for band in columns["age_band"]]),
        uses={name: np.array([name in used for used in columns["principles"]]) for name in PRINCIPLES}, **numbers,
    )  # fmt: skip


def sigmoid(logits: Floats) -> Floats:
    """Log-odds → chances."""
    return np.asarray(1 / (1 + np.exp(-logits)))
