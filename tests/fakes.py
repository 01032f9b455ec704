"""Small real things that tests build on: products, a shop of real tables, facts for every slot. Stages are in `fake_stages.py`."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from copywriting.brief import Brief, make_brief
from copywriting.copybook import Piece
from copywriting.facts import Fact, facts_of
from copywriting.product import Offer, Product
from copywriting.shopper import Shopper
from retrieval import schemas, tables

ROOT = Path(__file__).resolve().parent.parent
COPYBOOK = ROOT / "demo" / "copybook"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

_COAT: dict[str, dict[str, Any]] = {
    "zh": {
        "title": "云杉 女士羊毛大衣 秋冬",
        "name": "云杉羊毛大衣",
        "currency": "CNY",
        "description": "双面羊毛，立领",
        "attributes": {"material": "羊毛", "color": "藏青色", "origin": "杭州", "feature": "双层防风门襟", "feature_2": "隐藏式内袋"},
        "certificates": ("OEKO-TEX Standard 100",),
    },
    "en": {
        "title": "Spruce women's wool coat",
        "name": "Spruce wool coat",
        "currency": "USD",
        "description": "Double-faced wool with a stand collar",
        "attributes": {
            "material": "wool", "color": "navy", "origin": "Hangzhou", "feature": "a double storm placket", "feature_2": "a hidden pocket",
        },
        "certificates": ("OEKO-TEX Standard 100",),
    },
}  # fmt: skip


def percent_off(percent: int, *, starts: datetime = NOW - timedelta(days=5), ends: datetime = NOW + timedelta(days=16)) -> Offer:
    """A running offer; ¥500 with `percent_off(20)` is the reference example of the project."""
    return Offer("percent_off", Decimal(percent), None, starts, ends)


def gift(what: str, *, starts: datetime = NOW - timedelta(days=5), ends: datetime = NOW + timedelta(days=16)) -> Offer:
    """A running offer that adds a present."""
    return Offer("gift", None, what, starts, ends)


def make_product(product_id: str = "coat", locale: str = "zh-CN", **changes: Any) -> Product:
    """A coat at 500 in the locale's language with plenty of stock, no ratings and no offer; any field may be changed."""
    fields: dict[str, Any] = {
        "vertical": "fashion",
        "kind": "outerwear",
        "brand": "Spruce",
        "price": Decimal("500.00"),
        "stock": 500,
        "version": 7,
        **_COAT[locale.split("-")[0]],
    }
    return Product(**{"product_id": product_id, "locale": locale, **fields, **changes})


def full_product(locale: str = "zh-CN", **changes: Any) -> Product:
    """A coat of which every product slot has a value."""
    offer = Offer("percent_off", Decimal(20), "羊毛围巾" if locale == "zh-CN" else "a wool scarf", NOW, NOW + timedelta(days=16))
    return make_product(locale=locale, **{"offer": offer, "stock": 7, "rating": 4.8, "rating_count": 1284, **changes})


def facts_for(product: Product, **options: Any) -> dict[str, Fact]:
    """Facts of a product in its own locale, now."""
    return facts_of(product, **{"locale": product.locale, "now": NOW, **options})


def brief_for(product: Product, facts: Mapping[str, Fact], **options: Any) -> Brief:
    """A warm everyday brief for a product page, unless told otherwise."""
    defaults = {"locale": product.locale, "channel": "product_page", "tone": "warm", "occasion": "everyday"}
    return make_brief(product, facts, **{**defaults, **options})


def write_brief(locale: str = "zh-CN", **options: Any) -> tuple[Brief, dict[str, Fact]]:
    """A brief and the facts of a coat that has them all, with a shopper who consents."""
    product = full_product(locale)
    shopper = Shopper("s", locale, True, {"name": "林", "city": "苏州"} if locale == "zh-CN" else {"name": "Ann", "city": "Leeds"})
    recent = make_product("scarf", locale, name="长围巾" if locale == "zh-CN" else "long scarf")
    facts = facts_for(product, occasion="spring_festival", shopper=shopper, recent=recent)
    return brief_for(product, facts, **{"channel": "sms", **options}), facts


# A shop: two languages, four verticals, shoppers with and without consent.

