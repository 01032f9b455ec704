"""A shopper's features as a standardised vector: what segments are made of, and how a shopper with few features is compared.

Blocks: logarithms of recency, frequency, money (standardised within each currency) and visits, with orders per visit; price quantile;
parts of the day and the weekend; kinds, reduced by a truncated SVD. Every block weighs the same however many columns it has. What is
unknown is NaN.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LOGS = ("recency_days", "frequency", "monetary", "sessions")
ORDERS = "orders_per_visit"
DAYPARTS = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
MAX_KINDS = 60
MAX_TASTES = 8
WIDEST = 6.0
"""Deviations beyond which a value says no more: one millionaire is not a segment."""
_NO_CURRENCY = ""

Features = Mapping[str, Any]
"""A row of shopper_features, or some of its columns."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How features become vectors. `columns` are named numbers, `center` and `scale` theirs; `money` currency → (mean, deviation) of the
    logarithm; `kinds` the affinities looked at, `tastes` (t, kinds) their directions; `weights` (d,) of the final columns."""

    columns: list[str]
    center: list[float]
    scale: list[float]
    money: dict[str, list[float]]
    kinds: list[str]
    tastes: list[list[float]]
    weights: list[float]

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def traits(self, rows: Sequence[Features]) -> Values:
        """(n, columns) named numbers in standard deviations from the mean shopper; NaN where unknown."""
        raw = raw_numbers(rows, self.kinds, self.money)
        clipped: Values = np.clip((raw - np.array(self.center)) / np.array(self.scale), -WIDEST, WIDEST)
        return clipped

    def vectors(self, rows: Sequence[Features]) -> Values:
        """(n, d) weighted columns; affinities in their reduced directions. NaN where unknown."""
        traits = self.traits(rows)
        plain = len(self.columns) - len(self.kinds)
        tastes = traits[:, plain:] @ np.array(self.tastes).reshape(len(self.tastes), len(self.kinds)).T
        weighted: Values = np.hstack([traits[:, :plain], tastes]) * np.array(self.weights)
        return weighted


def raw_numbers(rows: Sequence[Features], kinds: Sequence[str], money: Mapping[str, Sequence[float]]) -> Values:
    """(n, plain + kinds) numbers before standardising; NaN where a feature is not there."""
    at = {kind: number for number, kind in enumerate(kinds)}
    made = np.full((len(rows), len(PLAIN) + len(kinds)), np.nan)
    for number, row in enumerate(rows):
        made[number, : len(PLAIN)] = _plain(row, money)
        affinity = row.get("category_affinity")
        if affinity:
            made[number, len(PLAIN) :] = 0.0
            for kind, share in dict(affinity).items():
                if kind in at:
                    made[number, len(PLAIN) + at[kind]] = share
    return made


PLAIN = (*LOGS, ORDERS, "price_quantile", *DAYPARTS, "weekend")


def _plain(row: Features, money: Mapping[str, Sequence[float]]) -> list[float]:
    numbers = {name: np.log1p(row[name]) for name in LOGS if row.get(name) is not None}
    if "monetary" in numbers:
        mean, deviation = money.get(row.get("currency") or _NO_CURRENCY, (np.nan, 1.0))
        numbers["monetary"] = (numbers["monetary"] - mean) / deviation
    if row.get("frequency") is not None and row.get("sessions"):
        numbers[ORDERS] = row["frequency"] / row["sessions"]
    if row.get("price_quantile") is not None:
        numbers["price_quantile"] = row["price_quantile"]
    if hours := row.get("hours"):
        numbers |= {part: sum(hours[begin:end]) for part, (begin, end) in DAYPARTS.items()}
    if days := row.get("weekdays"):
        numbers["weekend"] = sum(days[5:])
    return [float(numbers.get(name, np.nan)) for name in PLAIN]


def fit(rows: Sequence[Features], seed: int) -> Encoding:
    """Learn the encoding from the features of all shoppers, or of a sample."""
    from sklearn.decomposition import TruncatedSVD

    kinds = _frequent_kinds(rows)
    money = _money_scales(rows)
    raw = raw_numbers(rows, kinds, money)
    center = np.array([float(np.mean(known)) if len(known := column[~np.isnan(column)]) else 0.0 for column in raw.T])
    spread = np.array([float(np.std(known)) if len(known := column[~np.isnan(column)]) else 0.0 for column in raw.T])
    scale = np.where(spread > 1e-9, spread, 1.0)
    affinity = np.nan_to_num(np.clip((raw - center) / scale, -WIDEST, WIDEST)[:, len(PLAIN) :])
    size = min(MAX_TASTES, affinity.shape[1] - 1, affinity.shape[0] - 1)
    tastes = TruncatedSVD(size, random_state=seed).fit(affinity).components_ if size > 0 else np.eye(len(kinds))
    weights = _weights(affinity @ tastes.T)
    return Encoding([*PLAIN, *kinds], center.tolist(), scale.tolist(), money, kinds, tastes.tolist(), weights.tolist())


def _weights(tastes: Values) -> Values:
    """(d,) so that each block's expected squared length is 1: logs, price, habits, tastes."""
    blocks = (len(LOGS) + 1, 1, len(DAYPARTS) + 1)
    plain = [1 / np.sqrt(size) for size in blocks for _ in range(size)]
    length = float(np.sqrt((tastes**2).sum(axis=1).mean())) if tastes.size else 1.0
    return np.array([*plain, *([1 / max(length, 1e-9)] * tastes.shape[1])])


def _frequent_kinds(rows: Sequence[Features]) -> list[str]:
    """The kinds with the largest share in all, by name."""
    total: dict[str, float] = {}
    for row in rows:
        for kind, share in dict(row["category_affinity"]).items():
            total[kind] = total.get(kind, 0.0) + share
    return sorted(sorted(total, key=lambda kind: (-total[kind], kind))[:MAX_KINDS])


def _money_scales(rows: Sequence[Features]) -> dict[str, list[float]]:
    """Mean and deviation of log money in each currency: 100 CNY and 100 GBP are not the same wealth."""
    by_currency: dict[str, list[float]] = {}
    for row in rows:
        if row.get("monetary") is not None:
            by_currency.setdefault(row.get("currency") or _NO_CURRENCY, []).append(float(np.log1p(row["monetary"])))
    return {currency: [float(np.mean(logs)), float(np.std(logs)) or 1.0] for currency, logs in sorted(by_currency.items())}
