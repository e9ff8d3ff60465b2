"""Seals are found by words, trigger and every hash people show; names change, and lists in parts are the lists."""

from datetime import timedelta

import pytest
from catalog_examples import BASE, content, facts
from fake_clock import FakeClock
from sqlalchemy import text

from sealsmith.adapters.hashes import tensor_hash
from sealsmith.catalog import Catalog, Scope, SealSearch
from sealsmith.errors import ConfigError, ForbiddenError, MissingError, SealExistsError, SealMissingError


@pytest.fixture
def ann(catalog: Catalog) -> str:
    return catalog.tenants.create("ann").id


@pytest.fixture
def bob(catalog: Catalog) -> str:
    return catalog.tenants.create("bob").id


def file(number: int) -> bytes:
    """Content with an empty header before it, as in a seal's file."""
    return (8).to_bytes(8, "little") + b"{}      " + content(number)


def found(catalog: Catalog, tenant: str, search: SealSearch) -> list[str]:
    return [record.name for record in catalog.seals.page(tenant, search).items]


def test_words_trigger_and_hashes_find_what_one_may_use(catalog: Catalog, ann: str, bob: str) -> None:
    lion = catalog.seals.add(ann, file(1), facts("Lion", "zwx", title="Arms of Leon"))
    catalog.seals.add(ann, file(2), facts("bear", "zwxy", title="100% bear_s"))
    catalog.seals.add(bob, file(3), facts("lion of bob", "zwx"))
    for search, expected in (
        (SealSearch("lion"), ["Lion"]),
        (SealSearch(" LEON "), ["Lion"]),
        (SealSearch("zwx"), ["bear", "Lion"]),
        (SealSearch("0% b"), ["bear"]),
        (SealSearch("r_s"), ["bear"]),
        (SealSearch("_"), ["bear"]),
        (SealSearch(trigger="ZWX"), ["Lion"]),
        (SealSearch("bear", trigger="zwx"), []),
        (SealSearch(hash=lion.digest[:10].upper()), ["Lion"]),
        (SealSearch(hash=tensor_hash(file(1))[:12]), ["Lion"]),
        (SealSearch(hash=tensor_hash(file(3))[:12]), []),
        (SealSearch(hash="%"), []),
        (SealSearch(), ["bear", "Lion"]),
    ):
        assert found(catalog, ann, search) == expected, search
    for odd in (SealSearch("a\0"), SealSearch(trigger="\n"), SealSearch(hash="\ud800")):
        with pytest.raises(ConfigError, match="nothing is called"):
            catalog.seals.page(ann, odd)


def test_a_seal_brought_before_its_tensors_hash_was_kept_is_found_once_it_is_brought_again(
    catalog: Catalog, ann: str
) -> None:
    catalog.seals.add(ann, file(1), facts("lion"))
    with catalog.database.writing() as session:
        session.execute(text("UPDATE seals SET tensors_digest = ''"))
    search = SealSearch(hash=tensor_hash(file(1)))
    assert found(catalog, ann, search) == []
    catalog.seals.add(ann, file(1), facts("lion"))
    assert found(catalog, ann, search) == ["lion"]


def test_only_its_owner_renames_a_seal_and_to_no_name_of_another(
    catalog: Catalog, ann: str, bob: str
) -> None:
    lion = catalog.seals.add(ann, content(1), facts("lion"))
    catalog.seals.add(ann, content(2), facts("bear"))
    catalog.seals.add(bob, content(3), facts("owl"))
    with pytest.raises(SealMissingError, match="no seal"):
        catalog.seals.rename(bob, lion.digest, BASE, "mine")
    catalog.seals.grant(ann, lion.digest, BASE, bob)
    with pytest.raises(ForbiddenError, match="not yours"):
        catalog.seals.rename(bob, lion.digest, BASE, "mine")
    with pytest.raises(SealExistsError, match="'bear' already"):
        catalog.seals.rename(ann, lion.digest, BASE, "bear")
    with pytest.raises(ConfigError, match="name is"):
        catalog.seals.rename(ann, lion.digest, BASE, "x" * 201)
    assert catalog.seals.rename(ann, lion.digest, BASE, "owl").name == "owl"
    assert catalog.seals.rename(ann, lion.digest, BASE, "owl").name == "owl"
    assert catalog.seals.named(ann, "owl").digest == lion.digest


def test_whether_there_is_a_picture_is_known_without_reading_it(catalog: Catalog, ann: str) -> None:
    with_one = facts("lion", thumbnail="data:image/jpeg;base64,AAAA")
    assert catalog.seals.add(ann, content(1), with_one).has_thumbnail
    assert not catalog.seals.add(ann, content(2), facts("bear")).has_thumbnail
    assert [record.has_thumbnail for record in catalog.seals.page(ann).items] == [False, True]


def test_tenants_and_keys_in_parts_are_all_of_them(catalog: Catalog, clock: FakeClock) -> None:
    tenants = [catalog.tenants.create(name) for name in ("dan", "ann", "cid", "bob", "eve")]
    for number, tenant in enumerate(tenants):
        clock.now += timedelta(seconds=number % 2)  # some are made in the same moment
        catalog.keys.create(tenant.id, [Scope.TRAIN], str(number))
    for size in (1, 2, 3, 200):
        named, made = [], []
        for collected, page in ((named, catalog.tenants.page), (made, catalog.keys.page)):
            after = None
            while True:
                part = page(after=after, limit=size)
                assert len(part.items) <= size
                collected += part.items
                after = part.next
                if after is None:
                    break
        assert [tenant.name for tenant in named] == ["ann", "bob", "cid", "dan", "eve"]
        assert made == sorted(catalog.keys.list(), key=lambda key: (key.created, key.id), reverse=True)
    assert [key.name for key in catalog.keys.page(tenants[0].id).items] == ["0"]
    assert catalog.tenants.names(tenant.id for tenant in tenants[:2]) == {
        tenants[0].id: "dan",
        tenants[1].id: "ann",
    }


def test_what_no_name_or_place_can_be_is_refused_by_every_database(catalog: Catalog, ann: str) -> None:
    with pytest.raises(MissingError, match="no tenant"):
        catalog.tenants.named("a\0b")
    for page in (catalog.tenants.page, catalog.keys.page):
        with pytest.raises(ConfigError, match="no place in a list"):
            page(after="a\0b")
        with pytest.raises(ConfigError, match="cannot have 0 items"):
            page(limit=0)
    with pytest.raises(ConfigError, match="no place in a list"):
        catalog.keys.page(after="seal_000000000000")
    with pytest.raises(ConfigError, match="a key cannot be called"):
        catalog.keys.create(ann, [Scope.TRAIN], "a\0b")


def test_a_key_s_state_is_what_it_is_worth(catalog: Catalog, ann: str, clock: FakeClock) -> None:
    lasting = catalog.keys.create(ann, [Scope.TRAIN]).key
    short = catalog.keys.create(ann, [Scope.TRAIN], lasts=timedelta(minutes=1)).key
    assert [key.state(clock()) for key in (lasting, short)] == ["valid", "valid"]
    clock.now += timedelta(minutes=1)
    assert [key.state(clock()) for key in (lasting, short)] == ["valid", "expired"]
    assert catalog.keys.revoke(short.prefix).state(clock()) == "revoked"
