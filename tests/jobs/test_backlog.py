"""The backlog counts all tenants' jobs, and of those that failed, today's."""

from fake_clock import FakeClock

from sealsmith.catalog import Catalog
from sealsmith.jobs import Backlog, Failure, Leases, Queue

FINAL = Failure("config", "it cannot work", "", is_retryable=False)


def test_jobs_are_counted_by_state_and_failures_until_midnight(catalog: Catalog, clock: FakeClock) -> None:
    queue, leases = Queue(catalog), Leases(catalog)
    ann, bob = (catalog.tenants.create(name).id for name in ("ann", "bob"))
    assert queue.backlog() == Backlog(0, 0, 0)
    for tenant in (ann, ann, bob, bob):
        queue.submit(tenant, "work", {})
    leasing = [leases.claim(["work"], "one", 30.0) for _ in range(3)]
    assert queue.backlog() == Backlog(1, 3, 0)
    first, second, _ = leasing
    assert first is not None
    assert second is not None
    leases.fail(first, FINAL)
    queue.cancel(ann, second.job.id)
    assert queue.backlog() == Backlog(1, 2, 1)
    assert (queue.num_unfinished(ann, "work"), queue.num_unfinished(bob, "work")) == (1, 2)
    clock.advance(11 * 3600 + 3599)
    assert queue.backlog().num_failed_today == 1
    clock.advance(1)
    assert queue.backlog().num_failed_today == 0
