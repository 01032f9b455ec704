"""The closed vocabularies that briefs, the copybook and the models share: product verticals and kinds, tones, occasions, intents.

Anything a merchant calls something else is mapped to these at ingestion; `GENERAL` is the vertical of a product that fits none.
"""

GENERAL = "general"

VERTICALS: dict[str, tuple[str, ...]] = {
    "fashion": ("outerwear", "dresses", "knitwear", "shoes", "bags"),
    "beauty": ("skincare", "makeup", "haircare", "fragrance", "suncare"),
    "home": ("bedding", "kitchenware", "lighting", "storage", "decor"),
    "food": ("tea", "coffee", "snacks", "pantry", "fruit"),
    "electronics": ("headphones", "keyboards", "speakers", "smartwatches", "chargers"),
    "sport": ("running", "yoga", "cycling", "camping", "swimming"),
    "books": ("novels", "picture_books", "cookbooks", "history", "self_growth"),
    "toys": ("building_blocks", "puzzles", "plush", "board_games", "ride_ons"),
    "finance": ("savings", "funds", "insurance", "credit_cards", "pensions"),
    "travel": ("luggage", "city_breaks", "hotels", "rail_passes", "travel_accessories"),
    "pet": ("cat_food", "dog_food", "pet_beds", "pet_toys", "grooming"),
    "baby": ("feeding", "strollers", "baby_clothing", "bath", "nursery"),
}
"""Vertical → the kinds of product in it."""

TONES = ("warm", "playful", "elegant", "urgent", "plain", "expert")

OCCASIONS = (
    "everyday",
    "spring",
    "summer",
    "autumn",
    "winter",
    "new_year",
    "spring_festival",
    "valentines",
    "womens_day",
    "childrens_day",
    "mid_year_sale",
    "back_to_school",
    "mid_autumn",
    "singles_day",
    "black_friday",
    "christmas",
    "birthday",
)

INTENTS = ("recommend", "price", "quality", "hesitation", "stock", "complaint", "question", "unknown")
"""What the shopper wants in a chat; only `chat_reply` copy has one. `question` is one that the shop's own texts answer, `unknown` one that
they don't."""
