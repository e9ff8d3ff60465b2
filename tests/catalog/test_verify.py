"""What is wrong is found, and what can be repaired is: leftovers go, what others put into the store stays."""

import obstore
import pytest
from catalog_examples import content, facts
from sqlalchemy import text

from sealsmith.catalog import Catalog
from sealsmith.catalog.files import seal_path
from sealsmith.engine.store import open_store
from sealsmith.errors import MissingError


@pytest.fixture
def tenant(catalog: Catalog) -> str:
    return catalog.tenants.create("maker").id


def test_a_sound_catalog_is_left_as_it_is(catalog: Catalog, tenant: str) -> None:
    for number in range(3):
        catalog.seals.add(tenant, content(number), facts())
    before = set(catalog.files.paths())
    found = catalog.verify(repair=True, deep=True)
    assert found.is_sound
    assert (found.num_rows, found.num_removed) == (3, 0)
    assert set(catalog.files.paths()) == before


def test_leftovers_are_found_and_on_repair_removed_but_not_what_is_not_ours(
    catalog: Catalog, tenant: str, store_url: str
) -> None:
    store = open_store(store_url)
    kept = catalog.seals.add(tenant, content(0), facts())
    digest = catalog.seals.put_file(content(1))
    strangers = [f"seals/{name}" for name in ("readme.txt", f"00/{'1' * 64}.safetensors")]
    for path in strangers:
        obstore.put(store, path, b"not ours")
    found = catalog.verify()
    assert found.leftovers == (seal_path(digest),)
    assert not found.is_sound
    assert catalog.verify(repair=True).num_removed == 1
    assert catalog.verify().is_sound
    assert catalog.seals.read(tenant, kept.digest) == content(0)
    assert all(obstore.head(store, path) for path in strangers)


@pytest.mark.parametrize(
    ("left", "why", "deep"),
    [
        (None, "missing", False),
        (content(0)[:-1], "cut short", False),
        (bytes(100), "damaged", True),
    ],
)
def test_a_lost_file_is_named_and_healed_by_importing_it_again(
    catalog: Catalog, tenant: str, store_url: str, left: bytes | None, why: str, deep: bool
) -> None:
    record = catalog.seals.add(tenant, content(0), facts())
    store, path = open_store(store_url), seal_path(record.digest)
    obstore.delete(store, path)
    if left is not None:
        obstore.put(store, path, left)
    [lost] = catalog.verify(repair=True, deep=deep).lost
    assert (lost.tenant, lost.path, lost.why) == (tenant, path, why)
    if why == "missing":
        with pytest.raises(MissingError, match="the store has lost the file"):
            catalog.seals.read(tenant, record.digest)
    assert catalog.seals.add(tenant, content(0), facts()) == record
    assert catalog.verify(deep=True).is_sound


def test_the_database_s_own_complaints_are_passed_on(catalog: Catalog, tenant: str) -> None:
    if not catalog.database.is_sqlite:
        pytest.skip("PostgreSQL proves its pages and constraints itself")
    with catalog.database._engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("INSERT INTO usage VALUES ('nobody', '2026-01-01', 1)")
        connection.exec_driver_sql("BEGIN")
        connection.execute(text("SELECT 1"))
    [complaint] = catalog.verify().complaints
    assert "usage refers to nothing in tenants" in complaint
