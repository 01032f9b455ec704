"""What `benchmarks/train_response.py` does with tables, without any data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.train_response import cross_fitted, open_bandit, shown, told
from train.response import ResponseConfig
from train.shoppers.impressions import read_impressions


def log(rows: int = 1200) -> pd.DataFrame:
    """A made-up log in the columns of Open Bandit: two items, one of them clicked far more."""
    rng = np.random.default_rng(0)
    item = rng.integers(2, size=rows)
    return pd.DataFrame(
        {
            "timestamp": pd.Timestamp("2026-01-01 05:59:59.5", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="min"),
            "item_id": item,
            "position": rng.integers(1, 4, size=rows),
            "click": (rng.random(rows) < np.where(item == 1, 0.3, 0.05)).astype(int),
            "propensity_score": 0.5,
            **{f"user_feature_{i}": rng.choice(["a", "b"], rows) for i in range(4)},
            "user-item_affinity_0": np.arange(rows, dtype=float),
            "user-item_affinity_1": -np.arange(rows, dtype=float),
        }
    )


def items() -> pd.DataFrame:
    return pd.DataFrame(
        {"": [0, 1], "item_id": [0, 1], "item_feature_0": [0.5, -0.5], **{f"item_feature_{i}": ["x", "y"] for i in (1, 2, 3)}}
    )


def test_a_row_gets_the_affinity_and_features_of_the_item_that_was_shown():
    given = log()
    found = shown(given, items())
    assert found["affinity"].tolist() == [row if item == 0 else -row for row, item in enumerate(given["item_id"])]
    assert found["item_feature_0"].tolist() == [0.5 if item == 0 else -0.5 for item in given["item_id"]]
    assert found["hour"].tolist()[:2] == [5, 6]


def test_every_row_is_foretold_by_a_model_that_has_not_seen_it(tmp_path: Path):
    table = tmp_path / "log.parquet"
    shown(log(), items()).to_parquet(table)
    quick = {"strengths": (1.0,), "penalties": (1e-3,), "epochs": 3, "trees": 10}
    config = ResponseConfig.model_validate({"data": table, "out": tmp_path / "m", "features": ("item_id", "position"), **quick})
    impressions = read_impressions(config)
    chances = cross_fitted(impressions, config)
    assert set(chances) == {"logistic", "factorisation_machine", "gradient_boosting", "kept", "base_rate"}
    assert all(((said > 0) & (said < 1)).all() for said in chances.values())
    figures = told("x", chances, impressions, np.arange(len(impressions)))
    assert float(str(figures["x_logistic_roc_auc"]).split()[0]) > 0.65
    assert float(str(figures["x_base_rate_normalised_entropy"]).split()[0]) == pytest.approx(1, abs=0.01)
    assert figures["x_rows"] == 1200


def test_missing_data_is_one_line_each_and_no_figure(tmp_path: Path, capsys):
    assert open_bandit(tmp_path, tmp_path) == {}
    assert capsys.readouterr().out.count("left out: ") == 2
