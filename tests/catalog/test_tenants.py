"""Quotas hold, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from catalog_examples import content, facts
from fake_clock import FakeClock

from sealsmith.catalog import ArtefactKind, Catalog, NewArtefact, Quota, Usage
from sealsmith.errors import ConfigError, ConflictError, MissingError, QuotaError, SealsmithError

THREADS = 8


def num_successes(tries: int, attempt) -> int:  # type: ignore[no-untyped-def]
    """How many of so many tries, all at once, were not refused for the quota."""

    def one(number: int) -> bool:
        try:
            attempt(number)
        except QuotaError:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(one, range(tries)))


def test_names_are_unique_and_readable(catalog: Catalog) -> None:
    made = catalog.tenants.create("maker")
    assert catalog.tenants.named("maker") == catalog.tenants.get(made.id) == made
    with pytest.raises(ConflictError, match="there is a tenant 'maker' already"):
        catalog.tenants.create("maker")
    for name in ("", " maker", "a\nb", "x" * 201):
        with pytest.raises(ConfigError, match="cannot be called"):
            catalog.tenants.create(name)
    with pytest.raises(MissingError, match="no tenant 'nobody'"):
        catalog.tenants.named("nobody")
    assert catalog.tenants.list() == (made,)


def test_changes_of_a_quota_at_once_all_hold(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker").id
    changes = [{"pictures_a_day": 7}, {"trainings_at_once": 5}, {"storage_bytes": 9}]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda change: catalog.tenants.change_quota(tenant, change), changes))
    assert catalog.tenants.get(tenant).quota == Quota(7, 5, 9)
    with pytest.raises(ConfigError, match="pictures_a_day of a quota is -1"):
        catalog.tenants.change_quota(tenant, {"pictures_a_day": -1})


def test_threads_together_draw_as_many_pictures_as_one_may(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker", Quota(pictures_a_day=20)).id
    assert num_successes(16, lambda _: catalog.tenants.take_pictures(tenant, 3)) == 6
    assert catalog.tenants.usage(tenant).pictures_today == 18


def test_a_new_day_begins_at_midnight_in_utc(catalog: Catalog, clock: FakeClock) -> None:
    tenant = catalog.tenants.create("maker", Quota(pictures_a_day=5)).id
    catalog.tenants.take_pictures(tenant, 5)
    with pytest.raises(QuotaError, match="1 pictures more would be above 5 a day") as refused:
        catalog.tenants.take_pictures(tenant, 1)
    assert refused.value.retry_after_s == 12 * 3600
    clock.advance(12 * 3600 - 1)
    with pytest.raises(QuotaError, match="above 5"):
        catalog.tenants.take_pictures(tenant, 1)
    clock.advance(1)
    catalog.tenants.take_pictures(tenant, 5)


def test_what_was_not_drawn_is_given_back(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker", Quota(pictures_a_day=5)).id
    catalog.tenants.take_pictures(tenant, 4)
    catalog.tenants.give_back_pictures(tenant, 3)
    catalog.tenants.give_back_pictures(tenant, 3)  # more than there is: not given
    assert catalog.tenants.usage(tenant) == Usage(1, 0)


def test_threads_together_store_as_much_as_one_may(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker", Quota(storage_bytes=550)).id

    def store(number: int) -> None:
        if number % 2:
            catalog.seals.add(tenant, content(number), facts())
        else:
            catalog.artefacts.add(tenant, NewArtefact(ArtefactKind.PICTURE, content(number), "image/png"))

    assert num_successes(12, store) == 5
    assert catalog.tenants.usage(tenant).storage_bytes == 500
    catalog.verify(repair=True)
    assert len(list(catalog.files.paths())) == 5


def test_deleting_makes_room(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker", Quota(storage_bytes=100)).id
    seal = catalog.seals.add(tenant, content(1), facts())
    with pytest.raises(QuotaError, match="100 bytes more would be above 100 bytes of storage; 100 are used"):
        catalog.seals.add(tenant, content(2), facts())
    catalog.seals.delete(tenant, seal.digest, seal.base_digest)
    catalog.seals.add(tenant, content(2), facts())


def test_a_changed_quota_holds_from_now_on(catalog: Catalog) -> None:
    tenant = catalog.tenants.create("maker", Quota(pictures_a_day=1)).id
    changed = catalog.tenants.set_quota(tenant, Quota(pictures_a_day=2, trainings_at_once=0))
    assert catalog.tenants.get(tenant) == changed
    catalog.tenants.take_pictures(tenant, 2)
    with pytest.raises(ConfigError, match="storage_bytes of a quota is -1"):
        catalog.tenants.set_quota(tenant, Quota(storage_bytes=-1))


@pytest.mark.parametrize("number", [0, -3])
def test_no_pictures_are_no_request(catalog: Catalog, number: int) -> None:
    tenant = catalog.tenants.create("maker").id
    with pytest.raises(SealsmithError, match=f"{number} pictures were asked for"):
        catalog.tenants.take_pictures(tenant, number)
