"""Impressions that the tests of response models learn from."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from train.response import ResponseConfig
from train.shoppers.impressions import ImpressionsConfig, parts, read_impressions

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"strengths": (0.1, 1.0), "penalties": (1e-3,), "epochs": 12, "trees": 40, "learning_rate": 0.02, "batch_size": 256}


def table(rows: int = 3000, seed: int = 0) -> pa.Table:
    """Impressions whose click depends on the channel, the principles and the price; some values are missing."""
    rng = np.random.default_rng(seed)
    channel, price = rng.choice(["push", "sms", "email", "banner"], rows), rng.gamma(4, 5, rows)
    value = rng.random(rows) < 0.4
    logits = -1.5 + 1.2 * (channel == "push") - 0.8 * (channel == "banner") + value * (1.0 - 0.04 * price) - 0.02 * price
    clicked = rng.random(rows) < 1 / (1 + np.exp(-logits))
    return pa.table(
        {
            "event_id": [f"e{i}" for i in range(rows)],
            "at": pa.array(np.arange(rows) * 60, pa.timestamp("s")),
            "shopper": [f"s{i}" for i in rng.integers(rows // 10, size=rows)],
            "channel": pa.array([None if rng.random() < 0.05 else each for each in channel.tolist()]),
            "hour": pa.array(rng.integers(24, size=rows), pa.int8()),
            "member": rng.random(rows) < 0.5,
            "principles": [["value", "liking"] if each else ["liking"] if i % 3 else [] for i, each in enumerate(value)],
            "price": pa.array([None if rng.random() < 0.1 else each for each in price.tolist()]),
            "version": [1] * rows,
            "click": clicked.astype(int),
            "conversion": (clicked & (rng.random(rows) < 0.5)).astype(int),
        }
    )


def written(directory: Path, given: pa.Table) -> Path:
    path = directory / "impressions.parquet"
    pq.write_table(given, path)
    return path


def config_for(directory: Path, given: pa.Table, **more) -> ResponseConfig:
    settings = {"data": written(directory, given), "out": directory / "response", "time": "at", "cluster": "shopper", **QUICK, **more}
    return ResponseConfig.model_validate(settings)


def examples(config: ImpressionsConfig):
    """(encoding, training, validation, test)."""
    impressions = read_impressions(config)
    rows = parts(impressions, config)
    encoding = impressions.encoding(rows["training"], config)
    everything = impressions.examples(encoding)
    return encoding, *(everything.take(rows[name]) for name in ("training", "validation", "test"))
