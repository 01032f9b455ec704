"""Arrow schemas of every table, with units and nullability. How tables are read and written is `tables.py`.

Money is decimal in major units of `currency`; instants are UTC with microseconds.
"""

import pyarrow as pa

MONEY = pa.decimal128(12, 2)
INSTANT = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, note: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=not required, metadata={"note": note})


OFFER = pa.struct(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("value", MONEY),
        pa.field("gift", pa.string()),
        pa.field("starts", INSTANT, nullable=False),
        pa.field("ends", INSTANT, nullable=False),
        pa.field("minimum", MONEY),
        pa.field("buy", pa.int32()),
        pa.field("free", pa.int32()),
    ]
)

PRODUCTS = pa.schema(
    [
        _column("product_id", pa.string(), "the merchant's id; (product_id, locale) is unique", required=True),
        _column("locale", pa.string(), "language and market of this row's texts and price: zh-CN, en-US, en-GB …", required=True),
        _column("title", pa.string(), "the merchant's title", required=True),
        _column(
            "name", pa.string(), "short name that copy uses; made at ingestion where the title is a search-engine title", required=True
        ),
        _column("vertical", pa.string(), "copywriting.taxonomy.VERTICALS, or general", required=True),
        _column("kind", pa.string(), "kind within the vertical"),
        _column("brand", pa.string(), "brand"),
        _column("category", pa.list_(pa.string()), "the merchant's category path, broad to narrow", required=True),
        _column("description", pa.string(), "the merchant's description"),
        _column(
            "attributes",
            pa.map_(pa.string(), pa.string()),
            "snake_case key → value; known: feature, feature_2, material, color, origin",
            required=True,
        ),
        _column(
            "price",
            MONEY,
            "price before the offer, major units of currency; null where the merchant gives none: copy then has no price slot",
        ),
        _column("list_price", MONEY, "reference price, when above price"),
        _column("currency", pa.string(), "ISO 4217; null where there is no price"),
        _column("stock", pa.int32(), "units on hand; null where unknown"),
        _column("rating", pa.float32(), "mean rating, 0 to 5"),
        _column("rating_count", pa.int32(), "number of ratings"),
        _column("offer", OFFER, "running or coming offer; kind is percent_off (value in percent), amount_off (value in currency) or gift"),
        _column("certificates", pa.list_(pa.string()), "certificates and awards, in the row's language", required=True),
        _column("images", pa.list_(pa.string()), "picture paths, absolute or relative to the shop's directory", required=True),
        _column("videos", pa.list_(pa.string()), "video paths", required=True),
        _column("version", pa.int64(), "increases with every change of the row", required=True),
    ]
)

PRICE_HISTORY = pa.schema(
    [
        _column("product_id", pa.string(), "product", required=True),
        _column("locale", pa.string(), "market", required=True),
        _column("price", MONEY, "price from this instant on", required=True),
        _column("currency", pa.string(), "ISO 4217", required=True),
        _column("at", INSTANT, "when the price began", required=True),
    ]
)

SHOPPERS = pa.schema(
    [
        _column("shopper_id", pa.string(), "pseudonymous id", required=True),
        _column("consent", pa.bool_(), "may behaviour and attributes be used to personalise", required=True),
        _column("consent_until", INSTANT, "when consent lapses; null while it has no end"),
        _column("locale", pa.string(), "preferred locale", required=True),
        _column("attributes", pa.map_(pa.string(), pa.string()), "optional: name, city, age_band, gender, country …", required=True),
    ]
)

EVENT_KINDS = ("view", "search", "cart", "purchase", "review", "cancellation")

EVENTS = pa.schema(
    [
        _column("event_id", pa.string(), "unique", required=True),
        _column("shopper_id", pa.string(), "who", required=True),
        _column("product_id", pa.string(), "what; null for a search"),
        _column("kind", pa.string(), "one of EVENT_KINDS", required=True),
        _column("value", pa.float64(), "purchase, cancellation: amount paid in currency; review: stars 1 to 5; cart: units"),
        _column("quantity", pa.int32(), "units bought or cancelled"),
        _column("currency", pa.string(), "ISO 4217 of value where it is money"),
        _column("text", pa.string(), "search terms or review text"),
        _column("at", INSTANT, "when", required=True),
    ]
)

