"""Does the response model choose better copy? On shoppers whose law is known: `python -m benchmarks.choice`.

4,000 moments of the sample shop that the shipped model did not learn from (another seed), each with four pieces of copy that differ in
principles, persuasion and mood. Figures are the law's own chance of a click (`demo/response_law.py`) of the piece that is chosen

random       any of the four: their mean
scores       by persuasion and mood, as the graph ranks without a response model
response     with the model, as it ranks with one (serve/ranking.py)
law          the best of the four: no choice can do better

with 95 % intervals by shopper, and as ratios to `scores`. Simulated: how much real shoppers differ between pieces only their answers tell.
"""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.impression import COLUMNS
from artifacts.response import ResponseModel
from artifacts.response_features import Floats
from benchmarks.record import Figures, record
from demo.response_law import click_log_odds
from demo.responses import drawn_copy, responses, shown_of, sigmoid
from demo.shop import build
from demo.training_data import DAY
from retrieval.catalogue import Catalogue
from serve.config import ROOT
from serve.exchange import PersuasionScore, ResponseScore, SentimentScore
from serve.ranking import judge
from serve.scorers.response import opened

SEED = 21
MOMENTS = 4000
PIECES = 4
_RESAMPLES = 2000


def pieces_of(shop: Path, seed: int, moments: int) -> list[list[dict[str, Any]]]:
    """(moments, PIECES) rows of `demo/responses.py` that differ in their copy alone."""
    rng = np.random.default_rng([seed, 1])
    catalogue = Catalogue.read(shop)
    rows = responses(shop, datetime.combine(DAY, time(tzinfo=UTC)), seed, moments).to_pylist()
    return [[row | drawn_copy(catalogue.product(row["product_id"], row["locale"]), row["at"], rng) for _ in range(PIECES)] for row in rows]


def utilities(rows: list[dict[str, Any]], model: ResponseModel | None) -> Floats:
    """(n,) rows → what the graph makes of their scores, with the model or without."""
    blank = dict.fromkeys(COLUMNS)
    chances = model.probability([blank | row for row in rows]).tolist() if model else [None] * len(rows)
    return np.array([_utility(row, chance, model) for row, chance in zip(rows, chances, strict=True)])


def _utility(row: Mapping[str, Any], chance: float | None, model: ResponseModel | None) -> float:
    mood = SentimentScore(1 - row["sentiment"], 0.0, row["sentiment"])
    response = ResponseScore(model.outcome, chance, model.rate) if model and chance is not None else None
    return judge(PersuasionScore(row["persuasion"], {}), mood, None, "warm", None, response=response).utility


def chosen(moments: list[list[dict[str, Any]]], model: ResponseModel) -> dict[str, Floats]:
    """Way of choosing → (moments,) the law's chance of a click of what it chooses."""
    rows = [row for pieces in moments for row in pieces]
    law = sigmoid(click_log_odds(shown_of({name: [row[name] for row in rows] for name in rows[0]})))
    by_moment = law.reshape(len(moments), PIECES)
    each = np.arange(len(moments))
    picks = {
        name: utilities(rows, given).reshape(by_moment.shape).argmax(axis=1) for name, given in (("scores", None), ("response", model))
    }
    return {"random": by_moment.mean(axis=1), **{name: by_moment[each, pick] for name, pick in picks.items()}, "law": by_moment.max(axis=1)}


def told(chances: Mapping[str, Floats], shoppers: list[str], seed: int) -> Figures:
    """Means and ratios to `scores` with intervals of resampled shoppers."""
    _, place = np.unique(shoppers, return_inverse=True)
    groups = place.max() + 1
    sums = {name: np.bincount(place, values) for name, values in chances.items()}
    sizes = np.bincount(place)
    drawn = np.random.default_rng(seed).integers(groups, size=(_RESAMPLES, groups))
    means = {name: total[drawn].sum(axis=1) / sizes[drawn].sum(axis=1) for name, total in sums.items()}
    figures: Figures = {"moments": len(shoppers), "shoppers": int(groups)}
    for name, values in chances.items():
        figures[f"{name}_click"] = _with_interval(float(values.mean()), means[name])
        if name != "scores":
            figures[f"{name}_over_scores"] = _with_interval(float(values.mean() / chances["scores"].mean()), means[name] / means["scores"])
    return figures


def _with_interval(value: float, resampled: Floats) -> str:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def main() -> None:
    """The command line."""
    model = opened(ROOT / "models" / "response")
    with tempfile.TemporaryDirectory() as directory:
        shop = Path(directory)
        build(shop, today=DAY, render=lambda *_: [])
        moments = pieces_of(shop, SEED, MOMENTS)
    figures = told(chosen(moments, model), [pieces[0]["shopper_id"] for pieces in moments], SEED)
    print(*(f"{key} {value}" for key, value in figures.items()), sep="\n")
    record("choice", figures, SEED, "python -m benchmarks.choice")


if __name__ == "__main__":
    main()
