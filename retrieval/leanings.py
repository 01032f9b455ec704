"""What a shopper leans towards: the share that each vertical has in what they did.

A response model reads it of every impression, so the simulation that it learns from and the graph that it serves in compute it here.
Nothing fades and nothing is forgotten: how lately something happened is the recommenders' business.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

EVENT_WEIGHTS = {"view": 1.0, "search": 2.0, "cart": 3.0, "purchase": 5.0, "review": 1.0}
"""How much an event of a kind says of what a shopper likes."""
MAX_INTERESTS = 3
LEAST_INTEREST = 0.15
"""Share of a shopper's weighted events from which on a vertical is an interest."""


def leanings(done: Iterable[tuple[str, str]]) -> dict[str, float]:
    """(kind of event, vertical) of everything that a shopper did → vertical → its share by `EVENT_WEIGHTS`, the largest first; nothing for
    whoever did nothing that counts."""
    weights: defaultdict[str, float] = defaultdict(float)
    for kind, vertical in done:
        weights[vertical] += EVENT_WEIGHTS.get(kind, 0.0)
    total = sum(weights.values())
    return {vertical: weight / total for vertical, weight in sorted(weights.items(), key=lambda item: -item[1])} if total else {}


def interests(shares: Mapping[str, float]) -> list[str]:
    """The verticals of `leanings` that are interests, the strongest first."""
    return [vertical for vertical, share in list(shares.items())[:MAX_INTERESTS] if share >= LEAST_INTEREST]
