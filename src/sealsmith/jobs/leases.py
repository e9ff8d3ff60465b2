"""The queue as workers see it: a job is leased for a while, and the lease beaten to keep it.

A worker whose lease ran out may be dead, or only slow: it cannot know. So every lease of a job has a number that
grows, its fence, and whatever a worker writes is written only while the job's fence is still its own and its time
not over. Which of several workers gets a job is decided by the database: `FOR UPDATE SKIP LOCKED` on PostgreSQL,
`BEGIN IMMEDIATE` on SQLite.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from ..catalog import Artefact, Catalog, NewArtefact, SealRecord
from ..catalog.seals import free_name, write_scorecard
from ..engine.store import digest_of
from ..errors import LeaseError, WorkerError
from .rows import end, job_of, queue_again, say
from .tables import JobRow
from .values import EventKind, Failure, JobState, Lease, NewSeal, Outcome

AT_WORK = (JobState.RUNNING.value, JobState.CANCELLING.value)
RETRY_AFTER_S = (1.0, 10.0, 60.0)
"""How long a job rests after its first failed attempt, its second, and every later one."""


class Leases:
    """Jobs for workers, and what workers have to say about them."""

    def __init__(self, catalog: Catalog):
        self._catalog = catalog
        self._database, self._clock = catalog.database, catalog.clock

    def claim(self, kinds: Collection[str], worker: str, lasts_s: float) -> Lease | None:
        """The next job of these kinds, which is this worker's for so long; None: there is none.

        That may be one whose worker died. One that has had all its attempts, or is to be cancelled, ends here.
        """
        now = self._clock()
        with self._database.writing() as session:
            while (row := session.scalar(_next(kinds, now))) is not None:
                if row.state in AT_WORK and not _can_go_on(session, row, now):
                    session.flush()
                    continue
                row.state, row.worker = JobState.RUNNING.value, worker
                row.attempts, row.fence = row.attempts + 1, row.fence + 1
                row.started, row.lease_until = now, now + timedelta(seconds=lasts_s)
                say(session, row, EventKind.STARTED, now, {"attempt": row.attempts})
                return Lease(job_of(row), row.fence, lasts_s)
        return None

    def has_work(self, kinds: Collection[str]) -> bool:
        """Whether `claim` would find a job of these kinds now."""
        with self._database.reading() as session:
            return session.scalar(_open(kinds, self._clock()).limit(1)) is not None

    def beat(self, lease: Lease, progress: Mapping[str, Any] | None = None) -> JobState:
        """Keeps the lease, from now on again; whether the job is `running` or `cancelling`.

        `progress`: where the job stands, where that is news. Raises: LeaseError.
        """
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            row.lease_until = now + timedelta(seconds=lease.lasts_s)
            if progress is not None:
                row.progress = dict(progress)
                say(session, row, EventKind.PROGRESS, now, progress)
            return JobState(row.state)

    def note(self, lease: Lease, message: str) -> None:
        """Tells the tenant something, as a warning about its pictures. Raises: LeaseError."""
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            say(session, row, EventKind.NOTE, now, {"message": message})

    def keep(self, lease: Lease, new: NewArtefact) -> Artefact:
        """Keeps a file of the job while it is at work; one of the same kind and name stays as it was.

        Raises: LeaseError, QuotaError, ConfigError, StoreError.
        """
        artefacts, tenant = self._catalog.artefacts, lease.job.tenant
        new = replace(new, job=lease.job.id)
        artefacts.put_files([new])
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            there = artefacts.of_job(session, tenant, lease.job.id, new.kind, new.name)
            if there is not None:
                return there
            [made] = artefacts.insert(session, tenant, [new])
            say(session, row, EventKind.ARTEFACT, now, {"id": made.id, "kind": made.kind, "name": made.name})
            return made

    def finish(self, lease: Lease, outcome: Outcome) -> None:
        """The job is done and what it made is its tenant's: both or neither, and once.

        Raises: LeaseError; QuotaError, when there is no room for it.
        """
        seals, artefacts = self._catalog.seals, self._catalog.artefacts
        files = [replace(new, job=lease.job.id) for new in outcome.artefacts]
        for seal in outcome.seals:
            seals.put_file(seal.data)
        artefacts.put_files(files)
        tenant = lease.job.tenant
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            records = [self._insert_seal(session, row, now, seal) for seal in _in_order(outcome.seals)]
            made = artefacts.insert(session, tenant, files) if files else []
            for card in outcome.scorecards:
                write_scorecard(session, tenant, card.digest, card.base_digest, card.scorecard)
            row.result = {
                **outcome.result,
                "seals": [{"digest": each.digest, "base_digest": each.base_digest} for each in records],
                "artefacts": [each.id for each in made],
            }
            row.error = None
            end(row, JobState.DONE, now)
            say(session, row, EventKind.DONE, now, row.result)

    def _insert_seal(self, session: Session, row: JobRow, now: datetime, new: NewSeal) -> SealRecord:
        """Under a numbered name, which the tenant is told, where another seal has taken its own meanwhile."""
        tenant, wanted = row.tenant_id, new.facts.name
        name = free_name(session, tenant, digest_of(new.data), wanted)
        record = self._catalog.seals.insert(session, tenant, new.data, replace(new.facts, name=name))
        if record.name != wanted:
            said = f"the seal is called {record.name!r}, for {wanted!r} is another by now"
            say(session, row, EventKind.NOTE, now, {"message": said})
        return record

    def fail(self, lease: Lease, failure: Failure) -> JobState:
        """The attempt did not work out; the job's state now: `queued` when it may the next time, else `failed`.

        Raises: LeaseError.
        """
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            row.error = vars(failure)
            if row.state == JobState.CANCELLING:
                _end_cancelled(session, row, now)
            elif failure.is_retryable and row.attempts < row.max_attempts:
                pause_s = RETRY_AFTER_S[min(row.attempts, len(RETRY_AFTER_S)) - 1]
                queue_again(row, now + timedelta(seconds=pause_s))
                say(session, row, EventKind.INTERRUPTED, now, vars(failure))
            else:
                _end_failed(session, row, now)
            return JobState(row.state)

    def stop(self, lease: Lease) -> JobState:
        """The job was stopped in order and can go on: `cancelled` if its tenant wanted that, else `queued`.

        The attempt does not count. Raises: LeaseError.
        """
        with self._database.writing() as session:
            row, now = self._held(session, lease)
            if row.state == JobState.CANCELLING:
                _end_cancelled(session, row, now)
            else:
                row.attempts -= 1
                queue_again(row, now)
                say(session, row, EventKind.INTERRUPTED, now, {"message": "the worker was stopped"})
            return JobState(row.state)

    def is_done(self, lease: Lease) -> bool:
        """Whether the job was finished with this very lease."""
        with self._database.reading() as session:
            row = session.scalar(select(JobRow).where(JobRow.id == lease.job.id))
            return row is not None and row.state == JobState.DONE and row.fence == lease.fence

    def unfinished(self) -> frozenset[str]:
        """Ids of jobs that have not come to an end from which nothing can go on: all but the done ones."""
        with self._database.reading() as session:
            return frozenset(session.scalars(select(JobRow.id).where(JobRow.state != JobState.DONE.value)))

    def _held(self, session: Session, lease: Lease) -> tuple[JobRow, datetime]:
        """The leased job, locked, and the time. Raises: LeaseError when it is no longer this worker's."""
        row = session.scalar(select(JobRow).where(JobRow.id == lease.job.id).with_for_update())
        now = self._clock()  # not before: to get the row may have taken a while
        is_ours = row is not None and row.state in AT_WORK and row.fence == lease.fence
        if row is None or not is_ours or row.lease_until is None or row.lease_until <= now:
            raise LeaseError(
                f"lease {lease.fence} of job {lease.job.id} has run out",
                "let it go: another worker has it, or will; make leases longer if that happens often",
            )
        return row, now


