"""The whole run on a small shop: sessions and features by hand, consent, reports, and the two engines alike."""

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.shop import build
from retrieval import schemas, tables
from retrieval.behaviour.backdrop import Setting, zone_of
from retrieval.behaviour.buckets import LocalEngine, Spill, engine_of, with_bucket
from retrieval.portrait import Portrait, main
from retrieval.schemas import DERIVED
from tests.fakes import NOW, make_shopper
from tests.retrieval.behaviour import behaviourkit
from tests.retrieval.behaviour.behaviourkit import START, bought, event, made, noted, portrait, rows, write_shop

MINUTE, DAY = 60, 86_400


def test_a_gap_of_more_than_thirty_minutes_begins_a_session(tmp_path):
    times = (0, 30 * MINUTE, 60 * MINUTE + 1)
    shop = write_shop(tmp_path, [*(event(n, seconds=at) for n, at in enumerate(times)), bought(9, "cream", 3.0, times[2] + 5)])
    portrait(shop)
    first, second = made(shop, "sessions")
    assert (first["session"], first["events"], first["products"], first["converted"]) == (1, 2, 1, False)
    assert (first["start"], first["end"]) == (START, START + timedelta(minutes=30))
    assert (second["session"], second["events"], second["products"], second["converted"]) == (2, 2, 2, True)


def test_sessions_of_two_shoppers_do_not_mix_and_a_cancellation_is_no_visit(tmp_path):
    shop = write_shop(tmp_path, [event(1), event(2, who="bob", seconds=5), event(3, "cancellation", "coat", 10, quantity=1)])
    portrait(shop)
    assert [(row["shopper_id"], row["session"], row["events"]) for row in made(shop, "sessions")] == [("ann", 1, 1), ("bob", 1, 1)]


def life() -> list:
    """Ann looks at a coat and cream on Saturday the 10th, buys the coat with tea; next day buys tea again and sends the coat back."""
    return [
        event(1, "search", None, 0, text="Wool Coat"),
        event(2, "search", None, 10, text="wool coat"),
        event(3, "search", None, 20, text="tea"),
        event(4, "view", "coat", 30),
        event(5, "view", "cream", 40),
        event(6, "cart", "coat", 50, value=1.0),
        bought(7, "coat", 50.0, 60),
        bought(8, "oolong", 10.0, 60, quantity=2),
        bought(9, "oolong", 5.0, DAY),
        event(10, "cancellation", "coat", DAY + 60, value=50.0, quantity=1, currency="USD"),
        bought(11, "cream", 99.0, DAY + 120, currency="CNY"),
        event(12, "review", "oolong", DAY + 180, value=4.0),
    ]


def test_the_features_of_a_shopper_are_those_counted_by_hand(tmp_path):
    shop = write_shop(tmp_path, life())
    portrait(shop)
    (ann,) = made(shop, "shopper_features")
    assert (ann["recency_days"], ann["days_since_first_seen"]) == (0.0, pytest.approx(1 + 180 / DAY))
    assert (ann["frequency"], ann["sessions"]) == (3, 2)
    assert (ann["currency"], ann["monetary"]) == ("USD", pytest.approx(15.0))
    assert ann["mean_basket"] == pytest.approx((60 + 5) / 2)
    assert ann["other_currency_share"] == pytest.approx(1 / 4)
    assert ann["cancelled_share"] == pytest.approx(1 / 5)
    touched = {"tea": 5 + 5 + 1, "outerwear": 1 + 3 + 5, "skincare": 1 + 5}
    assert dict(ann["category_affinity"]) == pytest.approx({kind: weight / 26 for kind, weight in touched.items()}, abs=1e-6)
    assert [kind for kind, _ in ann["category_affinity"]] == ["tea", "outerwear", "skincare"]
    assert ann["search_terms"] == ["wool coat", "tea"]
    assert ann["timezone"] == "America/New_York"
    assert ann["hours"][5] == pytest.approx(1.0)  # ten o'clock UTC is five in New York
    assert (ann["weekdays"][5], ann["weekdays"][6]) == (pytest.approx(8 / 11), pytest.approx(3 / 11))
    assert (ann["channels"], ann["brand_affinity"]) == ([], [])


def test_the_features_of_a_product_are_those_counted_by_hand(tmp_path):
    other = [event(20, "view", "coat", 0, "bob"), event(21, "view", "coat", -20 * DAY, "bob")]
    shop = write_shop(tmp_path, [*life(), *other])
    portrait(shop)
    found = {row["product_id"]: row for row in made(shop, "product_features")}
    assert len(found) == 12
    coat, oolong = found["coat"], found["oolong"]
    assert [coat[name] for name in ("views", "carts", "purchases", "units", "cancelled_units", "buyers")] == [3, 1, 1, 1, 1, 1]
    assert (coat["conversion"], coat["repeat_rate"], coat["bought_again_days"]) == (0.5, 0.0, None)
    assert coat["trend"] == pytest.approx((4 - 1) / 5)
    assert (oolong["purchases"], oolong["units"], oolong["buyers"], oolong["repeat_rate"]) == (2, 3, 1, 1.0)
    assert oolong["bought_again_days"] == pytest.approx(1 - 60 / DAY)
    assert (oolong["mean_stars"], oolong["reviews"]) == (4.0, 1)
    assert oolong["popularity"] == pytest.approx(0.5 ** ((1 + 120 / DAY) / 30) + 0.5 ** ((180 / DAY) / 30))
    assert (found["puer"]["views"], found["puer"]["conversion"], found["puer"]["trend"], found["puer"]["popularity"]) == (
        0,
        None,
        None,
        0.0,
    )


