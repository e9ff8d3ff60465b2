"""The database: one address, short transactions, and one word for everything that can go wrong with it.

SQLite writes its log ahead (WAL), syncs it at every commit and begins what writes with `BEGIN IMMEDIATE`, so that
writers wait for each other instead of failing half-way; PostgreSQL locks the rows that a transaction asked for. One
statement alone is begun by neither: it is whole, or was not.
Not for: what is in the tables (tables.py) or how they came about (migrations/).
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, Row, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from ..errors import ConfigError, DatabaseError, FullError
from .migrating import upgrade
from .room import is_full

Clock = Callable[[], datetime]
"""The time, in UTC."""

BUSY_TIMEOUT_MS = 30_000
"""How long a writer of SQLite waits for the others."""
AGAIN_S = 0.005
"""Between two tries of something that SQLite does not wait for by itself."""
WRITES = "sealsmith_writes"
"""Of a connection: what it does begins as a writer."""
ALONE = "sealsmith_alone"
"""Of a connection: each of its statements is a transaction."""
POOL_SIZE, POOL_OVERFLOW = 8, 24
"""Connections that are kept, and how many more there may be at once."""
PATIENCE = {"connect_timeout": "5", "tcp_user_timeout": "20000", "keepalives_idle": "10"}
"""With a PostgreSQL that says nothing, in libpq's words: seconds, milliseconds, seconds. An address may say
others."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """A database whose tables are up to date. Any thread may use it."""

    def __init__(self, url: str):
        """`url`: `sqlite:///file` or `postgresql://user:password@host/name`. A missing file is made, old tables are
        brought up to date.

        Raises: ConfigError for an address that is none of these, or tables of a newer version; DatabaseError.
        """
        parsed = _checked_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        try:
            self._engine = create_engine(
                parsed if self.is_sqlite else parsed.set(query={**PATIENCE, **parsed.query}),
                pool_pre_ping=not self.is_sqlite,
                pool_size=POOL_SIZE,
                max_overflow=POOL_OVERFLOW,
            )
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"PostgreSQL needs {error.name}, which is not installed",
                "pip install '.[postgresql]' in the clone, or make setup",
            ) from error
        self._hasty: _Hasty | None = None
        if self.is_sqlite:
            _prepare_sqlite(self._engine)
            self._hasty = _Hasty(parsed)
            self._alone = self._engine.execution_options(**{ALONE: True})
        else:
            self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._read = sessionmaker(self._engine, expire_on_commit=False)
        self._write = sessionmaker(self._engine.execution_options(**{WRITES: True}), expire_on_commit=False)
        try:
            with self.writing() as session:
                upgrade(session.connection())
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that changes nothing. Raises: DatabaseError, FullError."""
        with self._transaction(self._read) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction, kept when the block ends and undone when it raises.

        Raises: DatabaseError, FullError.

        On SQLite there is one at a time.
        """
        with self._transaction(self._write) as session:
            yield session

    def alone(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """The rows of one statement, which is a transaction of its own; for what every request asks.

        Without a mapper, and without a word about beginning and ending, it takes half the time or less. What it
        changes is kept at once; within a `writing()` SQLite would have it wait for that.
        Raises: ConfigError for values that no database holds, DatabaseError, FullError; IntegrityError.
        """
        with _told(), self._alone.connect() as connection:
            return connection.execute(statement, values).all()

    def at_once(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Row[Any]] | None:
        """The rows of one statement that changes nothing, for whoever must not wait; None: ask `alone`.

        SQLite mostly reads from memory, whoever writes meanwhile, and whoever keeps readers out is not waited for.
        PostgreSQL is elsewhere.
        Raises: as `alone`, but for IntegrityError.
        """
        return None if self._hasty is None else self._hasty.rows(statement, values)

    def lock(self, session: Session, name: str) -> None:
        """Waits until no other transaction holds this name; it is held until this one ends."""
        if not self.is_sqlite:  # there a transaction that writes is alone anyway
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            session.execute(select(func.pg_advisory_xact_lock(number)))

    def close(self) -> None:
        """Ends its connections."""
        self._engine.dispose()
        if self._hasty is not None:
            self._hasty.close()

    @contextmanager
    def _transaction(self, sessions: "sessionmaker[Session]") -> Iterator[Session]:
        with _told(), sessions.begin() as session:
            yield session


@contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong within it, in our words.

    Raises: ConfigError, DatabaseError, FullError; IntegrityError, which whoever wrote has words for.
    """
    try:
        yield
    except IntegrityError:
        raise
    except (DataError, UnicodeEncodeError) as error:
        raise ConfigError(
            f"the database cannot hold what was given: {_first_line(error)}",
            "leave out NUL characters, unpaired surrogates and absurd numbers",
        ) from error
    except (DBAPIError, PoolTimeoutError) as error:
        if is_full(error):
            raise FullError(
                f"the database has no room left: {_first_line(error)}",
                "try again once whoever runs it has made room",
            ) from error
        raise DatabaseError(
            f"the database did not do it: {_first_line(error)}",
            "try again; if it stays so, see whether it runs, is reachable and has room",
        ) from error


def _checked_url(url: str) -> URL:
    """Raises: ConfigError, which leaves out what may be a password."""
    remedy = "give sqlite:///file or postgresql://user:password@host/name"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("the database's address cannot be read", remedy) from error
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(f"the database cannot be {parsed.render_as_string(hide_password=True)!r}", remedy)


def _first_line(error: Exception) -> str:
    """What the database said, without the statement, which may hold what is private."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:200]


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not Python's driver
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").close()
        _write_ahead(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if not options.get(ALONE, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES, False) else "BEGIN")


class _Hasty:
    """A connection to a file of SQLite that waits for nobody and changes nothing."""

    def __init__(self, url: URL):
        self._engine = create_engine(url)
        self._connection: Connection | None = None
        self._lock = Lock()

        @event.listens_for(self._engine, "connect")
        def configure(connection: Any, _: object) -> None:
            connection.isolation_level = None
            for pragma in ("busy_timeout = 0", "query_only = ON"):
                connection.execute(f"PRAGMA {pragma}").close()

    def rows(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Row[Any]] | None:
        """Of one statement; None where somebody else would have to be waited for. Raises: as `Database.alone`."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            with _told():
                self._connection = self._connection or self._engine.connect()
                return self._connection.execute(statement, values).all()
        except DatabaseError as error:
            self._forget()
            if _is_busy(error.__cause__):
                return None
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._forget()
            self._engine.dispose()

    def _forget(self) -> None:
        """Has the next statement connect anew."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _is_busy(error: BaseException | None) -> bool:
    """Whether SQLite would have had to wait for somebody else."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Has the file's log written ahead, which it then stays.

    While another is about to write to a new file SQLite refuses this without waiting, whatever its `busy_timeout`.
    So who is refused asks again.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
        time.sleep(AGAIN_S)
