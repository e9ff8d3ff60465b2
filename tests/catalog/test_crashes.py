"""Killed between any two writes, the catalog has nothing but leftovers, and the same again works."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from catalog_examples import content
from dying import OPERATIONS, TENANT, outcome

from sealsmith.catalog import ArtefactKind, Catalog, open_catalog
from sealsmith.catalog.database import utc_now
from sealsmith.engine.store import digest_of
from sealsmith.jobs import JobState, Leases, Queue

FEWEST_POINTS = {"add": 5, "delete": 5, "upload": 5, "hand_in": 6, "forget": 6, "finish": 10}


def much_later() -> datetime:
    """When the leases of all who died have run out."""
    return utc_now() + timedelta(days=1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_between_two_writes_leaves_leftovers_at_most(
    database_url: str, store_url: str, operation: str
) -> None:
    program = Path(__file__).with_name("dying.py")
    ended = subprocess.run(
        [sys.executable, str(program), operation, database_url, store_url], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    num_points = json.loads(ended.stdout)
    assert num_points >= FEWEST_POINTS[operation]
    with open_catalog(database_url, store_url, much_later) as catalog:
        found = catalog.verify(deep=True)
        assert found.lost == ()
        assert found.leftovers or operation == "finish"
        tenant = catalog.tenants.named(TENANT).id
        AGAIN[operation](catalog, tenant, num_points + 1)
        catalog.verify(repair=True)
        after = catalog.verify(deep=True)
        assert after.is_sound
        assert after.leftovers == ()


def added_again(catalog: Catalog, tenant: str, num: int) -> None:
    for n in range(num):
        OPERATIONS["add"](catalog, tenant, n)()
        assert catalog.seals.read(tenant, digest_of(content(n))) == content(n)
    assert len(catalog.seals.page(tenant, limit=200).items) == num


def deleted_again(catalog: Catalog, tenant: str, num: int) -> None:
    for n in range(num):
        OPERATIONS["delete"](catalog, tenant, n)()
    assert catalog.seals.page(tenant).items == ()
    catalog.verify(repair=True)
    assert list(catalog.files.paths()) == []


def uploaded_again(catalog: Catalog, tenant: str, num: int) -> None:
    there = catalog.artefacts.page(tenant, ArtefactKind.UPLOAD, limit=200).items
    assert {each.digest for each in there} < {digest_of(content(n)) for n in range(num)}
    for each in there:
        assert digest_of(catalog.artefacts.read(tenant, each.id)) == each.digest


def handed_in_again(catalog: Catalog, tenant: str, num: int) -> None:
    """Pictures without their training would count for the tenant, and nobody would ever remove them."""
    jobs = Queue(catalog).page(tenant, limit=200).items
    pictures = catalog.artefacts.page(tenant, ArtefactKind.UPLOAD, limit=200).items
    assert 0 < len(jobs) < num
    assert [job.payload["pictures"] for job in jobs] == [each.id for each in pictures]
    for each in pictures:
        assert digest_of(catalog.artefacts.read(tenant, each.id)) == each.digest


def forgotten_again(catalog: Catalog, tenant: str, num: int) -> None:
    """A training is there with its pictures, or neither is."""
    queue = Queue(catalog)
    jobs = queue.page(tenant, limit=200).items
    pictures = catalog.artefacts.page(tenant, ArtefactKind.UPLOAD, limit=200).items
    assert [job.payload["pictures"] for job in jobs] == [each.id for each in pictures]
    assert 0 < len(jobs) < num
    for job in jobs:
        queue.delete(tenant, job.id, [job.payload["pictures"]])
    catalog.verify(repair=True)
    assert list(catalog.files.paths()) == []


def finished_again(catalog: Catalog, tenant: str, num: int) -> None:
    leases, queue = Leases(catalog), Queue(catalog)
    while (lease := leases.claim(["train"], "next", 3600)) is not None:
        leases.finish(lease, outcome(lease.job.payload["n"]))
    jobs = queue.page(tenant, limit=200).items
    assert [job.state for job in jobs] == [JobState.DONE] * num
    assert {job.result["seals"][0]["digest"] for job in jobs if job.result} == {
        digest_of(content(n)) for n in range(num)
    }
    assert len(catalog.seals.page(tenant, limit=200).items) == num
    assert len(catalog.artefacts.page(tenant, ArtefactKind.CURVE, limit=200).items) == num


AGAIN = {
    "add": added_again,
    "delete": deleted_again,
    "upload": uploaded_again,
    "hand_in": handed_in_again,
    "forget": forgotten_again,
    "finish": finished_again,
}
