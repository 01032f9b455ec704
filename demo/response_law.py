"""The law by which the sample shop's simulated shoppers answer: log-odds of a click, and of a conversion after it.

It is made of what a row of `demo/responses.py` says and of nothing else, so whatever a model misses is the model's own. Single terms a
logistic regression can learn; pairs (channel and hour, principle and product, interest and price) need a factorisation machine or trees,
curves (interest that is satisfied, mood, too much pressure) need trees.

| term | log-odds |
|---|---|
| channel; push and social in the evening, email in the morning, SMS at noon | -0.9 to 0.5; up to 0.7 more, 0.5 less at the wrong hour |
| affinity, full from 0.4 on | up to 1.2, more where the copy persuades |
| price level | down to -1.2, for those who care little for the category |
| discount; with the principle value | 1.2 times; 3 times more |
| social proof / authority / scarcity | good with the young / in categories of trust / for what is cheap, else it costs a little |
| persuasion; beyond 0.85 it presses | 1.5 times; 6 times less |
| sentiment | best at 0.7 |
| rating | 0.25 a star |
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEVEL, _CONVERSION_LEVEL = -3.7, -2.0
_OF_CHANNEL = {"product_page": 0.5, "email": -0.1, "push": 0.0, "sms": 0.1, "banner": -0.9, "social": -0.3}
_MORNING, _NOON, _EVENING = (7, 10), (11, 14), (18, 23)
_AT_HOURS = {
    ("push", _EVENING): 0.7,
    ("push", _MORNING): -0.5,
    ("email", _MORNING): 0.7,
    ("email", _EVENING): -0.4,
    ("sms", _NOON): 0.7,
    ("social", _EVENING): 0.5,
}
_FULL_PULL = 0.4
"""Affinity from which on a product could not pull more."""
_TRUSTING = ("finance", "beauty", "baby")
_YOUNG = ("18-24", "25-34")


@dataclass(frozen=True, slots=True)
class Shown:
    """Impressions as columns, each (n,): what the law reads. `uses` says of each principle whether the copy appeals to it."""

    channel: NDArray[np.str_]
    hour: NDArray[np.int64]
    vertical: NDArray[np.str_]
    age_band: NDArray[np.str_]
    uses: Mapping[str, Mask]
    affinity: Floats
    persuasion: Floats
    sentiment: Floats
    price_level: Floats
    discount: Floats
    rating: Floats


def click_log_odds(shown: Shown) -> Floats:
    """The law. (n,) log-odds of a click."""
    pull = np.minimum(shown.affinity / _FULL_PULL, 1)
    odds = _LEVEL + np.vectorize(_OF_CHANNEL.__getitem__)(shown.channel).astype(np.float64)
    for (channel, (begin, end)), effect in _AT_HOURS.items():
        odds += effect * ((shown.channel == channel) & (shown.hour >= begin) & (shown.hour < end))
    odds += pull * (1.2 + 1.5 * (shown.persuasion - 0.65))
    odds -= 1.2 * shown.price_level * (1 - pull)
    odds += 1.2 * shown.discount + 0.25 * (shown.rating - 4)
    odds += 3.0 * shown.discount * shown.uses["value"]
    odds += shown.uses["social_proof"] * np.where(np.isin(shown.age_band, _YOUNG), 0.6, -0.2)
    odds += shown.uses["authority"] * np.where(np.isin(shown.vertical, _TRUSTING), 0.7, -0.2)
    odds += shown.uses["scarcity"] * np.where(shown.price_level < 0.5, 0.6, -0.4)
    odds += 1.5 * (shown.persuasion - 0.65) - 6.0 * np.maximum(shown.persuasion - 0.85, 0)
    return np.asarray(odds - 5.0 * (shown.sentiment - 0.7) ** 2)


def conversion_log_odds(shown: Shown) -> Floats:
    """(n,) log-odds that a click converts: what was wanted and is cheap is bought."""
    kept = np.isin(shown.channel, ("product_page", "email"))
    worth = 2.5 * shown.discount - 1.0 * shown.price_level + 0.6 * (shown.rating - 4)
    return np.asarray(_CONVERSION_LEVEL + 0.9 * np.minimum(shown.affinity / _FULL_PULL, 1) + 0.5 * kept + worth)