def test_what_touched_prices_say_within_their_kind(tmp_path):
    shop = write_shop(
        tmp_path, [event(1, product_id="longjing"), event(2, product_id="puer", who="bob"), event(3, product_id="cream", who="cleo")]
    )
    portrait(shop)
    teas = sorted(
        (row for row in made(shop, "product_features") if row["product_id"] in ("longjing", "oolong", "puer")),
        key=lambda row: row["product_id"],
    )
    assert len(teas) == 3
    bands = {row["shopper_id"]: row["price_band"] for row in made(shop, "shopper_features")}
    assert bands["ann"] != bands["bob"]
    assert {bands["ann"], bands["bob"]} <= {"budget", "mid", "premium"}


def test_the_channel_habit_is_there_where_the_events_have_the_column(tmp_path):
    shop = write_shop(tmp_path, [])
    table = rows(event(1), event(2, seconds=60), event(3, "cart", seconds=90))
    pq.write_table(table.append_column("channel", pa.array(["app", "app", "web"])), tables.path_of(shop, "events"))
    portrait(shop)
    assert dict(made(shop, "shopper_features")[0]["channels"]) == pytest.approx({"app": 2 / 3, "web": 1 / 3}, abs=1e-6)


def test_nothing_that_names_a_shopper_is_made_without_consent(tmp_path):
    shoppers = [make_shopper("ann"), make_shopper("bob", consent=False), make_shopper("cleo", until=NOW)]
    events = [
        bought(n * 10 + k, product, 5.0, k * 60, who)
        for n, who in enumerate(("ann", "bob", "cleo"))
        for k, product in enumerate(("coat", "cream"))
    ]
    shop = write_shop(tmp_path, events, shoppers)
    portrait(shop)
    for table in ("sessions", "shopper_features", "shopper_segments"):
        assert {row["shopper_id"] for row in made(shop, table)} == {"ann"}, table
    assert next(row for row in made(shop, "product_features") if row["product_id"] == "coat")["purchases"] == 3
    assert made(shop, "associations") == []


def test_money_in_two_currencies_is_told_only_of_those_who_consent(tmp_path):
    shoppers = [make_shopper("ann"), make_shopper("bob", consent=False)]
    events = [
        bought(n, "coat", 5.0, n * 60, who, currency=c) for n, (who, c) in enumerate((w, c) for w in ("ann", "bob") for c in ("USD", "CNY"))
    ]
    shop = write_shop(tmp_path, events, shoppers)
    portrait(shop)
    marked = pq.read_table(shop / "behaviour_marks.parquet").to_pylist()
    assert [row["id"] for row in marked if row["entity"] == "shopper"] == ["ann"]
    assert [rule for _, _, rule in noted(shop)] == ["other_currency"]


def test_every_rule_is_in_the_report_and_rows_add_up(tmp_path):
    bot = [event(100 + n, product_id=behaviourkit.PRODUCTS[n % 12].as_py(), seconds=n * 0.5, who="bob") for n in range(100)]
    wrong = [event(50, product_id="nothing"), event(51, shopper_id="stranger"), event(4, "view", "coat", 30), event(53, "view", "coat", 31)]
    shop = write_shop(tmp_path, [*life(), *wrong, *bot])
    summary = portrait(shop)
    counted = summary["rows"]
    assert counted["read"] == len(life()) + len(wrong) + len(bot) == counted["kept"] + counted["refused"]
    assert tables.read(shop, "clean_events").num_rows == counted["kept"]
    said = noted(shop)
    assert {
        ("e50", "refused", "unknown_product"),
        ("e51", "refused", "unknown_shopper"),
        ("e53", "refused", "repeated_tap"),
        ("e4", "refused", "exact_duplicate"),
    } <= set(said)
    assert {("e10", "kept", "cancellation_matched"), ("e11", "kept", "other_currency"), ("e150", "refused", "bot")} <= set(said)
    marked = {(row["entity"], row["id"], row["rule"]) for row in pq.read_table(shop / "behaviour_marks.parquet").to_pylist()}
    assert marked == {("shopper", "bob", "bot"), ("shopper", "ann", "mixed_currencies")}
    assert any("not converted" in remark for remark in summary["remarks"])


