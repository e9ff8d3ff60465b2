"""No tenant uses, finds or deletes another's seal unless it was granted, and then only as long."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from catalog_examples import BASE, content, facts

from sealsmith.catalog import Catalog, Page, SealRecord, files
from sealsmith.catalog.files import seal_path
from sealsmith.engine.store import SealStore, open_store
from sealsmith.errors import ConfigError, ForbiddenError, MissingError, SealMissingError

OTHER_BASE = "c" * 64
PART_BYTES = 5 << 20
"""What is larger goes to S3 in several requests."""


@pytest.fixture
def owner(catalog: Catalog) -> str:
    return catalog.tenants.create("owner").id


@pytest.fixture
def other(catalog: Catalog) -> str:
    return catalog.tenants.create("other").id


def names(page: Page[SealRecord]) -> list[str]:
    return [record.name for record in page.items]


def test_what_went_in_comes_out(catalog: Catalog, owner: str, store_url: str) -> None:
    card = {"verdict": "pass", "fidelity": {"top1": 0.9}}
    given = facts(
        "my lion", "zwx", class_noun="lion", scorecard=card, thumbnail="data:image/jpeg;base64,AAAA"
    )
    record = catalog.seals.add(owner, content(1), given)
    assert catalog.seals.usable(owner, record.digest) == record
    assert (record.name, record.class_noun, record.verdict, record.scorecard) == (
        "my lion",
        "lion",
        "pass",
        card,
    )
    assert catalog.seals.read(owner, record.digest) == content(1)
    assert catalog.seals.thumbnail(owner, record.digest) == given.thumbnail
    fetched = asyncio.run(SealStore(open_store(store_url)).take(record.digest))  # as the engine does it
    assert fetched == content(1)


def test_a_large_file_goes_to_the_store_in_parts_and_comes_back_whole(catalog: Catalog, owner: str) -> None:
    large = content(1, PART_BYTES + 100)
    record = catalog.seals.add(owner, large, facts())
    assert catalog.seals.read(owner, record.digest) == large
    assert catalog.verify(deep=True).is_sound


def test_a_seal_is_its_owner_s_content_s_and_base_s(catalog: Catalog, owner: str, other: str) -> None:
    first = catalog.seals.add(owner, content(1), facts("first"))
    assert catalog.seals.add(owner, content(1), facts("again")) == first
    theirs = catalog.seals.add(other, content(1), facts("theirs"))
    for_other_base = catalog.seals.add(owner, content(1), facts("third", base=OTHER_BASE))
    assert names(catalog.seals.page(owner)) == ["third", "first"]
    assert catalog.seals.usable(other, first.digest) == theirs
    assert catalog.seals.usable(owner, first.digest, OTHER_BASE) == for_other_base
    with pytest.raises(SealMissingError, match="no seal"):
        catalog.seals.usable(other, first.digest, OTHER_BASE)
    assert len(list(catalog.files.paths())) == 1


def test_a_private_seal_is_as_if_it_were_not_there(catalog: Catalog, owner: str, other: str) -> None:
    record = catalog.seals.add(owner, content(1), facts())
    nothing = "0" * 64
    for attempt in (
        catalog.seals.usable,
        catalog.seals.read,
        catalog.seals.thumbnail,
        lambda tenant, digest: catalog.seals.delete(tenant, digest, BASE),
        lambda tenant, digest: catalog.seals.grant(tenant, digest, BASE, owner),
        lambda tenant, digest: catalog.seals.grants(tenant, digest, BASE),
        lambda tenant, digest: catalog.seals.set_scorecard(tenant, digest, BASE, {}),
    ):
        sentences = []
        for digest in (record.digest, nothing):
            with pytest.raises(SealMissingError, match="there is no seal") as refused:
                attempt(other, digest)
            sentences.append(str(refused.value).replace(digest[:12], ""))
        assert sentences[0] == sentences[1]
    assert names(catalog.seals.page(other)) == []
    assert names(catalog.seals.page(other, record.digest[:12])) == []


def test_a_grant_lets_use_and_nothing_more_until_it_is_taken_back(
    catalog: Catalog, owner: str, other: str
) -> None:
    third = catalog.tenants.create("third").id
    record = catalog.seals.add(owner, content(1), facts())
    identity = (record.digest, record.base_digest)
    catalog.seals.grant(owner, *identity, other)
    catalog.seals.grant(owner, *identity, other)
    assert catalog.seals.grants(owner, *identity) == (other,)
    assert catalog.seals.usable(other, record.digest) == record
    assert catalog.seals.read(other, record.digest) == content(1)
    assert names(catalog.seals.page(other, "zwx")) == ["lion"]
    with pytest.raises(SealMissingError, match="no seal"):
        catalog.seals.usable(third, record.digest)
    for forbidden in (
        lambda: catalog.seals.delete(other, *identity),
        lambda: catalog.seals.grant(other, *identity, third),
        lambda: catalog.seals.set_scorecard(other, *identity, {}),
    ):
        with pytest.raises(ForbiddenError, match="not yours, only shared with you"):
            forbidden()
    catalog.seals.ungrant(owner, *identity, other)
    with pytest.raises(SealMissingError, match="no seal"):
        catalog.seals.usable(other, record.digest)
    with pytest.raises(ConfigError, match="with its owner"):
        catalog.seals.grant(owner, *identity, owner)
    with pytest.raises(MissingError, match="no tenant"):
        catalog.seals.grant(owner, *identity, "nobody")


def test_a_deleted_seal_is_gone_for_all_and_its_file_when_nobody_else_has_it(
    catalog: Catalog, owner: str, other: str
) -> None:
    record = catalog.seals.add(owner, content(1), facts())
    catalog.seals.grant(owner, record.digest, BASE, other)
    third = catalog.tenants.create("third").id
    catalog.seals.add(third, content(1), facts())
    catalog.seals.delete(owner, record.digest, BASE)
    for tenant in (owner, other):
        with pytest.raises(SealMissingError, match="no seal"):
            catalog.seals.usable(tenant, record.digest)
    assert catalog.seals.read(third, record.digest) == content(1)
    catalog.seals.delete(third, record.digest, BASE)
    assert list(catalog.files.paths()) == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Bear 50%", "lion_a"]),
        (" ZWX ", ["lion_a"]),
        ("bear", ["Bear 50%"]),
        ("%", ["Bear 50%"]),
        ("_", ["lion_a"]),
        ("tiger", []),
    ],
)
def test_seals_are_found_by_trigger_and_name(
    catalog: Catalog, owner: str, search: str, found: list[str]
) -> None:
    catalog.seals.add(owner, content(1), facts("lion_a", "zwx"))
    catalog.seals.add(owner, content(2), facts("Bear 50%", "ohwx"))
    assert names(catalog.seals.page(owner, search)) == found


def test_what_no_name_has_cannot_be_searched_for(catalog: Catalog, owner: str) -> None:
    for search in ("zwx\0x", "a\ud800"):
        with pytest.raises(ConfigError, match="nothing is called"):
            catalog.seals.page(owner, search)


def test_seals_are_found_by_the_beginning_of_their_hash(catalog: Catalog, owner: str) -> None:
    records = [catalog.seals.add(owner, content(number), facts(f"{number}")) for number in range(3)]
    for record in records:
        assert names(catalog.seals.page(owner, record.digest[:10])) == [record.name]
        assert names(catalog.seals.page(owner, record.digest.upper())) == [record.name]


def test_a_list_in_parts_shows_each_once_though_others_come_and_go(catalog: Catalog, owner: str) -> None:
    records = [catalog.seals.add(owner, content(number), facts(f"{number}")) for number in range(7)]
    first = catalog.seals.page(owner, limit=3)
    assert names(first) == ["6", "5", "4"]
    catalog.seals.delete(owner, records[5].digest, BASE)
    catalog.seals.add(owner, content(8), facts("8"))
    second = catalog.seals.page(owner, after=first.next, limit=3)
    assert names(second) == ["3", "2", "1"]
    last = catalog.seals.page(owner, after=second.next, limit=3)
    assert (names(last), last.next) == (["0"], None)
    for mark in ("x", "-1", "9" * 30, "²"):
        with pytest.raises(ConfigError, match="no place in a list"):
            catalog.seals.page(owner, after=mark)
    with pytest.raises(ConfigError, match="cannot have 0 items"):
        catalog.seals.page(owner, limit=0)


def test_a_later_measurement_replaces_the_verdict(catalog: Catalog, owner: str) -> None:
    record = catalog.seals.add(owner, content(1), facts())
    assert record.verdict is None
    catalog.seals.set_scorecard(owner, record.digest, BASE, {"verdict": "fail"})
    assert catalog.seals.usable(owner, record.digest).verdict == "fail"


def test_names_of_files_are_hashes_and_nothing_else(catalog: Catalog, owner: str) -> None:
    for name in ("../secret", "A" * 64, "", "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(SealMissingError, match="there is no seal"):
            catalog.seals.usable(owner, name)


@pytest.mark.parametrize(
    "wrong", [{"name": "x" * 201}, {"trigger": "a\0"}, {"base": "b" * 129}, {"thumbnail": "x" * (1 << 19)}]
)
def test_absurd_facts_are_refused(catalog: Catalog, owner: str, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="the seal's"):
        catalog.seals.add(owner, content(1), facts(**wrong))  # type: ignore[arg-type]
    assert names(catalog.seals.page(owner)) == []


def test_a_file_that_was_removed_before_its_row_came_is_written_again(catalog: Catalog, owner: str) -> None:
    path = seal_path(catalog.seals.put_file(content(1)))
    assert catalog.files.drop(path)
    with catalog.database.writing() as session:
        record = catalog.seals.insert(session, owner, content(1), facts())
    assert catalog.seals.read(owner, record.digest) == content(1)


def test_who_removes_a_file_waits_for_the_row_that_is_just_coming(catalog: Catalog, owner: str) -> None:
    path = seal_path(catalog.seals.put_file(content(1)))
    with ThreadPoolExecutor(1) as pool:
        with catalog.database.writing() as session:
            catalog.seals.insert(session, owner, content(1), facts())
            removing = pool.submit(catalog.files.drop, path)
            wait([removing], timeout=0.3)  # it would be done by now, mostly
        assert removing.result() is False
    assert catalog.verify().is_sound


def test_a_file_that_another_takes_away_before_its_row_is_there_is_put_again(
    catalog: Catalog, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its writing and its sync, as by another tenant who deletes the same content."""
    if catalog.files._folder is None:
        pytest.skip("S3 syncs by itself")
    sync, synced = files._sync, list[Path]()

    def taken_away_once(path: Path) -> None:
        synced.append(path)
        if len(synced) == 1:
            path.unlink()
        sync(path)

    monkeypatch.setattr(files, "_sync", taken_away_once)
    record = catalog.seals.add(owner, content(1), facts())
    assert len(synced) == 2
    assert catalog.seals.read(owner, record.digest) == content(1)


def test_threads_that_add_and_delete_the_same_content_leave_no_row_without_its_file(catalog: Catalog) -> None:
    tenants = [catalog.tenants.create(f"tenant {number}").id for number in range(4)]

    def come_and_go(number: int) -> None:
        chance = random.Random(number)
        for _ in range(6):
            record = catalog.seals.add(tenants[number], content(chance.randrange(2)), facts())
            if chance.random() < 0.6:
                catalog.seals.delete(tenants[number], record.digest, BASE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    found = catalog.verify(deep=True)
    assert (found.lost, found.leftovers) == ((), ())
