"""What may be known of an impression before anybody sees it: the columns that a response model of the graph reads.

A model learns from a table that has some of them under these names (`train.response` with `features: served`), and the graph fills in all
of them for each piece of copy (`serve/impressions.py`). `POST /v1/copy` with `explain` says them: joined with what the shopper did, they
are rows of such a table. `demo/responses.py` simulates one.
"""

COLUMNS = {
    "locale": "of the copy",
    "hour": "0 to 23, by the clocks of the locale's market",
    "weekday": "0 for Monday, by the same",
    "age_band": "of the shopper; like all that is theirs null without consent",
    "gender": "of the shopper",
    "interests": "verticals with a share of at least 0.15 in what the shopper did (retrieval/leanings.py)",
    "affinity": "share of the product's vertical in what the shopper did, 0 to 1",
    "product_id": "of the catalogue",
    "brand": "of the product",
    "vertical": "of the product",
    "kind": "of the product",
    "price_level": "rank of the product's price within its kind, 0 the cheapest, 1 the dearest",
    "discount": "share that the running offer takes off one piece, 0 to 1",
    "rating": "of the product, 0 to 5",
    "channel": "where the copy is shown",
    "tone": "that was asked for",
    "occasion": "that the copy is written for",
    "principles": "that the copy appeals to, by the persuasion scorer",
    "persuasion": "score, 0 to 1",
    "sentiment": "how well the copy's mood suits, 0 to 1",
    "image_fit": "score, 0 to 1",
    "characters": "of the copy",
}
"""Column → what it says. A score that a stage could not give is null."""