def test_a_product_paid_in_two_currencies_is_marked(tmp_path):
    shop = write_shop(tmp_path, [bought(1, "coat", 5.0), bought(2, "coat", 30.0, who="bob", currency="CNY")])
    portrait(shop)
    (mark,) = pq.read_table(shop / "behaviour_marks.parquet").to_pylist()
    assert mark == {"entity": "product", "id": "coat", "rule": "mixed_currencies", "told": "CNY, USD"}


@pytest.mark.parametrize("events", [[], [event(1)], [event(1, shopper_id="stranger")], [event(1, "cancellation", "coat", quantity=1)]])
def test_an_empty_shop_and_one_with_one_shopper_are_no_error(tmp_path, events):
    shop = write_shop(tmp_path, events, [make_shopper("ann")] if events else [])
    summary = portrait(shop)
    assert summary["rows"]["read"] == len(events)
    for table in DERIVED:
        assert tables.read(shop, table).schema.equals(DERIVED[table]), table
    assert not list(shop.glob(".portrait-*"))


def test_small_buckets_give_the_same_tables(tmp_path):
    shop = sample(tmp_path / "one")
    portrait(shop)
    whole = {table: sorted(map(str, made(shop, table))) for table in ("sessions", "shopper_features", "clean_events")}
    portrait(shop, rows_per_bucket=300)
    assert whole == {table: sorted(map(str, made(shop, table))) for table in whole}


def test_a_shopper_is_in_one_bucket_whatever_the_batch():
    table = rows(*(event(n, who=("ann", "bob", "cleo")[n % 3]) for n in range(9)))
    numbers = with_bucket(table, 5)
    assert with_bucket(table.slice(4), 5).equals(numbers.slice(4))


def test_spilled_rows_come_back_whole(tmp_path):
    table = rows(*(event(n, who=f"s{n % 10}", seconds=n * 60) for n in range(100)))
    spill = Spill(Setting(tmp_path, tmp_path, NOW), schemas.EVENTS, buffered_rows=15)
    for start in range(0, 100, 10):
        spill.add(with_bucket(table.slice(start, 10), 3))
    parts = dict(spill.buckets())
    assert sorted(event_id for part in parts.values() for event_id in part["event_id"].to_pylist()) == sorted(table["event_id"].to_pylist())
    owners = [set(part["shopper_id"].to_pylist()) for part in parts.values()]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 10
    assert not list(tmp_path.iterdir())


def sample(folder: Path) -> Path:
    """The sample shop, small."""
    build(folder, today=date(2026, 1, 15), render=lambda *given: [], num_shoppers=60)
    return folder


@pytest.mark.ray
def test_ray_gives_the_same_tables_and_report(tmp_path):
    import ray

    started = ray.is_initialized()
    shop = sample(tmp_path / "shop")
    here = portrait(shop, rows_per_bucket=1500)
    tables_here = {table: tables.read(shop, table) for table in DERIVED}
    said = noted(shop)
    there = portrait(shop, "ray", workers=None if started else 2, rows_per_bucket=1500)
    if not started:
        ray.shutdown()
    for table in DERIVED:
        assert tables.read(shop, table).equals(tables_here[table]), table
    assert noted(shop) == said
    assert here | {"engine": "", "seconds": 0} == there | {"engine": "", "seconds": 0}


def test_the_command_prints_the_arithmetic_and_says_what_is_wrong(tmp_path, capsys):
    shop = write_shop(tmp_path, life())
    assert main([str(shop)]) == 0
    assert "12 events = 12 kept + 0 refused" in " ".join(capsys.readouterr().out.split())
    assert main([str(shop), "--workers", "2"]) == 1
    assert "--workers 2: the local engine is one process" in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere")]) == 1
    assert "no such directory" in capsys.readouterr().err


def test_a_failed_run_leaves_the_tables_as_they_were(tmp_path):
    shop = write_shop(tmp_path, life())
    portrait(shop)
    before = made(shop, "sessions")
    pq.write_table(pa.table({"event_id": ["e"]}), tables.path_of(shop, "events"))
    with pytest.raises(tables.TableError, match="missing column"):
        portrait(shop)
    assert made(shop, "sessions") == before
    assert not list(shop.glob(".portrait-*"))


def test_a_zone_is_that_of_the_country_or_utc():
    assert [zone_of(locale) for locale in ("en-GB", "zh-CN", "en-US", "en-AU", "en")] == [
        "Europe/London",
        "Asia/Shanghai",
        "America/New_York",
        "UTC",
        "UTC",
    ]


def test_engines_are_made_by_name():
    assert isinstance(engine_of("local"), LocalEngine)
    with pytest.raises(ValueError, match="give 1 or more"):
        engine_of("ray", 0)


def test_importing_the_command_loads_neither_ray_nor_torch():
    check = "import sys, retrieval.portrait; sys.exit(bool({'ray', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_now_is_the_clock_unless_given(tmp_path):
    assert abs(Portrait(tmp_path).now - datetime.now(NOW.tzinfo)) < timedelta(minutes=1)


def test_every_derived_column_says_what_it_holds():
    assert all(field.metadata[b"note"] for schema in DERIVED.values() for field in schema)