SCHEMAS: dict[str, pa.Schema] = {"products": PRODUCTS, "price_history": PRICE_HISTORY, "shoppers": SHOPPERS, "events": EVENTS}

SHARES = pa.map_(pa.string(), pa.float32())

SESSIONS = pa.schema(
    [
        _column("shopper_id", pa.string(), "who; only shoppers who consent", required=True),
        _column(
            "session", pa.int32(), "1, 2, … for each shopper, in order of time; a gap of more than 30 minutes begins one", required=True
        ),
        _column("start", INSTANT, "first event", required=True),
        _column("end", INSTANT, "last event", required=True),
        _column("events", pa.int32(), "events in it; cancellations belong to no session", required=True),
        _column("products", pa.int32(), "different products touched", required=True),
        _column("converted", pa.bool_(), "did they buy", required=True),
    ]
)

SHOPPER_FEATURES = pa.schema(
    [
        _column("shopper_id", pa.string(), "who; only shoppers who consent and did something", required=True),
        _column(
            "recency_days", pa.float64(), "days from the last event to the anchor (now, or the log's last event if earlier)", required=True
        ),
        _column("days_since_first_seen", pa.float64(), "days from the first event to the anchor", required=True),
        _column("frequency", pa.int32(), "orders: instants at which they bought", required=True),
        _column("monetary", pa.float64(), "paid less matched cancellations, in `currency` only, major units", required=True),
        _column("currency", pa.string(), "ISO 4217, the one most of their purchases are in; null where none names one"),
        _column("other_currency_share", pa.float32(), "share of purchases in another currency, which monetary leaves out", required=True),
        _column("mean_basket", pa.float64(), "mean amount of an order in `currency`; null without one"),
        _column("sessions", pa.int32(), "visits", required=True),
        _column("cancelled_share", pa.float32(), "units taken back by matched cancellations / units bought", required=True),
        _column("category_affinity", SHARES, "kind (vertical where it has none) → share of weighted events, largest first", required=True),
        _column("brand_affinity", SHARES, "brand → share of weighted events of branded products, largest first", required=True),
        _column("price_quantile", pa.float32(), "0 to 1: where touched prices stand within their kind; null where unknown"),
        _column("price_band", pa.string(), "budget, mid or premium: the third that price_quantile is in"),
        _column("hours", pa.list_(pa.float32(), 24), "share of events in each hour of the clock of `timezone`", required=True),
        _column("weekdays", pa.list_(pa.float32(), 7), "share of events on each day, Monday first, in `timezone`", required=True),
        _column("timezone", pa.string(), "IANA zone of the locale's market; UTC where that is unknown", required=True),
        _column("channels", SHARES, "channel → share of events; empty where the events have no column `channel`", required=True),
        _column("search_terms", pa.list_(pa.string()), "up to 5, most frequent first, then latest", required=True),
    ]
)

PRODUCT_FEATURES = pa.schema(
    [
        _column("product_id", pa.string(), "every product of the catalogue", required=True),
        _column("views", pa.int64(), "views", required=True),
        _column("carts", pa.int64(), "times put in a cart", required=True),
        _column("purchases", pa.int64(), "order lines", required=True),
        _column("units", pa.int64(), "units bought", required=True),
        _column("cancelled_units", pa.int64(), "units sent back, as booked", required=True),
        _column("buyers", pa.int64(), "different shoppers who bought it", required=True),
        _column("conversion", pa.float64(), "share of those who viewed it that bought it; null without a view"),
        _column("repeat_rate", pa.float64(), "share of buyers that bought it in two sessions or more; null without a buyer"),
        _column("bought_again_days", pa.float64(), "mean days between a buyer's successive sessions that buy it; null where nobody did"),
        _column("reviews", pa.int64(), "reviews with stars", required=True),
        _column("mean_stars", pa.float64(), "1 to 5; null without a review"),
        _column("trend", pa.float64(), "-1 to 1: (last 14 days - the 14 before) / both, in views, carts and purchases; null where quiet"),
        _column("popularity", pa.float64(), "purchases halved every 30 days", required=True),
        _column("currencies", pa.list_(pa.string()), "currencies it was paid in; more than one is in the report", required=True),
    ]
)