_SHELF: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    ("coat", "fashion", "outerwear", "云杉羊毛大衣", "立领双面羊毛外套", "Spruce wool coat", "stand collar outerwear of double-faced wool"),
    ("jacket", "fashion", "outerwear", "海风冲锋衣", "防水外套 徒步", "Seawind rain jacket", "waterproof outerwear for walking"),
    ("jumper", "fashion", "knitwear", "轻岚针织衫", "柔软羊毛针织", "Mist jumper", "soft wool knitwear"),
    ("longjing", "food", "tea", "明前龙井绿茶", "杭州绿茶 茶叶", "Longjing green tea", "pan-fired green tea leaves from Hangzhou"),
    ("oolong", "food", "tea", "铁观音乌龙茶", "安溪乌龙 茶叶", "Tieguanyin oolong tea", "rolled oolong tea leaves from Anxi"),
    ("puer", "food", "tea", "云南普洱茶", "熟普洱 茶叶", "Yunnan pu-erh tea", "ripe pu-erh tea leaves from Yunnan"),
    ("beans", "food", "coffee", "晨露咖啡豆", "中度烘焙 咖啡", "Morning dew coffee beans", "medium roast whole coffee beans"),
    ("cream", "beauty", "skincare", "清润面霜", "保湿 护肤", "Clear day cream", "moisturising skincare for the face"),
    ("sunscreen", "beauty", "suncare", "轻盈防晒乳", "户外防晒", "Feather sunscreen", "light suncare lotion"),
    ("headphones", "electronics", "headphones", "静听耳机", "主动降噪 头戴", "Quiet headphones", "noise cancelling headphones"),
    ("keyboard", "electronics", "keyboards", "云轴键盘", "机械键盘 静音", "Cloud keyboard", "quiet mechanical keyboard"),
    ("speaker", "electronics", "speakers", "小石音箱", "便携音箱 防水", "Pebble speaker", "portable waterproof speaker"),
)


def shelf() -> list[Product]:
    """Twelve products in zh-CN and en-US; the speaker is sold out, prices rise by 10 from 100 (half of that in dollars)."""
    products = []
    for i, (product_id, vertical, kind, name_zh, text_zh, name_en, text_en) in enumerate(_SHELF):
        shared: dict[str, Any] = {
            "vertical": vertical, "kind": kind, "brand": None, "certificates": (),
            "attributes": {}, "stock": 0 if product_id == "speaker" else 50,
        }  # fmt: skip
        price = Decimal(100 + 10 * i)
        texts_zh = {"title": name_zh, "name": name_zh, "description": text_zh, "category": (vertical, kind)}
        texts_en = {"title": name_en, "name": name_en, "description": text_en, "category": (vertical, kind)}
        products.append(make_product(product_id, "zh-CN", **shared, **texts_zh, price=price))
        products.append(make_product(product_id, "en-US", **shared, **texts_en, price=price / 2))
    return products


def product_rows(products: Sequence[Product]) -> pa.Table:
    """Products as the rows of `products.parquet`."""
    rows = [dataclasses.asdict(product) | {"attributes": list(product.attributes.items())} for product in products]
    return pa.Table.from_pylist(rows, schema=schemas.PRODUCTS)


def make_event(shopper_id: str, kind: str, product_id: str | None, days_ago: float = 1, **changes: Any) -> dict[str, Any]:
    """One row of the events table; its id is made from what it says."""
    at = NOW - timedelta(days=days_ago)
    empty = {"value": None, "quantity": None, "currency": None, "text": None}
    event_id = f"{shopper_id}-{kind}-{product_id}-{days_ago}"
    return {"event_id": event_id, "shopper_id": shopper_id, "product_id": product_id, "kind": kind, "at": at, **empty, **changes}


def make_shopper(shopper_id: str, *, consent: bool = True, until: datetime | None = None, **attributes: str) -> dict[str, Any]:
    """One row of the shoppers table."""
    return {
        "shopper_id": shopper_id, "consent": consent, "consent_until": until, "locale": "en-US", "attributes": list(attributes.items()),
    }  # fmt: skip


SHOPPERS = (
    make_shopper("ann", name="Ann", city="Leeds"),
    make_shopper("bob", consent=False, name="Bob"),
    make_shopper("cleo", until=NOW - timedelta(days=1), name="Cleo"),
    make_shopper("dan", name="Dan"),
)
EVENTS = (
    *(
        make_event(who, kind, product_id, days_ago)
        for who in ("ann", "bob", "cleo")
        for kind, product_id, days_ago in (("view", "oolong", 1), ("view", "oolong", 2), ("cart", "puer", 3), ("purchase", "longjing", 4))
    ),
    make_event("guest", "purchase", "keyboard", 2),
    make_event("guest", "purchase", "keyboard", 3),
)


def make_shop(
    directory: Path,
    products: Sequence[Product] | None = None,
    shoppers: Sequence[dict[str, Any]] | None = SHOPPERS,
    events: Sequence[dict[str, Any]] | None = EVENTS,
) -> Path:
    """Write real parquet tables: ann, bob and cleo browse tea and bought longjing; only ann's consent holds. None leaves a table out."""
    tables.write(directory, "products", product_rows(shelf() if products is None else products))
    if shoppers is not None:
        tables.write(directory, "shoppers", pa.Table.from_pylist(list(shoppers), schema=schemas.SHOPPERS))
    if events is not None:
        tables.write(directory, "events", pa.Table.from_pylist(list(events), schema=schemas.EVENTS))
    return directory


def make_piece(template: str, language: str = "zh", channel: str = "sms", **changes: Any) -> Piece:
    """A piece of a copybook, general and for every day unless told otherwise."""
    fields: dict[str, Any] = {
        "piece_id": "test#1", "vertical": "general", "tone": "warm", "occasion": "everyday", "principles": ("benefit",),
        "language": language, "channel": channel, "parts": tuple(template.split("\n")),
    }  # fmt: skip
    return Piece(**{**fields, **changes})
