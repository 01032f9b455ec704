"""Simulated impressions: who is shown what, and a law that single features can't tell the whole of."""

import datetime
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from artifacts.impression import COLUMNS
from copywriting.channels import CHANNELS
from copywriting.check import Copy
from copywriting.facts import clock_in
from copywriting.principles import PRINCIPLES
from copywriting.shopper import Shopper
from demo import training_data
from demo.response_law import Shown, click_log_odds, conversion_log_odds
from demo.responses import DAYS, SCHEMA, write_responses
from retrieval import tables
from retrieval.catalogue import Catalogue
from retrieval.features import consenting
from retrieval.leanings import leanings
from serve.exchange import Found, PersuasionScore
from serve.impressions import impressions
from serve.trace import Candidate
from tests.demo.conftest import TODAY
from tests.fakes import ROOT, brief_for, facts_for

NOW = datetime.datetime.combine(TODAY, datetime.time(tzinfo=datetime.UTC))
COUNT = 6000


@pytest.fixture(scope="module")
def rows(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return pq.read_table(write_responses(shop, tmp_path_factory.mktemp("training"), NOW, 3, COUNT)).to_pylist()


def one(uses: tuple[str, ...] = (), **changes) -> Shown:
    """A single impression: a push at nine in the evening for something of middling interest."""
    held = {"channel": "push", "hour": 21, "vertical": "home", "age_band": "45-54"}
    numbers = {"affinity": 0.2, "persuasion": 0.65, "sentiment": 0.7, "price_level": 0.5, "discount": 0.0, "rating": 4.0}
    columns = {name: np.array([value]) for name, value in (held | numbers | changes).items()}
    return Shown(**columns, uses={name: np.array([name in uses]) for name in PRINCIPLES})


def gain(before: dict, after: dict, law=click_log_odds) -> float:
    """How much more likely, in log-odds, the second is."""
    return float(law(one(**before | after))[0] - law(one(**before))[0])


def test_the_same_seed_writes_the_same_file_and_another_seed_another(shop: Path, tmp_path: Path):
    files = [write_responses(shop, tmp_path / name, NOW, seed, 300).read_bytes() for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert files[0] == files[1] != files[2]


def test_impressions_lie_in_the_four_weeks_after_the_shops_events_in_order(shop: Path, rows: list[dict]):
    instants = [row["at"] for row in rows]
    assert instants == sorted(instants)
    assert tables.read(shop, "events")["at"].to_pylist()[-1] < instants[0]
    clocks = [clock_in(row["at"], row["locale"]) for row in rows]
    assert [clock.hour for clock in clocks] == [row["hour"] for row in rows]
    days = {(clock.date() - TODAY).days for clock in clocks}
    assert (min(days), max(days)) == (1, DAYS)
    assert len({row["event_id"] for row in rows}) == COUNT


def test_only_who_consents_to_the_end_is_shown_anything(shop: Path, rows: list[dict]):
    end = NOW + datetime.timedelta(days=DAYS + 1)
    assert {row["shopper_id"] for row in rows} <= set(consenting(tables.read(shop, "shoppers"), end)["shopper_id"].to_pylist())


def test_rows_are_of_the_shop_and_name_its_channels_and_principles(shop: Path, rows: list[dict]):
    products = {(row["product_id"], row["locale"]): row for row in tables.read(shop, "products").to_pylist()}
    for row in rows:
        product = products[row["product_id"], row["locale"]]
        assert (row["vertical"], row["kind"]) == (product["vertical"], product["kind"])
        assert product["stock"] != 0
        assert row["channel"] in CHANNELS and 1 <= len(row["principles"]) <= 2 and set(row["principles"]) <= set(PRINCIPLES)
        assert 0 <= row["discount"] < 1 and 0 <= row["price_level"] <= 1 and 0 <= row["affinity"] <= 1
    assert any(row["discount"] > 0 for row in rows) and any(row["age_band"] is None for row in rows)


def test_a_row_says_of_an_impression_what_the_graph_says(shop: Path, rows: list[dict]):
    """A model that learned from one serves in the other."""
    catalogue = Catalogue.read(shop)
    done = defaultdict(list)
    for event in tables.read(shop, "events").to_pylist():
        if event["product_id"]:
            done[event["shopper_id"]].append((event["kind"], catalogue.vertical_of(event["product_id"])))
    for row in rows[:: COUNT // 200]:
        product = catalogue.product(row["product_id"], row["locale"])
        shopper = Shopper(row["shopper_id"], row["locale"], True, {key: row[key] for key in ("age_band", "gender") if row[key]})
        levels = {product.product_id: catalogue.price_level(product)}
        found = Found(shopper, row["locale"], ((product, 1.0, ""),), None, leanings=leanings(done[row["shopper_id"]]), price_levels=levels)
        brief = brief_for(product, facts_for(product), channel=row["channel"])
        score = PersuasionScore(row["persuasion"], dict.fromkeys(row["principles"], 0.9))
        candidate = Candidate(Copy("", "", {}, ()), "model")
        (served,) = impressions(found, brief, row["at"], [candidate], [score], [row["sentiment"]], [None])
        shared = COLUMNS.keys() & row.keys()
        assert COLUMNS.keys() - shared == {"weekday", "brand", "tone", "occasion", "image_fit", "characters"}
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in served.items()}
        assert {name: rounded[name] for name in shared} == {name: row[name] for name in shared}


def test_a_principle_is_used_only_with_its_evidence(shop: Path, rows: list[dict]):
    products = {(row["product_id"], row["locale"]): row for row in tables.read(shop, "products").to_pylist()}
    for row in rows:
        if "authority" in row["principles"]:
            assert products[row["product_id"], row["locale"]]["certificates"]
        if "reciprocity" in row["principles"]:
            assert products[row["product_id"], row["locale"]]["offer"]["gift"]


def test_clicks_come_as_often_as_the_law_says_and_conversions_only_after_them(rows: list[dict]):
    clicks = np.array([row["click"] for row in rows])
    chances = np.array([row["true_probability"] for row in rows])
    assert 0.02 < clicks.mean() < 0.06
    assert abs(clicks.sum() - chances.sum()) < 4 * np.sqrt((chances * (1 - chances)).sum())
    assert all(row["click"] for row in rows if row["conversion"])
    rates = [row["true_conversion"] for row in rows if row["click"]]
    converted = sum(row["conversion"] for row in rows)
    assert abs(converted - sum(rates)) < 4 * np.sqrt(sum(rate * (1 - rate) for rate in rates))


def test_interest_comes_from_behaviour(shop: Path, rows: list[dict]):
    touched = defaultdict(set)
    for event in tables.read(shop, "events").select(["shopper_id", "product_id"]).to_pylist():
        if event["product_id"]:
            touched[event["shopper_id"]].add(event["product_id"].split("-")[0])
    assert all(set(row["interests"]) <= touched[row["shopper_id"]] for row in rows)
    assert all((row["affinity"] > 0) <= (row["vertical"] in touched[row["shopper_id"]]) for row in rows)


@pytest.mark.parametrize(
    ("there", "elsewhere", "change"),
    [
        ({"channel": "push"}, {"channel": "email"}, {"hour": 8}),
        ({"age_band": "18-24"}, {"age_band": "55+"}, {"uses": ("social_proof",)}),
        ({"vertical": "finance"}, {"vertical": "toys"}, {"uses": ("authority",)}),
        ({"price_level": 0.0}, {"price_level": 1.0}, {"uses": ("scarcity",)}),
        ({"affinity": 0.4}, {"affinity": 0.0}, {"price_level": 1.0}),
        ({"uses": ("value",)}, {}, {"discount": 0.3}),
        ({"affinity": 0.4}, {"affinity": 0.0}, {"persuasion": 0.8}),
    ],
)
def test_the_law_has_pairs_whose_parts_do_not_add_up(there: dict, elsewhere: dict, change: dict):
    assert abs(gain(there, change) - gain(elsewhere, change)) > 0.2


def test_the_law_has_curves():
    moods = [float(click_log_odds(one(sentiment=mood))[0]) for mood in (0.4, 0.7, 1.0)]
    assert moods[0] < moods[1] > moods[2]
    pressure = [float(click_log_odds(one(persuasion=each))[0]) for each in (0.5, 0.85, 1.0)]
    assert pressure[0] < pressure[1] > pressure[2]
    assert click_log_odds(one(affinity=0.4)) == click_log_odds(one(affinity=0.9))


def test_what_was_wanted_and_is_cheap_converts():
    assert gain({}, {"affinity": 0.4}, conversion_log_odds) > 0
    assert gain({}, {"discount": 0.3}, conversion_log_odds) > 0


def test_the_training_data_has_the_columns_that_the_settings_name(tmp_path: Path):
    found = pq.read_schema(training_data.simulate(tmp_path, 11, 50))
    config = yaml.safe_load((ROOT / "train" / "configs" / "response.yaml").read_text(encoding="utf-8"))
    assert found.names == SCHEMA.names
    assert {config["outcome"], config["time"], config["cluster"], *config["leave_out"]} <= set(found.names)
    assert config["data"] == "var/training/responses.parquet"
