"""What the graph knows of an impression before anybody sees it, in the columns of `artifacts/impression.py`.

    rows = impressions(found, brief, now, candidates, persuasion, moods, images)      # one for each candidate

Pure: nothing here waits for a stage.
"""

from collections.abc import Sequence
from datetime import datetime

from copywriting.brief import Brief
from copywriting.facts import clock_in
from copywriting.prices import share_off
from retrieval.leanings import interests
from serve.exchange import Found, ImageMatch, PersuasionScore
from serve.trace import Candidate

Impression = dict[str, object]


def impressions(
    found: Found,
    brief: Brief,
    now: datetime,
    candidates: Sequence[Candidate],
    persuasion: Sequence[PersuasionScore | None],
    moods: Sequence[float | None],
    images: Sequence[ImageMatch | None],
) -> list[Impression]:
    """(n,) candidates and their scores → n rows with every column of `artifacts.impression.COLUMNS`."""
    shared = _circumstances(found, brief, now)
    return [
        shared
        | {
            "principles": list(score.shown) if score else None,
            "persuasion": score.persuasive if score else None,
            "sentiment": mood,
            "image_fit": image.fit if image else None,
            "characters": len(candidate.copy.text),
        }
        for candidate, score, mood, image in zip(candidates, persuasion, moods, images, strict=True)
    ]


def _circumstances(found: Found, brief: Brief, now: datetime) -> Impression:
    """What all candidates of a request share."""
    product, shopper = found.products[0][0], found.shopper
    clock = clock_in(now, found.locale)
    known = shopper.personalise
    return {
        "locale": found.locale,
        "hour": clock.hour,
        "weekday": clock.weekday(),
        "age_band": shopper.attributes.get("age_band") if known else None,
        "gender": shopper.attributes.get("gender") if known else None,
        "interests": interests(found.leanings) if known else None,
        "affinity": found.leanings.get(product.vertical, 0.0) if known else None,
        "product_id": product.product_id,
        "brand": product.brand,
        "vertical": product.vertical,
        "kind": product.kind,
        "price_level": found.price_levels.get(product.product_id),
        "discount": share_off(product, now),
        "rating": product.rating,
        "channel": brief.channel.name,
        "tone": brief.tone,
        "occasion": brief.occasion,
    }
