"""What `feedback/database.py` promises, one behaviour a test."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedback import database as module
from feedback.database import Database, DatabaseUnavailable, SchemaMismatch, versions
from feedback.state import ShopperState
from tests.fakes import NOW, ROOT
from tests.feedback.statekit import add_shopper, behaviour, statuses, stored_ids


def test_tables_are_made_once_and_kept(url):
    first, second = Database(url), Database(url)
    first.ping()
    add_shopper(first)
    first.close()
    second.ping()
    assert ShopperState(second).read("ann", NOW) is not None
    second.close()


def test_tables_of_another_version_are_refused(url, database):
    with database.writing() as connection:
        connection.execute(versions.update().values(version=module.SCHEMA_VERSION + 1))
    later = Database(url)
    with pytest.raises(SchemaMismatch, match=r"has version 2 of the tables .*, this program needs version 1 .*; name an empty database"):
        later.ping()
    later.close()


def test_tables_of_somebody_else_are_refused_and_left_alone(url):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE events (id INTEGER)"))
        connection.execute(sa.text("INSERT INTO events VALUES (7)"))
    theirs = Database(url)
    with pytest.raises(SchemaMismatch, match=r"has version None of the tables \['events'\]"):
        theirs.ping()
    theirs.close()
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["events"]
        assert connection.scalar(sa.text("SELECT id FROM events")) == 7
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "shoppers.db", ""])
def test_only_databases_that_keep_shoppers_are_taken(url):
    with pytest.raises(ValueError, match=r"^state: .*use sqlite:///PATH or postgresql://USER@HOST/DATABASE"):
        Database(url)


def test_a_server_that_is_not_there_is_told_without_its_password():
    with pytest.raises(DatabaseUnavailable, match=r"me:\*\*\*@127\.0\.0\.1:1/shop does not answer") as raised:
        Database("postgresql://me:hunter2@127.0.0.1:1/shop").ping()
    assert "hunter2" not in str(raised.value)


def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            Database(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/shop").ping()
        assert time.monotonic() - started < module.CONNECT_TIMEOUT_S + 5


def test_a_path_that_can_not_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="name a path that can be written"):
        Database(f"sqlite:///{tmp_path}/file/state.db").ping()


def test_a_database_that_comes_back_is_used_again(tmp_path):
    blocker = tmp_path / "folder"
    blocker.write_text("")
    state = ShopperState(Database(f"sqlite:///{blocker}/state.db"))
    with pytest.raises(DatabaseUnavailable):
        state.read("ann")
    blocker.unlink()
    assert state.read("ann") is None


def test_connections_that_the_server_closed_are_replaced(postgres_url):
    database = Database(postgres_url)
    add_shopper(database)
    other = sa.create_engine(postgres_url)
    with other.begin() as connection:
        others = sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert connection.execute(others).rowcount
    assert statuses(ShopperState(database).record([behaviour()], NOW)) == ["stored"]
    other.dispose()
    database.close()


def test_a_server_that_is_cut_off_in_the_middle_acknowledges_nothing(postgres_url):
    database = Database(postgres_url)
    add_shopper(database)
    with pytest.raises(DatabaseUnavailable), database.writing() as connection:
        connection.execute(module.events.insert(), {"event_id": "e", "shopper_id": "ann", "kind": "view", "at": NOW})
        other = sa.create_engine(postgres_url)
        with other.begin() as killer:
            killer.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": connection.connection.driver_connection.info.backend_pid})
        other.dispose()
        connection.execute(sa.select(1))
    assert stored_ids(database) == []
    database.close()


def test_a_writer_that_blocks_for_too_long_makes_the_database_unavailable(url, database, monkeypatch):
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.2)
    add_shopper(database)
    hurried = Database(url)
    with database.writing() as connection:
        connection.execute(sa.select(module.shoppers).with_for_update())
        with pytest.raises(DatabaseUnavailable):
            ShopperState(hurried).record([behaviour()], NOW)
    assert statuses(ShopperState(hurried).record([behaviour()], NOW)) == ["stored"]
    hurried.close()


def test_a_full_disk_acknowledges_nothing_and_keeps_what_was_there(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/state.db")
    state = ShopperState(database)
    add_shopper(database)
    state.record([behaviour("before")], NOW)
    with database.reading() as connection:  # the pool hands out this one connection again and again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(DatabaseUnavailable, match="full"):
        state.record([behaviour(f"e{number}", text="x" * 2000) for number in range(50)], NOW)
    assert stored_ids(database) == ["before"]
    database.close()


def test_readers_go_on_while_another_writes(database):
    add_shopper(database)
    with database.writing() as connection:
        connection.execute(module.shoppers.update().values(locale="zh-CN"))
        assert ShopperState(database).read("ann", NOW).locale == "en-GB"
    assert ShopperState(database).read("ann", NOW).locale == "zh-CN"


def test_a_commit_is_on_the_disk_before_it_returns(url, database):
    settings = (
        (("PRAGMA journal_mode", "wal"), ("PRAGMA synchronous", 2)) if url.startswith("sqlite") else (("SHOW synchronous_commit", "on"),)
    )
    with database.reading() as connection:
        for question, answer in settings:
            assert connection.scalar(sa.text(question)) == answer


def test_two_that_start_at_once_make_the_tables_once(url):
    code = f"from feedback.database import Database; import sys; d = Database({url!r}); print(flush=True); sys.stdin.read(); d.ping()"
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **streams) for _ in range(2)]
    for process in both:
        process.stdout.readline()  # it has imported everything: from here on the two are within a millisecond
    for process in both:
        process.stdin.close()
    for process in both:
        errors = process.stderr.read()
        assert process.wait(timeout=60) == 0, errors.decode()


def test_the_records_load_no_database_library():
    code = "import sys, feedback.records, serve.events; print({'sqlalchemy', 'psycopg', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(ROOT), capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