SEGMENTS = pa.schema(
    [
        _column("segment", pa.int32(), "0, 1, … largest first", required=True),
        _column("name_en", pa.string(), "unique, made from what sets the segment apart", required=True),
        _column("name_zh", pa.string(), "the same in Chinese", required=True),
        _column("size", pa.int64(), "shoppers", required=True),
        _column("share", pa.float32(), "of all shoppers with features", required=True),
        _column("silhouette", pa.float32(), "mean over a sample of its shoppers, -1 to 1; null where there is one segment"),
        _column(
            "traits",
            pa.map_(pa.string(), pa.float32()),
            "trait → standard deviations from the mean shopper, strongest first",
            required=True,
        ),
    ]
)

SHOPPER_SEGMENTS = pa.schema(
    [
        _column("shopper_id", pa.string(), "who; only shoppers who consent", required=True),
        _column("segment", pa.int32(), "row of segments", required=True),
    ]
)

ASSOCIATIONS = pa.schema(
    [
        _column("antecedents", pa.list_(pa.string()), "products in the basket, in order of id", required=True),
        _column("consequent", pa.string(), "product that goes with them", required=True),
        _column("count", pa.int64(), "baskets with all of them", required=True),
        _column("support", pa.float64(), "count / baskets", required=True),
        _column("confidence", pa.float64(), "count / baskets with the antecedents", required=True),
        _column("lift", pa.float64(), "confidence / share of baskets with the consequent; 1 is chance", required=True),
        _column("leverage", pa.float64(), "support beyond chance", required=True),
    ]
)

DERIVED: dict[str, pa.Schema] = {
    "clean_events": EVENTS,
    "sessions": SESSIONS,
    "shopper_features": SHOPPER_FEATURES,
    "product_features": PRODUCT_FEATURES,
    "segments": SEGMENTS,
    "shopper_segments": SHOPPER_SEGMENTS,
    "associations": ASSOCIATIONS,
}
"""What `python -m retrieval.portrait SHOP` makes of the four tables."""

MARKET = pa.schema(
    [
        _column("from", pa.date32(), "first day, inclusive, in the locale's market", required=True),
        _column("until", pa.date32(), "last day, inclusive; not before `from`", required=True),
        _column("locale", pa.string(), "zh-CN, en-US or en-GB", required=True),
        _column("kind", pa.string(), "holiday (the merchant's own, or a known one moved) or competitor_promotion", required=True),
        _column("name", pa.string(), "one short line in the locale's language; a holiday's may stand in copy", required=True),
        _column("competitor", pa.string(), "who promotes; copy never names them. Null for a holiday"),
        _column("category", pa.string(), "vertical, kind or step of the merchant's category path; null for every product"),
        _column("discount_percent", pa.float32(), "20 for 20 % off, above 0 and below 100; null where unknown and for a holiday"),
    ]
)

PICTURE_VECTORS = pa.schema(
    [
        _column("product_id", pa.string(), "which product; one whose pictures can't be read has no row", required=True),
        _column("vector", pa.list_(pa.float32()), "mean of its pictures' unit vectors", required=True),
        _column("model", pa.string(), "version of the CLIP model that made it, the same in every row", required=True),
    ]
)

KNOWLEDGE = pa.schema(
    [
        _column("passage_id", pa.string(), "its name, once per locale", required=True),
        _column("locale", pa.string(), "zh-CN, en-US or en-GB", required=True),
        _column("asks", pa.list_(pa.string()), "ways in which people ask for it", required=True),
        _column("text", pa.string(), "the answer, in whole sentences", required=True),
        _column("version", pa.int64(), "increases with every change of the row", required=True),
    ]
)

OPTIONAL: dict[str, pa.Schema] = {"market": MARKET, "picture_vectors": PICTURE_VECTORS, "knowledge": KNOWLEDGE}
"""What a merchant may add: `python -m retrieval.market SHOP FILE.csv`, else a shop has the calendar's occasions; `python -m
multimodal.picture_vectors SHOP`, else recommenders know products by their text alone; `python -m retrieval.knowledge SHOP FILE.yaml`, else
a chat answers questions from the product's row alone."""
