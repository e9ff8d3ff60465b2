"""A program that dies, of SIGKILL, at the n-th point between two writes: run by test_crashes.py.

Points are before and after whatever changes the store, before every statement that changes the database, and before
and after every commit. For each n a process is forked that does the operation on content n and dies at point n,
until one gets to its end; the number of points is printed.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import obstore
from catalog_examples import BASE, content, facts
from sqlalchemy import event
from sqlalchemy.orm import Session

from sealsmith.catalog import ArtefactKind, Catalog, NewArtefact, Quota, open_catalog
from sealsmith.jobs import Leases, NewSeal, Outcome, Queue

TENANT = "maker"
MOST_POINTS = 60
LEASE_S = 600


class Points:
    """Counts points, and dies at one of them."""

    def __init__(self) -> None:
        self.left: int | None = None

    def pass_one(self, *_: Any) -> None:
        if self.left is None:
            return
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            self.pass_one()
            result = function(*given, **named)
            self.pass_one()
            return result

        return wrapped

    def before_statement(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            self.pass_one()


def add(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    return lambda: catalog.seals.add(tenant, content(n), facts())


def delete(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    record = catalog.seals.add(tenant, content(n), facts())
    return lambda: catalog.seals.delete(tenant, record.digest, BASE)


def upload(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    return lambda: catalog.artefacts.add(tenant, NewArtefact(ArtefactKind.UPLOAD, content(n), "image/png"))


def hand_in(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    """A training with its pictures."""
    pictures = NewArtefact(ArtefactKind.UPLOAD, content(n), "application/zip")
    return lambda: Queue(catalog).submit(tenant, "train", {"pictures": ""}, files={"pictures": pictures})


def forget(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    """A training that was called off, and its pictures."""
    queue = Queue(catalog)
    job = hand_in(catalog, tenant, n)()
    queue.cancel(tenant, job.id)
    return lambda: queue.delete(tenant, job.id, [job.payload["pictures"]])


def finish(catalog: Catalog, tenant: str, n: int) -> Callable[[], Any]:
    Queue(catalog).submit(tenant, "train", {"n": n})
    leases = Leases(catalog)
    lease = leases.claim(["train"], "dying", LEASE_S)
    assert lease is not None
    return lambda: leases.finish(lease, outcome(n))


def outcome(n: int) -> Outcome:
    curve = NewArtefact(ArtefactKind.CURVE, content(1000 + n), "application/jsonl")
    return Outcome({"n": n}, (NewSeal(content(n), facts()),), (curve,))


OPERATIONS = {each.__name__: each for each in (add, delete, upload, hand_in, forget, finish)}


def main(operation: str, database: str, store: str) -> None:
    for n in range(MOST_POINTS):
        child = os.fork()
        if child == 0:
            once(OPERATIONS[operation], database, store, n)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            print(json.dumps(n))
            return
    sys.exit("it never came to its end")


def once(
    operation: Callable[[Catalog, str, int], Callable[[], Any]], database: str, store: str, n: int
) -> None:
    points = Points()
    obstore.put, obstore.delete = points.around(obstore.put), points.around(obstore.delete)
    catalog = open_catalog(database, store)
    names = [tenant.name for tenant in catalog.tenants.list()]
    quota = Quota(trainings_at_once=MOST_POINTS)
    tenant = catalog.tenants.named(TENANT) if names else catalog.tenants.create(TENANT, quota)
    act = operation(catalog, tenant.id, n)
    with catalog.database.reading() as session:
        engine = session.get_bind().engine  # type: ignore[union-attr]
    event.listen(engine, "before_cursor_execute", points.before_statement)
    event.listen(engine, "commit", points.pass_one)
    event.listen(Session, "after_commit", points.pass_one)
    points.left = n
    act()


if __name__ == "__main__":
    main(*sys.argv[1:])
