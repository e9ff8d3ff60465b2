"""The tables are what the code says, on every database, however many bring them up to date at once."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import sealsmith.jobs.tables  # noqa: F401 - maps its tables
from sealsmith.catalog import Catalog, open_catalog
from sealsmith.catalog.database import Database
from sealsmith.catalog.migrating import FOLDER, current_revision, known_revisions, newest_revision
from sealsmith.catalog.tables import Row
from sealsmith.errors import ConfigError, DatabaseError


def test_the_migrations_make_the_tables_that_the_code_maps(catalog: Catalog) -> None:
    with catalog.database.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
        assert current_revision(session.connection()) == newest_revision()


def test_files_of_revisions_are_named_by_them_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert list(known_revisions()) == walked[::-1]


def test_many_may_open_a_new_database_at_once(database_url: str, store_url: str) -> None:
    def opened(number: int) -> str:
        with open_catalog(database_url, store_url) as catalog:
            return catalog.tenants.create(f"tenant {number}").name

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(opened, range(4)))
    with open_catalog(database_url, store_url) as catalog:
        assert [tenant.name for tenant in catalog.tenants.list()] == sorted(names)


def test_a_new_file_that_another_is_about_to_write_to_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself does not: it refuses to change the journal at once."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = Timer(0.3, other.rollback)
    ending.start()
    Database(f"sqlite:///{path}").close()
    ending.join()
    other.close()


def test_a_newer_version_s_database_is_refused(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigError, match="revision '9999', which this version does not know"):
        Database(database_url)


def test_what_a_transaction_did_before_it_failed_is_undone(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.database.writing() as session:
            session.execute(text("DELETE FROM tenants"))
            raise RuntimeError("in the middle")

    catalog.tenants.create("maker")
    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert len(catalog.tenants.list()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://root:secret@localhost/x",
        "nonsense",
        "sqlite+aiosqlite:///x",
    ],
)
def test_an_address_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="database") as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def test_a_database_that_is_not_there_is_an_error_that_may_pass(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/folder/x.db", "postgresql://nobody:secret@127.0.0.1:1/x"):
        with pytest.raises(DatabaseError, match="the database did not do it") as refused:
            Database(url)
        assert refused.value.is_retryable
        assert "secret" not in str(refused.value)


def test_sqlite_writes_ahead_syncs_every_commit_and_holds_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.reading() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (0,)
    connection.close()


def test_what_is_asked_at_once_is_told_or_not_and_never_waited_for(database_url: str) -> None:
    wanted, database = text("SELECT :word"), Database(database_url)
    try:
        told = database.at_once(wanted, {"word": "here"})
        if not database.is_sqlite:
            assert told is None
            return
        assert told is not None
        assert [tuple(row) for row in told] == [("here",)]
        with database.writing() as session:  # a writer keeps nobody from reading
            session.execute(text("DELETE FROM tenants"))
            assert database.at_once(text("SELECT name FROM tenants"), {}) == []
        with pytest.raises(DatabaseError, match="readonly"):
            database.at_once(text("DELETE FROM tenants"), {})
    finally:
        database.close()


def test_whoever_keeps_readers_out_is_not_waited_for(tmp_path: Path) -> None:
    path, wanted = tmp_path / "kept.db", text("SELECT name FROM tenants")
    made = Database(f"sqlite:///{path}")
    made.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM tenants")
    began = time.monotonic()
    assert made.at_once(wanted, {}) is None
    assert time.monotonic() - began < 1
    other.close()
    assert made.at_once(wanted, {}) == []
    made.close()
