"""The database behind shopper state: its tables, how it is opened, and what its failures are called.

    sqlite:///var/state.db                       one machine: WAL, and an fsync before a commit returns
    postgresql://suasion@host/suasion            a cluster: through psycopg, which also reads PGPASSWORD and ~/.pgpass

One code path for both. Nothing is connected to before it is needed, so a process may start before its database does. No migrations: a
database that another version of this schema made is refused.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
"""How long a statement may wait for another writer, or run."""
CONNECT_TIMEOUT_S = 3
POOL = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 2.0}
_WRITES = "writes"
_SCHEMA_LOCK = 0x5A5A10  # any number that no other user of this PostgreSQL server locks
_OUR_FAULTS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)  # no outage: trying again would not help


class DatabaseUnavailable(RuntimeError):
    """The database can't be reached, is too busy, or can't write. Nothing of the failed call was acknowledged; try again."""


class SchemaMismatch(RuntimeError):
    """The database holds tables of another version, or somebody else's."""


class Instant(sa.TypeDecorator[datetime]):
    """An instant in UTC with microseconds, the same from both databases. Takes datetimes with any timezone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC; SQLite keeps no timezone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Back with its timezone."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_id = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")  # byte order everywhere: ties are broken the same way
metadata = sa.MetaData()

shoppers = sa.Table(
    "shoppers",
    metadata,
    sa.Column("shopper_id", _id, primary_key=True),
    sa.Column("consent", sa.Boolean, nullable=False),
    sa.Column("consent_until", Instant),
    sa.Column("locale", sa.String(35), nullable=False),
    sa.Column("attributes", sa.JSON, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("event_id", _id, primary_key=True),
    sa.Column("shopper_id", _id, sa.ForeignKey("shoppers.shopper_id"), nullable=False),
    sa.Column("product_id", _id),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("quantity", sa.Integer),
    sa.Column("currency", sa.String(3)),
    sa.Column("text", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Index("events_of_shopper", "shopper_id", "at", "event_id"),
)

versions = sa.Table("suasion_schema", metadata, sa.Column("part", sa.String(40), primary_key=True), sa.Column("version", sa.Integer))


class Database:
    """One database and its pool of connections; threads may share it. Raises ValueError for a URL of another kind of database."""

    def __init__(self, url: str) -> None:
        self._url = _understood(url)
        self.shown = self._url.render_as_string(hide_password=True)
        self._prepared, self._lock = False, threading.Lock()
        is_file = self._url.get_backend_name() == "sqlite"
        options = {"timeout": BUSY_TIMEOUT_S} if is_file else _postgresql_options()
        self._engine = sa.create_engine(self._url, pool_pre_ping=not is_file, connect_args=options, **POOL)
        if is_file:
            sa.event.listen(self._engine, "connect", _open_file)
            sa.event.listen(self._engine, "begin", _begin_file)
        self.insert: Callable[[sa.Table], Any] = sqlite.insert if is_file else postgresql.insert
        """INSERT of this database's dialect: both know `on_conflict_do_nothing` and `on_conflict_do_update`."""

    def prepare(self) -> None:
        """Create the tables where there are none. Raises DatabaseUnavailable or SchemaMismatch; may be called again."""
        with self._lock:
            if not self._prepared:
                if self._url.get_backend_name() == "sqlite":
                    _make_folder(Path(str(self._url.database)), self.shown)
                with self._transaction(writes=True) as connection:
                    self._create(connection)
                self._prepared = True

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads."""
        self.prepare()
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes: all of it is durable once the block is left, or none of it where it raises."""
        self.prepare()
        with self._transaction(writes=True) as connection:
            yield connection

    def ping(self) -> None:
        """Returns where the database answers. Raises DatabaseUnavailable or SchemaMismatch."""
        with self.reading() as connection:
            connection.execute(sa.select(sa.literal(1)))

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect().execution_options(**{_WRITES: writes}) as connection, connection.begin():
                yield connection
        except _OUR_FAULTS:
            raise
        except (DBAPIError, PoolTimeout) as error:
            cause = (str(getattr(error, "orig", None) or error).strip() or type(error).__name__).splitlines()[0]
            raise DatabaseUnavailable(
                f"state: {self.shown} does not answer ({cause}); start it, or correct `state` in the config"
            ) from error

    def _create(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":  # two that start at once would both create
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
        present = set(sa.inspect(connection).get_table_names()) & set(metadata.tables)
        if not present:
            metadata.create_all(connection)
            connection.execute(versions.insert().values(part="state", version=SCHEMA_VERSION))
            return
        found = None
        if versions.name in present:
            found = connection.scalar(sa.select(versions.c.version).where(versions.c.part == "state"))
        if found != SCHEMA_VERSION or present != set(metadata.tables):
            raise SchemaMismatch(
                f"state: {self.shown} has version {found} of the tables {sorted(present)}, this program needs version {SCHEMA_VERSION} of "
                f"{sorted(metadata.tables)}; name an empty database, or run the version of Suasion that made this one"
            )


def _understood(url: str) -> sa.URL:
    remedy = "use sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ValueError(f"state: the URL can't be read ({type(error).__name__}); {remedy}") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ValueError(f"state: {parsed.render_as_string(hide_password=True)!r} is no database that keeps shoppers; {remedy}")
    return parsed.set(drivername="sqlite")


def _postgresql_options() -> dict[str, Any]:
    """A server that hangs or is cut off must not hold a thread for longer than a writer may wait."""
    milliseconds = int(BUSY_TIMEOUT_S * 1000)
    server = {"statement_timeout": milliseconds, "idle_in_transaction_session_timeout": 4 * milliseconds, "synchronous_commit": "on"}
    return {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": milliseconds,
        "application_name": "suasion",
        "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
    }


def _make_folder(path: Path, shown: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"state: {shown}: {error}; name a path that can be written") from error


def _open_file(connection: Any, _: Any) -> None:
    """WAL lets readers go on while one writes; FULL has every commit on the disk before it returns."""
    connection.isolation_level = None  # the driver would begin transactions of its own, too late to lock them
    _to_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _to_wal(connection: Any) -> None:
    """Two that open a new file at once both turn it to WAL, for which SQLite waits for nobody: here the second waits for the first."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_file(connection: sa.Connection) -> None:
    """A writer takes its lock at once: one that reads first would fail, not wait, where another has written in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")
