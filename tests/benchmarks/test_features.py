"""The made-up events of `benchmarks/features.py` are a shop like any other, and the same each time."""

import pyarrow.parquet as pq

from benchmarks.features import made_up
from retrieval import tables
from tests.retrieval.behaviour.behaviourkit import portrait


def test_the_made_up_shop_is_the_same_each_time_and_its_taps_are_found(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made_up(tmp_path / name, 2000)
    assert tables.read(tmp_path / "one", "events").equals(tables.read(tmp_path / "two", "events"))
    assert pq.read_metadata(tables.path_of(tmp_path / "one", "events")).num_rows == 2000
    summary = portrait(tmp_path / "one")
    refused = {rule["rule"]: rule["rows"] for rule in summary["rules"] if rule["action"] == "refused"}
    assert refused["repeated_tap"] > 10
