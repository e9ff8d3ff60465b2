"""A database or a store without room is told from one that is not there, whoever keeps things."""

from pathlib import Path

import pytest
from catalog_examples import content, facts
from databases import database_of
from full_disk import files_of_at_most
from sqlalchemy import event, text

from sealsmith.catalog import Tenant, open_catalog
from sealsmith.catalog.room import is_full
from sealsmith.errors import FullError


def test_a_folder_on_a_full_disk_is_full_and_keeps_nothing_of_what_was_too_much(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", store.as_uri()) as catalog:
        tenant = catalog.tenants.create("maker").id
        with (
            files_of_at_most(1 << 10),
            pytest.raises(FullError, match="the store has no room left") as refused,
        ):
            catalog.seals.put_file(content(1, 10_000))
        assert refused.value.is_retryable
        assert [path for path in store.rglob("*") if path.is_file()] == []
        assert catalog.seals.add(tenant, content(1, 10_000), facts()).size_bytes == 10_000


def test_a_sqlite_that_may_not_grow_is_full_and_loses_nothing(tmp_path: Path) -> None:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", (tmp_path / "store").as_uri()) as catalog:
        with catalog.database.reading() as session:
            num_pages = session.scalar(text("PRAGMA page_count"))
        database = catalog.database._engine
        catalog.close()

        def bounded(connection, _: object) -> None:  # type: ignore[no-untyped-def]
            connection.execute(f"PRAGMA max_page_count = {num_pages + 1}").close()

        event.listen(database, "connect", bounded)
        made: list[Tenant] = []

        def fill() -> None:
            while len(made) < 1000:
                made.append(catalog.tenants.create(f"tenant {len(made)} {'x' * 150}"))

        with pytest.raises(FullError, match="the database has no room left"):
            fill()
        event.remove(database, "connect", bounded)
        catalog.close()
        assert len(catalog.tenants.list()) == len(made)
        catalog.tenants.create("one more")
        assert catalog.verify().is_sound


def test_a_postgresql_that_has_no_room_says_so(tmp_path: Path) -> None:
    full = "DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
    with (
        database_of("postgresql", tmp_path) as url,
        open_catalog(url, (tmp_path / "store").as_uri()) as catalog,
    ):
        with pytest.raises(FullError, match="no space left on device"), catalog.database.writing() as session:
            session.execute(text(full))
        assert catalog.verify().is_sound


def test_other_errors_are_not_about_room() -> None:
    for error in (OSError(13, "no rights"), ValueError("full"), RuntimeError("(os error 2)")):
        assert not is_full(error)
    assert is_full(OSError(28, "no space left"))
    assert is_full(RuntimeError("while writing: No space left on device (os error 28)"))
