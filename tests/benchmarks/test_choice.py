"""What `benchmarks/choice.py` makes of moments, without the shop."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.choice import PIECES, chosen, told

CALM = {"channel": "push", "hour": 20, "vertical": "food", "kind": "tea", "locale": "en-GB", "age_band": "25-34", "gender": "female"}
CALM |= {"interests": ["food"], "affinity": 0.3, "price_level": 0.5, "discount": 0.0, "rating": 4.5}


def moments(count: int) -> list[list[dict]]:
    """Pieces of which the second is the likeliest to be clicked; the fourth has the best mood, and is a little too merry."""
    looks = [(0.5, 0.7), (0.84, 0.7), (0.6, 0.1), (0.7, 0.99)]
    return [[CALM | {"principles": ["benefit"], "persuasion": p, "sentiment": s} for p, s in looks] for _ in range(count)]


def test_every_way_of_choosing_is_given_the_chance_of_its_own_choice():
    knowing = SimpleNamespace(probability=lambda rows: np.array([0.4 if row["persuasion"] == 0.84 else 0.01 for row in rows]))
    knowing.outcome, knowing.rate = "click", 0.05
    chances = chosen(moments(3), knowing)
    assert list(chances) == ["random", "scores", "response", "law"]
    assert all(values.shape == (3,) for values in chances.values())
    assert (chances["random"] < chances["law"]).all() and (chances["scores"] < chances["law"]).all()
    assert chances["response"] == pytest.approx(chances["law"])


def test_ratios_and_intervals_are_by_shopper():
    rng = np.random.default_rng(0)
    base = rng.random(400)
    figures = told({"scores": base, "response": 1.1 * base}, [f"s{i // PIECES}" for i in range(400)], 0)
    assert (figures["moments"], figures["shoppers"]) == (400, 100)
    assert figures["response_over_scores"] == "1.1000 [1.1000, 1.1000]"
    low, high = (float(each.strip("[],")) for each in str(figures["scores_click"]).split()[1:])
    assert low < base.mean() < high
