"""What `python -m feedback.load` promises, one behaviour a test."""

import subprocess
import sys
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from feedback import load as module
from feedback.database import shoppers
from feedback.load import LoadError, load
from feedback.state import KEPT_EVENTS, ShopperState
from retrieval import schemas
from tests.fakes import EVENTS, NOW, ROOT, SHOPPERS, make_event, make_shop, make_shopper
from tests.feedback.statekit import behaviour, statuses, stored_ids


@pytest.fixture
def shop(tmp_path):
    return make_shop(tmp_path / "shop")


def test_consenting_shoppers_come_with_their_events(shop, database, state):
    loaded = load(shop, database, NOW, quiet=True)
    assert (loaded.shoppers, loaded.consenting, loaded.events) == (4, 2, 4)
    ann = state.read("ann", NOW)
    assert (ann.locale, ann.attributes) == ("en-US", {"name": "Ann", "city": "Leeds"})
    assert [(event.kind, event.product_id) for event in ann.events] == [
        ("purchase", "longjing"), ("cart", "puer"), ("view", "oolong"), ("view", "oolong"),
    ]  # fmt: skip
    assert [event.at for event in ann.events] == [NOW - timedelta(days=days) for days in (4, 3, 2, 1)]


def test_of_those_without_consent_only_that_is_kept(shop, database):
    load(shop, database, NOW, quiet=True)
    with database.reading() as connection:
        rows = {row.shopper_id: row for row in connection.execute(shoppers.select())}
    assert rows.keys() == {"ann", "bob", "cleo", "dan"}
    assert [(rows[who].consent, rows[who].consent_until, rows[who].attributes) for who in ("bob", "cleo")] == [
        (False, None, {}), (True, NOW - timedelta(days=1), {}),
    ]  # fmt: skip
    assert stored_ids(database, "bob") == stored_ids(database, "cleo") == stored_ids(database, "guest") == []


def test_a_second_run_changes_nothing(shop, database, state):
    load(shop, database, NOW, quiet=True)
    before = state.read("ann", NOW), stored_ids(database)
    load(shop, database, NOW, quiet=True)
    assert (state.read("ann", NOW), stored_ids(database)) == before


def test_what_was_loaded_is_a_duplicate_when_it_is_sent(shop, database, state):
    load(shop, database, NOW, quiet=True)
    row = EVENTS[0]
    sent = behaviour(row["event_id"], "ann", at=row["at"], kind=row["kind"], product_id=row["product_id"])
    assert statuses(state.record([sent], NOW)) == ["duplicate"]


def test_only_the_last_events_of_each_shopper_are_loaded(tmp_path, database):
    many = [make_event(who, "view", "oolong", days) for days in range(KEPT_EVENTS + 30) for who in ("ann", "dan")]
    load(make_shop(tmp_path / "shop", events=many), database, NOW, quiet=True)
    for who in ("ann", "dan"):
        assert stored_ids(database, who) == [f"{who}-view-oolong-{days}" for days in reversed(range(KEPT_EVENTS))]


def test_what_was_stored_before_counts_among_the_last_events(tmp_path, database, state):
    load(make_shop(tmp_path / "shop"), database, NOW, quiet=True)
    state.record([behaviour("live", minutes_ago=5), behaviour("stale", minutes_ago=60 * 24 * 400)], NOW)
    many = [make_event("ann", "view", "oolong", days + 1) for days in range(KEPT_EVENTS)]
    load(make_shop(tmp_path / "shop", events=many), database, NOW, quiet=True)
    kept = stored_ids(database, "ann")
    assert len(kept) == KEPT_EVENTS and kept[-1] == "live" and "stale" not in kept


def test_consent_taken_back_in_a_newer_file_takes_the_events_along(shop, database, state):
    load(shop, database, NOW, quiet=True)
    make_shop(shop, shoppers=[SHOPPERS[0] | {"consent": False}, *SHOPPERS[1:]])
    load(shop, database, NOW, quiet=True)
    assert not state.read("ann", NOW).consent
    assert stored_ids(database, "ann") == []


def test_a_shop_of_many_batches_is_loaded_whole(tmp_path, database, monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(module, "SHOPPERS_AT_ONCE", 3)
    people = [make_shopper(f"s{number}") for number in range(20)]
    done = [make_event(f"s{number}", "view", "oolong", days) for number in range(20) for days in range(3)]
    load(make_shop(tmp_path / "shop", shoppers=people, events=done), database, NOW, quiet=True)
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(shoppers)) == 20
    assert len(stored_ids(database)) == 60


def test_an_empty_shop_is_loaded(tmp_path, database):
    loaded = load(make_shop(tmp_path / "shop", shoppers=[], events=[]), database, NOW, quiet=True)
    assert (loaded.shoppers, loaded.events) == (0, 0)


def test_a_character_that_postgresql_can_not_keep_is_left_out(tmp_path, database, state):
    done = [make_event("ann", "search", None, text="green\x00tea")]
    load(make_shop(tmp_path / "shop", events=done), database, NOW, quiet=True)
    assert state.read("ann", NOW).events[0].text == "greentea"


@pytest.mark.parametrize("table", ["shoppers", "events"])
def test_a_table_that_is_missing_or_wrong_is_told_before_anything_is_written(shop, database, table):
    path = shop / f"{table}.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.drop_columns(["shopper_id"]), path)
    with pytest.raises(LoadError, match=rf"{table}\.parquet: missing column\(s\) \['shopper_id'\]"):
        load(shop, database, NOW, quiet=True)
    pq.write_table(rows.set_column(0, rows.column_names[0], pa.array(["x" * 201] * rows.num_rows)), path)
    with pytest.raises(LoadError, match=r"more than 200 characters; shorten it"):
        load(shop, database, NOW, quiet=True)
    name, position = ("consent", 1) if table == "shoppers" else ("value", 4)
    pq.write_table(rows.set_column(position, name, pa.array([[1]] * rows.num_rows)), path)
    with pytest.raises(LoadError, match="correct the column's type"):
        load(shop, database, NOW, quiet=True)
    path.unlink()
    with pytest.raises(LoadError, match=r"no such table; make it with `python -m retrieval\.ingest"):
        load(shop, database, NOW, quiet=True)
    assert stored_ids(database) == []


def test_the_columns_are_those_of_the_shops_tables():
    """feedback and retrieval don't know each other; this is what keeps them of one mind."""
    assert pa.schema(list(module.SHOPPER_COLUMNS.items())) == pa.schema([(field.name, field.type) for field in schemas.SHOPPERS])
    assert pa.schema(list(module.EVENT_COLUMNS.items())) == pa.schema([(field.name, field.type) for field in schemas.EVENTS])


def test_the_command_says_what_it_loaded_or_what_is_wrong(shop, tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "feedback.load", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)

    good = run(str(shop), f"sqlite:///{tmp_path}/new/state.db")
    assert good.returncode == 0, good.stderr
    assert "4 shoppers" in good.stdout
    bad = run(str(shop), "mysql://me@host/db")
    assert (bad.returncode, bad.stderr.split(":")[0]) == (1, "error")
    assert ShopperState(module.Database(f"sqlite:///{tmp_path}/new/state.db")).read("ann") is not None
