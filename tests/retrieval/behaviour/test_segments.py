"""Segments: planted groups are found again, names differ and say what sets them apart, few features are enough to place somebody."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from copywriting.taxonomy import GENERAL, VERTICALS
from retrieval.behaviour.segment_names import KINDS_ZH, names
from retrieval.behaviour.segments import SegmentModel, find_segments
from retrieval.schemas import SHOPPER_FEATURES
from retrieval.tables import TableError

KIND_OF = ("tea", "shoes", "novels", "yoga", "luggage")
EACH = 40


def shopper(number: int, group: int, rng: np.random.Generator) -> dict[str, Any]:
    """Somebody of a planted group: its kind, hour, price and frequency, with noise."""
    hours = [0.0] * 24
    hours[(3, 9, 14, 20, 21)[group]] = 0.9
    hours[int(rng.integers(24))] += 0.1
    orders = int(rng.poisson((1, 12, 3, 30, 1)[group])) + 1
    return {
        "shopper_id": f"s{number}", "recency_days": float(rng.gamma(2, 5)), "days_since_first_seen": 90.0, "frequency": orders,
        "monetary": orders * float(rng.gamma(20, 2)), "currency": "GBP", "other_currency_share": 0.0, "mean_basket": 40.0,
        "sessions": orders + int(rng.poisson(4)), "cancelled_share": 0.0,
        "category_affinity": [(KIND_OF[group], 0.9), (KIND_OF[(group + 1) % 5], 0.1)],
        "brand_affinity": [], "price_quantile": float(np.clip(0.1 + 0.2 * group + rng.normal(0, 0.03), 0, 1)), "price_band": "mid",
        "hours": hours, "weekdays": [1 / 7] * 7, "timezone": "UTC", "channels": [], "search_terms": [],
    }  # fmt: skip


def planted(folder: Path, count: int = 5 * EACH) -> tuple[Path, list[int]]:
    """A features file, and the group of each row."""
    rng = np.random.default_rng(3)
    groups = [number % 5 for number in range(count)]
    rows = [shopper(number, group, rng) for number, group in enumerate(groups)]
    path = folder / "shopper_features.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SHOPPER_FEATURES), path)
    return path, groups


def test_planted_groups_are_found_again_and_named_apart(tmp_path):
    path, groups = planted(tmp_path)
    found = find_segments(path)
    pairs = set(zip(groups, found.labels.tolist(), strict=True))
    assert len(pairs) == 5
    rows = found.table().to_pylist()
    assert len({row["name_en"] for row in rows}) == len({row["name_zh"] for row in rows}) == 5
    assert [row["size"] for row in rows] == [EACH] * 5
    assert all(row["silhouette"] > 0.4 for row in rows)
    english = {group: rows[label]["name_en"] for group, label in pairs}
    chinese = {group: rows[label]["name_zh"] for group, label in pairs}
    for group, kind in enumerate(KIND_OF):
        assert kind in english[group]
        assert KINDS_ZH[kind] in chinese[group]
    assert "budget-minded" in english[0]
    assert "premium-minded" in english[4]


def test_the_same_seed_gives_the_same_segments(tmp_path):
    path, _ = planted(tmp_path)
    assert find_segments(path, 5).table().equals(find_segments(path, 5).table())


def test_a_new_shopper_is_placed_by_whatever_is_known(tmp_path):
    path, groups = planted(tmp_path)
    found = find_segments(path)
    found.model.save(tmp_path / "segment_model.json")
    model = SegmentModel.read(tmp_path)
    for group, kind in enumerate(KIND_OF):
        assert model.assign({"category_affinity": {kind: 1.0}}) == found.labels[groups.index(group)]
    assert model.assign({"price_quantile": 0.1}) == found.labels[groups.index(0)]
    assert model.assign({}) == 0
    everybody = pq.read_table(path).to_pylist()
    assert model.assign_all(everybody).tolist() == found.labels.tolist()


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_to_divide_are_one_segment(tmp_path, count):
    path, _ = planted(tmp_path, count)
    found = find_segments(path)
    assert found.table().num_rows == min(count, 1)
    assert found.model.assign({"price_quantile": 0.5}) == 0
    assert f"{count} shoppers are too few" in found.remarks[0]


def test_names_that_would_be_alike_say_more_until_they_differ():
    alike = {"frequency": 1.0, "tea": 0.9}
    made = names(
        [
            alike | {"evening": 1.0},
            alike | {"evening": 1.0, "monetary": 0.8, "weekend": 0.5},
            alike | {"evening": 1.0, "monetary": 0.8},
            alike,
            alike,
        ]
    )
    assert len({name.en for name in made}) == len({name.zh for name in made}) == 5
    assert made[0].en == "Loyal evening buyers of tea"
    assert made[0].zh == "晚间爱茶的老顾客"


def test_every_kind_has_a_chinese_name():
    assert {*VERTICALS, GENERAL, *(kind for kinds in VERTICALS.values() for kind in kinds)} <= KINDS_ZH.keys()


def test_a_shop_without_segments_says_how_to_make_them(tmp_path):
    with pytest.raises(TableError, match=r"segment_model\.json: no such model; make it with"):
        SegmentModel.read(tmp_path)
