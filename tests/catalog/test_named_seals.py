"""What a name means: one's own seal before one that was shared, and never one of several."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from catalog_examples import BASE, content, facts

from sealsmith.catalog import Catalog, Quota, UsableSeal
from sealsmith.catalog.seals import free_name
from sealsmith.catalog.tables import NAME_CHARS
from sealsmith.errors import ConflictError, QuotaError, SealExistsError, SealMissingError


@pytest.fixture
def tenants(catalog: Catalog) -> list[str]:
    return [catalog.tenants.create(name).id for name in ("ann", "bob", "cid")]


def test_one_s_own_comes_before_shared_ones_and_several_are_refused(
    catalog: Catalog, tenants: list[str]
) -> None:
    ann, bob, cid = tenants
    seals = catalog.seals
    with pytest.raises(SealMissingError, match="'lion'"):
        seals.named(ann, "lion")
    bobs, cids = seals.add(bob, content(0), facts("lion")), seals.add(cid, content(1), facts("lion"))
    with pytest.raises(SealMissingError, match="'lion'"):
        seals.named(ann, "lion")
    seals.grant(bob, bobs.digest, BASE, ann)
    assert seals.named(ann, "lion") == bobs
    seals.grant(cid, cids.digest, BASE, ann)
    with pytest.raises(ConflictError, match="2 seals are called 'lion'"):
        seals.named(ann, "lion")
    own = seals.add(ann, content(2), facts("lion"))
    assert seals.named(ann, "lion") == own


def test_what_was_granted_is_given_up_by_content_and_by_oneself_alone(
    catalog: Catalog, tenants: list[str]
) -> None:
    ann, bob, cid = tenants
    seals = catalog.seals
    lions = [seals.add(tenant, content(0), facts("lion")) for tenant in (bob, cid)]
    bear = seals.add(bob, content(1), facts("bear"))
    with pytest.raises(SealMissingError, match=lions[0].digest[:12]):
        seals.decline(ann, lions[0].digest)
    for seal in (*lions, bear):
        seals.grant(seal.tenant, seal.digest, BASE, ann)
    seals.grant(bob, bear.digest, BASE, cid)
    seals.decline(ann, lions[0].digest)
    assert seals.page(ann).items == (bear,)
    assert [seals.grants(seal.tenant, seal.digest, BASE) for seal in lions] == [(), ()]
    seals.decline(ann, bear.digest)
    assert seals.grants(bob, bear.digest, BASE) == (cid,)
    seals.decline(bob, bear.digest)
    assert seals.named(bob, "bear") == bear, "one's own stays"


def test_a_name_that_is_taken_is_numbered_and_one_s_own_are_taken_alone(
    catalog: Catalog, tenants: list[str]
) -> None:
    ann, bob, _ = tenants
    long = "x" * NAME_CHARS

    def free(name: str, digest: str = "0" * 64) -> str:
        with catalog.database.writing() as session:
            return free_name(session, ann, digest, name)

    theirs = catalog.seals.add(bob, content(0), facts("lion"))
    catalog.seals.grant(bob, theirs.digest, BASE, ann)
    assert free("lion") == "lion"
    own = catalog.seals.add(ann, content(1), facts("lion"))
    assert free("lion") == "lion-2"
    assert free("lion", own.digest) == "lion"
    for number, name in enumerate(("lion-2", "lion-4", long)):
        catalog.seals.add(ann, content(2 + number), facts(name))
    assert free("lion") == "lion-3"
    assert free(long) == long[:-2] + "-2"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_picture_is_drawn_with_what_the_name_or_the_digest_means(
    catalog: Catalog, tenants: list[str], at_once: bool
) -> None:
    ann, bob, cid = tenants
    seals = catalog.seals
    shared = [seals.add(tenant, content(number), facts("lion")) for number, tenant in enumerate((bob, cid))]
    disguised = seals.add(cid, content(2), facts(shared[0].digest))

    def to_draw(name: str) -> UsableSeal:
        """By either way, where there are two."""
        if not at_once:
            return seals.to_draw(ann, name)
        found = seals.to_draw_at_once(ann, name)
        return found if found or catalog.database.is_sqlite else seals.to_draw(ann, name)  # type: ignore[return-value]

    for seal in (*shared, disguised):
        with pytest.raises(SealMissingError):
            to_draw(seal.digest)
        seals.grant(seal.tenant, seal.digest, BASE, ann)
        assert to_draw(seal.digest) == UsableSeal(seal.digest, seal.name, seal.trigger)
    with pytest.raises(ConflictError, match="2 seals are called 'lion'"):
        to_draw("lion")
    own = seals.add(ann, content(3), facts("lion"))
    assert to_draw("lion").digest == seals.named(ann, "lion").digest == own.digest
    seals.ungrant(bob, shared[0].digest, BASE, ann)
    with pytest.raises(SealMissingError):
        to_draw(shared[0].digest)


def test_a_name_and_a_file_are_taken_once_however_many_come_at_once(
    catalog: Catalog, tenants: list[str]
) -> None:
    def add(number: int) -> str | None:
        try:
            return catalog.seals.add(tenants[0], content(number), facts("lion"), by_name=True).digest
        except SealExistsError:
            return None

    with ThreadPoolExecutor(4) as pool:
        (kept,) = filter(None, pool.map(add, range(4)))
    assert catalog.seals.named(tenants[0], "lion").digest == kept
    number = next(number for number in range(4) if add(number) == kept)
    with pytest.raises(SealExistsError, match="this file is your seal 'lion' already"):
        catalog.seals.add(tenants[0], content(number), facts("tiger"), by_name=True)
    found = catalog.verify(deep=True)
    assert (found.lost, found.leftovers) == ((), ())


def test_what_is_refused_leaves_no_file(catalog: Catalog, tenants: list[str]) -> None:
    catalog.tenants.set_quota(tenants[0], Quota(storage_bytes=10))
    with pytest.raises(QuotaError, match="bytes of storage"):
        catalog.seals.add(tenants[0], content(1), facts())
    assert catalog.verify().leftovers == ()
