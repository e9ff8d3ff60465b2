"""The queue: every job is done once, in order, by whoever holds it, and by nobody else."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_clock import FakeClock

from sealsmith.catalog import ArtefactKind, Catalog, NewArtefact, Quota, SealFacts
from sealsmith.catalog.paging import MAX_PAGE
from sealsmith.errors import ConfigError, ConflictError, LeaseError, MissingError, QuotaError, SealExistsError
from sealsmith.jobs import (
    EventKind,
    Failure,
    Job,
    JobState,
    Lease,
    Leases,
    NewScorecard,
    NewSeal,
    Outcome,
    Queue,
)

LEASE_S = 30.0
PASSING = Failure("worker", "it died", "", is_retryable=True)
FINAL = Failure("config", "it cannot work", "", is_retryable=False)

LAST_EVENTS = {
    JobState.QUEUED: {EventKind.QUEUED, EventKind.INTERRUPTED},
    JobState.RUNNING: {EventKind.STARTED},
    JobState.CANCELLING: {EventKind.CANCELLING},
    JobState.DONE: {EventKind.DONE},
    JobState.FAILED: {EventKind.FAILED},
    JobState.CANCELLED: {EventKind.CANCELLED},
}
"""State of a job -> what its last event, progress left out, can be."""


@pytest.fixture
def queue(catalog: Catalog) -> Queue:
    return Queue(catalog)


@pytest.fixture
def leases(catalog: Catalog) -> Leases:
    return Leases(catalog)


@pytest.fixture
def tenant(catalog: Catalog) -> str:
    return catalog.tenants.create("maker").id


def claimed(leases: Leases, worker: str = "one") -> Lease:
    lease = leases.claim(["work"], worker, LEASE_S)
    assert lease is not None
    return lease


def kinds(queue: Queue, job: Job) -> list[str]:
    return [event.kind.value for event in queue.events(job.tenant, job.id)]


def test_a_job_is_queued_done_and_told_of(queue: Queue, leases: Leases, tenant: str) -> None:
    job = queue.submit(tenant, "work", {"a": [1, None]})
    assert queue.get(tenant, job.id) == job
    assert leases.claim(["other"], "one", LEASE_S) is None
    lease = claimed(leases)
    assert (lease.job.id, lease.job.state, lease.job.attempts) == (job.id, JobState.RUNNING, 1)
    assert leases.claim(["work"], "two", LEASE_S) is None
    assert leases.beat(lease, {"done": 1}) is JobState.RUNNING
    leases.finish(lease, Outcome({"b": 2}))
    done = queue.get(tenant, job.id)
    assert (done.state, done.result, done.progress) == (
        JobState.DONE,
        {"b": 2, "seals": [], "artefacts": []},
        {"done": 1},
    )
    assert kinds(queue, job) == ["queued", "started", "progress", "done"]
    assert [event.number for event in queue.events(tenant, job.id, after=2)] == [3, 4]


def test_the_more_urgent_is_first_and_of_equals_the_older(queue: Queue, leases: Leases, tenant: str) -> None:
    jobs = [queue.submit(tenant, "work", {}, priority=priority).id for priority in (0, 5, 5, -1)]
    assert [claimed(leases).job.id for _ in jobs] == [jobs[1], jobs[2], jobs[0], jobs[3]]


def test_there_is_work_exactly_when_a_job_can_be_claimed(
    queue: Queue, leases: Leases, tenant: str, clock: FakeClock
) -> None:
    assert not leases.has_work(["work"])
    queue.submit(tenant, "work", {})
    assert leases.has_work(["work", "other"])
    assert not leases.has_work(["other"])
    lease = claimed(leases)
    assert not leases.has_work(["work"])
    clock.advance(LEASE_S)  # its worker is gone
    assert leases.has_work(["work"])
    lease = claimed(leases)
    leases.fail(lease, PASSING)
    assert not leases.has_work(["work"]), "it rests before the next attempt"
    clock.advance(60.0)
    assert leases.has_work(["work"])


def test_a_scorecard_comes_with_the_job_s_end_and_to_one_s_own_seal_alone(
    queue: Queue, leases: Leases, tenant: str, catalog: Catalog, clock: FakeClock
) -> None:
    owner = catalog.tenants.create("owner").id
    facts = SealFacts("n", "b" * 64, "sealworld")
    mine, granted = (catalog.seals.add(whose, whose.encode(), facts) for whose in (tenant, owner))
    catalog.seals.grant(owner, granted.digest, granted.base_digest, tenant)
    card = {"verdict": "pass"}
    gone = NewScorecard("0" * 64, "b" * 64, card)
    cards = (*(NewScorecard(seal.digest, seal.base_digest, card) for seal in (mine, granted)), gone)
    queue.submit(tenant, "work", {})
    late = claimed(leases)
    clock.advance(LEASE_S)
    lease = claimed(leases, "two")
    with pytest.raises(LeaseError, match="has run out"):
        leases.finish(late, Outcome({}, scorecards=cards))
    assert catalog.seals.usable(tenant, mine.digest).verdict is None
    leases.finish(lease, Outcome({}, scorecards=cards))
    assert catalog.seals.usable(tenant, mine.digest).scorecard == card
    assert catalog.seals.usable(tenant, mine.digest).verdict == "pass"
    assert catalog.seals.usable(tenant, granted.digest).scorecard is None


def test_no_job_is_two_workers_at_once(queue: Queue, leases: Leases, tenant: str) -> None:
    jobs = {queue.submit(tenant, "work", {"number": number}).id for number in range(20)}

    def work(number: int) -> list[str]:
        mine = []
        while (lease := leases.claim(["work"], f"worker {number}", LEASE_S)) is not None:
            leases.finish(lease, Outcome({}))
            mine.append(lease.job.id)
        return mine

    with ThreadPoolExecutor(6) as pool:
        taken = [job for mine in pool.map(work, range(6)) for job in mine]
    assert len(taken) == len(jobs)
    assert set(taken) == jobs


def test_a_worker_whose_lease_ran_out_writes_nothing_more(
    queue: Queue, leases: Leases, tenant: str, catalog: Catalog, clock: FakeClock
) -> None:
    job = queue.submit(tenant, "work", {})
    outcome = Outcome(
        {},
        (NewSeal(b"seal", SealFacts("n", "b" * 64, "sealworld")),),
        (NewArtefact(ArtefactKind.CURVE, b"curve", "text/plain"),),
    )
    late = claimed(leases)

    def is_powerless(lease: Lease) -> bool:
        before = (queue.get(tenant, job.id), queue.events(tenant, job.id))
        for write in (
            lambda: leases.beat(lease, {"done": 1}),
            lambda: leases.note(lease, "hello"),
            lambda: leases.keep(lease, outcome.artefacts[0]),
            lambda: leases.finish(lease, outcome),
            lambda: leases.fail(lease, PASSING),
            lambda: leases.stop(lease),
        ):
            with pytest.raises(LeaseError, match=f"lease {lease.fence} of job {job.id} has run out"):
                write()
        assert catalog.seals.page(tenant).items == ()
        assert catalog.artefacts.page(tenant, ArtefactKind.CURVE).items == ()
        return before == (queue.get(tenant, job.id), queue.events(tenant, job.id))

    clock.advance(LEASE_S)
    assert is_powerless(late)  # nobody else has it yet
    newer = claimed(leases, "two")
    assert newer.fence > late.fence
    assert is_powerless(late)
    leases.finish(newer, outcome)
    assert [seal.name for seal in catalog.seals.page(tenant).items] == ["n"]
    with pytest.raises(LeaseError, match="has run out"):
        leases.finish(newer, outcome)


def test_a_beaten_lease_lasts(queue: Queue, leases: Leases, tenant: str, clock: FakeClock) -> None:
    queue.submit(tenant, "work", {})
    lease = claimed(leases)
    for _ in range(5):
        clock.advance(LEASE_S - 1)
        leases.beat(lease)
    assert leases.claim(["work"], "two", LEASE_S) is None


def test_a_job_whose_workers_die_rests_as_failed_with_the_reason(
    queue: Queue, leases: Leases, tenant: str, clock: FakeClock
) -> None:
    job = queue.submit(tenant, "work", {}, max_attempts=3)
    for attempt in range(1, 4):
        assert claimed(leases, f"worker {attempt}").job.attempts == attempt
        clock.advance(LEASE_S)
    assert leases.claim(["work"], "worker 4", LEASE_S) is None
    failed = queue.get(tenant, job.id)
    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert failed.failure.message == "its worker worker 3 went silent in attempt 3"
    assert kinds(queue, job) == ["queued", *["started", "interrupted"] * 2, "started", "failed"]
    clock.advance(1e6)
    assert leases.claim(["work"], "worker 5", LEASE_S) is None


def test_an_error_that_may_pass_is_tried_again_later_and_one_that_will_not_is_the_end(
    queue: Queue, leases: Leases, tenant: str, clock: FakeClock
) -> None:
    passing = queue.submit(tenant, "work", {}, max_attempts=2)
    assert leases.fail(claimed(leases), PASSING) is JobState.QUEUED
    assert leases.claim(["work"], "one", LEASE_S) is None
    clock.advance(1)
    assert leases.fail(claimed(leases), PASSING) is JobState.FAILED
    assert queue.get(tenant, passing.id).failure == PASSING
    final = queue.submit(tenant, "work", {})
    assert leases.fail(claimed(leases), FINAL) is JobState.FAILED
    assert queue.get(tenant, final.id).attempts == 1


def test_a_job_that_was_stopped_in_order_goes_on_without_a_lost_attempt(
    queue: Queue, leases: Leases, tenant: str
) -> None:
    job = queue.submit(tenant, "work", {}, max_attempts=1)
    assert leases.stop(claimed(leases)) is JobState.QUEUED
    assert claimed(leases).job.attempts == 1
    assert kinds(queue, job) == ["queued", "started", "interrupted", "started"]


def test_cancelling_ends_what_waits_at_once_and_what_is_at_work_when_it_is_saved(
    queue: Queue, leases: Leases, tenant: str, clock: FakeClock
) -> None:
    waiting = queue.submit(tenant, "work", {})
    assert queue.cancel(tenant, waiting.id).state is JobState.CANCELLED
    assert leases.claim(["work"], "one", LEASE_S) is None
    for how in ("stopped", "failed", "dead"):
        job = queue.submit(tenant, "work", {})
        lease = claimed(leases)
        assert queue.cancel(tenant, job.id).state is JobState.CANCELLING
        assert queue.cancel(tenant, job.id).state is JobState.CANCELLING
        assert leases.beat(lease) is JobState.CANCELLING
        if how == "stopped":
            leases.stop(lease)
        elif how == "failed":
            leases.fail(lease, PASSING)
        else:
            clock.advance(LEASE_S)
            assert leases.claim(["work"], "two", LEASE_S) is None
        assert queue.get(tenant, job.id).state is JobState.CANCELLED
        assert kinds(queue, job) == ["queued", "started", "cancelling", "cancelled"]
    assert queue.cancel(tenant, waiting.id).state is JobState.CANCELLED
    assert kinds(queue, waiting) == ["queued", "cancelled"]


def test_what_rests_can_be_resumed_and_what_does_not_cannot(
    queue: Queue, leases: Leases, tenant: str
) -> None:
    job = queue.submit(tenant, "work", {}, max_attempts=1)
    with pytest.raises(ConflictError, match="the job is queued"):
        queue.resume(tenant, job.id)
    leases.fail(claimed(leases), PASSING)
    resumed = queue.resume(tenant, job.id)
    assert (resumed.state, resumed.attempts, resumed.failure) == (JobState.QUEUED, 0, None)
    leases.finish(claimed(leases), Outcome({}))
    with pytest.raises(ConflictError, match="the job is done"):
        queue.resume(tenant, job.id)


def test_threads_together_hand_in_as_many_trainings_as_one_may(catalog: Catalog, queue: Queue) -> None:
    tenant = catalog.tenants.create("hasty", Quota(trainings_at_once=3)).id

    def hand_in(_: int) -> bool:
        try:
            queue.submit(tenant, "train", {})
        except QuotaError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(hand_in, range(12))) == 3
    queue.submit(tenant, "work", {})
    [_, job, *_] = queue.page(tenant).items
    queue.cancel(tenant, job.id)
    queue.submit(tenant, "train", {})
    with pytest.raises(QuotaError, match="3 trainings are waiting or at work, and 3 may be at once"):
        queue.resume(tenant, job.id)


def test_a_training_is_handed_in_under_a_name_that_is_no_other_s_and_will_not_be(
    catalog: Catalog, queue: Queue, tenant: str
) -> None:
    other, base = catalog.tenants.create("other").id, "b" * 64
    for number in range(2):
        theirs = catalog.seals.add(other, b"%d" % number, SealFacts("logo", base, "sealworld"))
        catalog.seals.grant(other, theirs.digest, base, tenant)
    catalog.seals.add(tenant, b"mine", SealFacts("mine", base, "sealworld"))

    def hand_in(name: str) -> Job:
        return queue.submit(tenant, "train", {"name": name}, seal_name=name)

    with pytest.raises(SealExistsError, match="another seal is called 'mine' already"):
        hand_in("mine")
    job = hand_in("logo")
    with pytest.raises(SealExistsError, match=f"the training {job.id[:12]} will call its seal 'logo'"):
        hand_in("logo")
    assert [each.id for each in queue.page(tenant).items] == [job.id]
    queue.submit(other, "train", {"name": "logo"})
    queue.cancel(tenant, job.id)
    hand_in("logo")


def test_of_threads_that_hand_in_trainings_of_one_name_one_succeeds(catalog: Catalog, queue: Queue) -> None:
    tenant = catalog.tenants.create("hasty", Quota(trainings_at_once=9)).id

    def hand_in(_: int) -> bool:
        try:
            queue.submit(tenant, "train", {"name": "logo"}, seal_name="logo")
        except SealExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(hand_in, range(4))) == 1


def test_a_seal_whose_name_was_taken_meanwhile_has_a_numbered_one(
    catalog: Catalog, queue: Queue, leases: Leases, tenant: str
) -> None:
    facts = SealFacts("zwx", "b" * 64, "sealworld")
    for number in range(3):
        job = queue.submit(tenant, "work", {})
        leases.finish(claimed(leases), Outcome({}, (NewSeal(b"%d" % number, facts),)))
    named = [catalog.seals.named(tenant, name) for name in ("zwx", "zwx-2", "zwx-3")]
    assert list(catalog.seals.page(tenant).items) == named[::-1]
    assert kinds(queue, job) == ["queued", "started", "note", "done"]
    told = queue.events(tenant, job.id)[2].data
    assert told == {"message": "the seal is called 'zwx-3', for 'zwx' is another by now"}
    again = queue.submit(tenant, "work", {})
    leases.finish(claimed(leases), Outcome({}, (NewSeal(b"0", facts),)))
    assert kinds(queue, again) == ["queued", "started", "done"], "the same seal is no other"
    assert len(catalog.seals.page(tenant).items) == 3


def test_a_job_is_its_tenant_s_alone(catalog: Catalog, queue: Queue, leases: Leases, tenant: str) -> None:
    other = catalog.tenants.create("other").id
    job = queue.submit(tenant, "work", {})
    for attempt in (queue.get, queue.events, queue.cancel, queue.resume, queue.delete):
        with pytest.raises(MissingError, match="there is no job"):
            attempt(other, job.id)
    assert queue.page(other).items == ()
    with pytest.raises(ConflictError, match="the job is queued"):
        queue.delete(tenant, job.id)
    leases.finish(claimed(leases), Outcome({}))
    assert leases.unfinished() == frozenset()
    queue.delete(tenant, job.id)
    with pytest.raises(MissingError, match="there is no job"):
        queue.events(tenant, job.id)


def test_however_much_a_job_left_nothing_of_it_is_kept_once_it_is_deleted(
    catalog: Catalog, queue: Queue, leases: Leases, tenant: str
) -> None:
    other = catalog.tenants.create("other").id
    job, next_job = (queue.submit(tenant, "work", {}) for _ in range(2))
    leases.finish(claimed(leases), Outcome({}))

    def left(whose: str, of: str | None, num: int) -> None:
        files = [
            NewArtefact(ArtefactKind.PREVIEW, b"%d" % (number % 3), "image/png", f"{number}", {}, of)
            for number in range(num)
        ]
        catalog.artefacts.put_files(files)
        with catalog.database.writing() as session:
            catalog.artefacts.insert(session, whose, files)

    left(tenant, job.id, MAX_PAGE + 5)
    catalog.artefacts.add(tenant, NewArtefact(ArtefactKind.CURVE, b"curve", "text/plain", job=job.id))
    for whose, of in ((tenant, next_job.id), (tenant, None), (other, job.id)):
        left(whose, of, 1)
    queue.delete(tenant, job.id)
    rest = catalog.artefacts.page(tenant, ArtefactKind.PREVIEW).items
    assert [file.job for file in rest] == [None, next_job.id]
    assert catalog.artefacts.page(other, ArtefactKind.PREVIEW).items != ()
    assert catalog.tenants.usage(tenant).storage_bytes == 2
    assert len(list(catalog.files.paths())) == 1, "of what others have, too"
    assert catalog.verify(deep=True).is_sound


def test_lists_come_in_parts_by_kind(queue: Queue, tenant: str) -> None:
    for number in range(5):
        queue.submit(tenant, "work" if number % 2 else "other", {"number": number})
    page = queue.page(tenant, limit=3)
    rest = queue.page(tenant, after=page.next, limit=3)
    assert [job.payload["number"] for job in (*page.items, *rest.items)] == [4, 3, 2, 1, 0]
    assert [job.payload["number"] for job in queue.page(tenant, kinds=["work"]).items] == [3, 1]


def test_what_is_no_job_is_refused(queue: Queue, tenant: str) -> None:
    for kind, payload, more, sentence in (
        ("no kind", {}, {}, "is no kind of job"),
        ("work", {"a": {1, 2}}, {}, "is no JSON"),
        ("work", {"a": float("nan")}, {}, "is no JSON"),
        ("work", {"a": "x" * (300 << 10)}, {}, "characters"),
        ("work", {}, {"priority": 101}, "priority is 101"),
        ("work", {}, {"max_attempts": 0}, "tried 0 times"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            queue.submit(tenant, kind, payload, **more)  # type: ignore[arg-type]
    with pytest.raises(MissingError, match="no tenant"):
        queue.submit("nobody", "work", {})


def test_tenants_and_workers_at_once_wait_for_each_other_and_never_crosswise(
    catalog: Catalog, queue: Queue, leases: Leases
) -> None:
    tenant = catalog.tenants.create("busy", Quota(trainings_at_once=4)).id
    outcome = Outcome(
        {},
        (NewSeal(b"seal", SealFacts("n", "b" * 64, "sealworld")),),
        (NewArtefact(ArtefactKind.CURVE, b"curve", "text/plain"),),
    )

    def act(number: int) -> None:
        chance = random.Random(number)
        for _ in range(12):
            try:
                jobs = queue.page(tenant, limit=3).items
                what = chance.choice(["submit", "work", "work", "cancel", "resume", "resume"])
                if what == "submit" or not jobs:
                    queue.submit(tenant, "train", {})
                elif what == "cancel":
                    queue.cancel(tenant, chance.choice(jobs).id)
                elif what == "resume":
                    queue.resume(tenant, chance.choice(jobs).id)
                elif lease := leases.claim(["train"], f"{number}", LEASE_S):
                    leases.finish(lease, outcome)
            except (QuotaError, ConflictError):
                pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(6)))
    assert len(catalog.seals.page(tenant).items) == 1
    num_done = sum(job.state is JobState.DONE for job in queue.page(tenant, limit=200).items)
    assert len(catalog.artefacts.page(tenant, ArtefactKind.CURVE, limit=200).items) == num_done > 0
    assert catalog.verify(deep=True).is_sound


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_events_are_numbered_without_gaps_and_end_with_the_state(
    catalog: Catalog, queue: Queue, leases: Leases, tenant: str, clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)
    held: list[Lease] = []
    jobs = [queue.submit(tenant, "work", {}, max_attempts=2) for _ in range(3)]
    for _ in range(40):
        act = chance.choice(["claim", "beat", "finish", "fail", "stop", "cancel", "resume", "time"])
        job = chance.choice(jobs)
        lease = chance.choice(held) if held else None
        try:
            if act == "claim" and (new := leases.claim(["work"], "one", LEASE_S)):
                held.append(new)
            elif act == "cancel":
                queue.cancel(tenant, job.id)
            elif act == "resume":
                queue.resume(tenant, job.id)
            elif act == "time":
                clock.advance(LEASE_S / 2)
            elif lease is not None and act == "beat":
                leases.beat(lease, {"done": 1})
            elif lease is not None and act == "finish":
                leases.finish(lease, Outcome({}))
            elif lease is not None and act == "fail":
                leases.fail(lease, chance.choice([PASSING, FINAL]))
            elif lease is not None and act == "stop":
                leases.stop(lease)
        except (LeaseError, ConflictError):
            pass
    for job in jobs:
        events, now = queue.events(tenant, job.id), queue.get(tenant, job.id)
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        last = next(event.kind for event in events[::-1] if event.kind is not EventKind.PROGRESS)
        assert last in LAST_EVENTS[now.state]
        assert now.attempts <= now.max_attempts


@pytest.mark.parametrize(
    ("quota", "why"), [(Quota(trainings_at_once=0), "may be at once"), (Quota(storage_bytes=3), "bytes")]
)
def test_a_job_that_is_refused_keeps_no_file_but_one_that_others_have(
    catalog: Catalog, queue: Queue, tenant: str, quota: Quota, why: str
) -> None:
    files = {"pictures": NewArtefact(ArtefactKind.UPLOAD, b"pictures", "application/zip")}
    refused = catalog.tenants.create("refused", quota).id
    with pytest.raises(QuotaError, match=why):
        queue.submit(refused, "train", {}, files=files)
    assert (list(catalog.files.paths()), queue.page(refused).items) == ([], ())
    job = queue.submit(tenant, "train", {"pictures": ""}, files=files)
    with pytest.raises(QuotaError, match=why):
        queue.submit(refused, "train", {}, files=files)
    assert catalog.artefacts.read(tenant, job.payload["pictures"]) == b"pictures"
    assert catalog.verify(deep=True).is_sound