def _next(kinds: Collection[str], now: datetime) -> Any:
    """Of the open jobs the first that no other worker looks at now."""
    ordered = _open(kinds, now).order_by(JobRow.priority.desc(), JobRow.number)
    return ordered.limit(1).with_for_update(skip_locked=True)


def _open(kinds: Collection[str], now: datetime) -> Select[JobRow]:
    """The jobs that wait or whose worker is gone."""
    waits = and_(JobRow.state == JobState.QUEUED.value, JobRow.begin_after <= now)
    is_left = and_(JobRow.state.in_(AT_WORK), JobRow.lease_until <= now)
    return select(JobRow).where(JobRow.kind.in_(kinds), or_(waits, is_left))


def _can_go_on(session: Session, row: JobRow, now: datetime) -> bool:
    """Whether a job whose worker is gone gets another attempt; if not, it has ended."""
    if row.state == JobState.CANCELLING:
        _end_cancelled(session, row, now)
        return False
    died = WorkerError(
        f"its worker {row.worker} went silent in attempt {row.attempts}",
        "it may have been killed, as by a system that runs out of memory; see its log",
    )
    row.error = vars(Failure.of(died))
    if row.attempts >= row.max_attempts:
        _end_failed(session, row, now)
        return False
    say(session, row, EventKind.INTERRUPTED, now, row.error)
    return True


def _end_failed(session: Session, row: JobRow, now: datetime) -> None:
    assert row.error is not None, "a failure without a reason"
    end(row, JobState.FAILED, now)
    say(session, row, EventKind.FAILED, now, {**row.error, "attempts": row.attempts})


def _end_cancelled(session: Session, row: JobRow, now: datetime) -> None:
    end(row, JobState.CANCELLED, now)
    say(session, row, EventKind.CANCELLED, now, {})


def _in_order(seals: tuple[NewSeal, ...]) -> list[NewSeal]:
    """By content, so that two that store the same wait for each other and not crosswise."""
    return sorted(seals, key=lambda seal: seal.data)
