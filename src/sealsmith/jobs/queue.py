"""The queue as tenants see it: jobs are handed in, watched, cancelled and resumed.

    queued -> running -> done
       |         |-> failed      after an error that will not go away, or N attempts; `resume` queues it again
       |         `-> cancelling -> cancelled                                          `resume` queues it again
       `-> cancelled

Not for: the workers' side (leases.py).
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ..catalog import Catalog, NewArtefact, Page
from ..catalog.ids import new_id
from ..catalog.paging import read_page
from ..catalog.seals import check_name_free
from ..catalog.tables import NAME_CHARS
from ..catalog.tenants import lock_tenant
from ..errors import (
    ConfigError,
    ConflictError,
    MissingError,
    QuotaError,
    SealExistsError,
    SealsmithError,
)
from .rows import end, event_of, job_of, queue_again, say
from .tables import EventRow, JobRow
from .values import Backlog, Event, EventKind, Job, JobState, Story

TRAIN = "train"
SCORE, ATTENTION, SWEEP, CONFLICTS = "score", "attention", "sweep", "conflicts"
STUDIES = (SCORE, ATTENTION, SWEEP, CONFLICTS)
"""The kinds of long looks at seals."""
STUDIES_AT_ONCE = 4
"""Of one tenant, those that wait counted."""
STUDY_PRIORITY = -10
"""Below that of trainings: a study is begun when no training waits."""
MAX_ATTEMPTS = 3
MAX_PAYLOAD_CHARS = 256 << 10
MAX_PRIORITY = 100
MAX_EVENTS = 1000
"""Events that are read at once."""
MAX_TOLD = 64
"""Of a job's last events, those that a story goes on with."""
MAX_ASKED = 200
"""Jobs that one question is about."""
UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.CANCELLING.value)


class Queue:
    """The jobs of all tenants. Any thread may use it."""

    def __init__(self, catalog: Catalog):
        self._database, self._clock, self._artefacts = catalog.database, catalog.clock, catalog.artefacts

    def submit(
        self,
        tenant: str,
        kind: str,
        payload: Mapping[str, Any],
        *,
        priority: int = 0,
        max_attempts: int = MAX_ATTEMPTS,
        files: Mapping[str, NewArtefact] | None = None,
        seal_name: str | None = None,
    ) -> Job:
        """Hands in a job; it is there for good when this returns.

        `files`: kept together with it, or not at all; the payload has their ids under these names. `seal_name`:
        only where no seal of the tenant's own is called so, nor is to be by a training that goes on.
        Raises: QuotaError for a training or study too many, or no room for the files; SealExistsError for a name
        that is taken; MissingError for the tenant, ConfigError, StoreError, DatabaseError.
        """
        _check(kind, payload, priority, max_attempts)
        names, new = list(files or {}), list((files or {}).values())
        self._artefacts.put_files(new)
        try:
            with self._database.writing() as session:
                _check_quota(session, tenant, kind)
                if seal_name is not None:
                    _check_name(session, tenant, seal_name)
                kept = self._artefacts.insert(session, tenant, new) if new else []
                ids = {name: each.id for name, each in zip(names, kept, strict=True)}
                row = _new_row(tenant, kind, {**payload, **ids}, priority, max_attempts, self._clock())
                session.add(row)
                session.flush()
                say(session, row, EventKind.QUEUED, row.created, {})
        except SealsmithError:
            self._artefacts.sweep_files(new)
            raise
        return job_of(row)

    def get(self, tenant: str, job: str) -> Job:
        """The tenant's job. Raises: MissingError."""
        with self._database.reading() as session:
            return job_of(_own(session, tenant, job))

    def page(
        self, tenant: str, kinds: Collection[str] = (), after: str | None = None, limit: int = 50
    ) -> Page[Job]:
        """The tenant's jobs of these kinds, or all, newest first. Raises: ConfigError."""
        wanted = select(JobRow).filter_by(tenant_id=tenant)
        if kinds:
            wanted = wanted.where(JobRow.kind.in_(kinds))
        with self._database.reading() as session:
            return read_page(session, wanted, JobRow.number, after, limit, job_of)

    def num_unfinished(self, tenant: str, kind: str) -> int:
        """How many of a tenant's jobs of a kind wait or are at work."""
        with self._database.reading() as session:
            return _num_unfinished(session, tenant, (kind,))

    def backlog(self) -> Backlog:
        """How much there is to do for all tenants, and what went wrong since midnight in UTC."""
        midnight = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        states = select(JobRow.state, func.count()).where(JobRow.state.in_(UNFINISHED)).group_by(JobRow.state)
        failed = select(func.count()).select_from(JobRow).filter_by(state=JobState.FAILED.value)
        with self._database.reading() as session:
            counts: dict[str, int] = dict(session.execute(states).all())
            num_failed = session.scalar(failed.where(JobRow.ended >= midnight)) or 0
        num_queued = counts.get(JobState.QUEUED.value, 0)
        return Backlog(num_queued, sum(counts.values()) - num_queued, num_failed)

    def events(self, tenant: str, job: str, after: int = 0, limit: int = MAX_EVENTS) -> tuple[Event, ...]:
        """What happened to a job after the event of that number, in order. Raises: MissingError."""
        with self._database.reading() as session:
            return _events(session, _own(session, tenant, job), after, min(limit, MAX_EVENTS))

    def story(self, tenant: str, job: str, after: int = 0) -> Story:
        """How far a job has come, with its events after that number, the first `MAX_EVENTS`.

        Raises: MissingError.
        """
        with self._database.reading() as session:
            row = _own(session, tenant, job)
            return Story(row.num_events, JobState(row.state).is_last, _events(session, row, after))

    def stories(self, known: Mapping[str, Story | None]) -> dict[str, Story]:
        """How far jobs of all tenants have come, by what was known of each; those that are gone are left out.

        With the last `MAX_TOLD` events that have come since; of a job of which nothing was known, with none.
        """
        found: dict[str, Story] = {}
        jobs = list(known)
        with self._database.reading() as session:
            for start in range(0, len(jobs), MAX_ASKED):
                some = {job: known[job] for job in jobs[start : start + MAX_ASKED]}
                found |= _stories(session, some)
        return found

    def cancel(self, tenant: str, job: str) -> Job:
        """Stops a job: one that waits at once, one at work when its worker has saved it. What has ended stays so.

        Raises: MissingError.
        """
        now = self._clock()
        with self._database.writing() as session:
            row = _own(session, tenant, job, locked=True)
            if row.state == JobState.QUEUED:
                end(row, JobState.CANCELLED, now)
                say(session, row, EventKind.CANCELLED, now, {})
            elif row.state == JobState.RUNNING:
                row.state = JobState.CANCELLING.value
                say(session, row, EventKind.CANCELLING, now, {})
            return job_of(row)

    def resume(self, tenant: str, job: str) -> Job:
        """Queues a failed or cancelled job again, to go on from where it was, with all its attempts.

        Raises: MissingError; ConflictError for one that is not at rest or is done; QuotaError.
        """
        now = self._clock()
        with self._database.writing() as session:
            row = _own(session, tenant, job, locked=True)  # before the tenant, as workers do
            if row.state not in (JobState.FAILED, JobState.CANCELLED):
                raise ConflictError(
                    f"the job is {row.state}; only a failed or cancelled one can be resumed", "let it be"
                )
            _check_quota(session, tenant, row.kind)
            queue_again(row, now)
            row.attempts, row.error = 0, None
            say(session, row, EventKind.QUEUED, now, {})
            return job_of(row)

    def delete(self, tenant: str, job: str, files: Collection[str] = ()) -> None:
        """Forgets a job that has ended, its events, its files, and these files of the tenant's; its seals stay.

        Raises: MissingError, ConflictError.
        """
        with self._database.writing() as session:
            row = _own(session, tenant, job, locked=True)
            if not JobState(row.state).is_last:
                raise ConflictError(f"the job is {row.state}", "cancel it first")
            digests = self._artefacts.remove(session, tenant, files)
            digests += self._artefacts.remove_of_job(session, tenant, job)
            session.delete(row)
        self._artefacts.sweep(digests)


def _new_row(
    tenant: str, kind: str, payload: dict[str, Any], priority: int, max_attempts: int, now: datetime
) -> JobRow:
    """A job that waits from now on."""
    return JobRow(
        id=new_id(),
        tenant_id=tenant,
        kind=kind,
        payload=payload,
        priority=priority,
        state=JobState.QUEUED.value,
        attempts=0,
        max_attempts=max_attempts,
        created=now,
        begin_after=now,
        fence=0,
        num_events=0,
    )


def _own(session: Session, tenant: str, job: str, locked: bool = False) -> JobRow:
    wanted = select(JobRow).filter_by(id=job, tenant_id=tenant)
    row = session.scalar(wanted.with_for_update() if locked else wanted)
    if row is None:
        raise MissingError(f"there is no job {job[:NAME_CHARS]!r}", "list yours to see what there is")
    return row


def _events(session: Session, row: JobRow, after: int, limit: int = MAX_EVENTS) -> tuple[Event, ...]:
    """Of those that the row counts."""
    later = select(EventRow).where(
        EventRow.job_number == row.number, EventRow.number.between(after + 1, row.num_events)
    )
    return tuple(map(event_of, session.scalars(later.order_by(EventRow.number).limit(limit))))


def _stories(session: Session, known: Mapping[str, Story | None]) -> dict[str, Story]:
    """In one question; where some have gone on, in two."""
    wanted = select(JobRow.number, JobRow.id, JobRow.num_events, JobRow.state).where(JobRow.id.in_(known))
    rows = session.execute(wanted).all()
    spans = {row.number: span for row in rows if (span := _unknown(row.num_events, known[row.id]))}
    fresh = _events_within(session, spans)
    return {row.id: _gone_on(row, known[row.id], fresh.get(row.number, ())) for row in rows}


def _unknown(num_events: int, known: Story | None) -> tuple[int, int] | None:
    """Numbers of the first and last event to read; None: there is none."""
    if known is None or known.num_events == num_events:
        return None
    return max(known.num_events, num_events - MAX_TOLD) + 1, num_events


def _events_within(session: Session, spans: Mapping[int, tuple[int, int]]) -> dict[int, tuple[Event, ...]]:
    """Events by their job's number, in order; `spans`: the first and the last of each."""
    found: dict[int, tuple[Event, ...]] = {}
    if spans:
        within = [
            and_(EventRow.job_number == job, EventRow.number.between(*span)) for job, span in spans.items()
        ]
        wanted = select(EventRow).where(or_(*within)).order_by(EventRow.job_number, EventRow.number)
        for row in session.scalars(wanted):
            found[row.job_number] = (*found.get(row.job_number, ()), event_of(row))
    return found


def _gone_on(row: Any, known: Story | None, fresh: tuple[Event, ...]) -> Story:
    """What is known of a job now; the same value where nothing has happened."""
    is_over = JobState(row.state).is_last
    if known is None:
        return Story(row.num_events, is_over)
    follows = not fresh or fresh[0].number == known.num_events + 1
    events = (*known.events, *fresh) if follows else fresh
    return Story(row.num_events, is_over, events[-MAX_TOLD:])


def _check_quota(session: Session, tenant: str, kind: str) -> None:
    """Raises: QuotaError for a training or study too many; MissingError for the tenant, who stays locked."""
    trainings_at_once = lock_tenant(session, tenant).trainings_at_once
    bounds = (("trainings", (TRAIN,), trainings_at_once), ("studies", STUDIES, STUDIES_AT_ONCE))
    for name, kinds, limit in bounds:
        if kind in kinds:
            _check_num(session, tenant, name, kinds, limit)


def _check_name(session: Session, tenant: str, name: str) -> None:
    """Raises: SealExistsError for one that a seal of the tenant, who is locked, has or soon will have."""
    check_name_free(session, tenant, name)
    theirs = select(JobRow.id, JobRow.payload).filter_by(tenant_id=tenant, kind=TRAIN)
    for job, payload in session.execute(theirs.where(JobRow.state.in_(UNFINISHED))):
        if payload.get("name") == name:
            raise SealExistsError(
                f"the training {job[:12]} will call its seal {name!r}",
                "give another name, or cancel that one",
            )


def _check_num(session: Session, tenant: str, name: str, kinds: Collection[str], limit: int) -> None:
    num_now = _num_unfinished(session, tenant, kinds)
    if num_now >= limit:
        raise QuotaError(
            f"{num_now} {name} are waiting or at work, and {limit} may be at once",
            "wait until one has ended, or cancel one",
        )


def _num_unfinished(session: Session, tenant: str, kinds: Collection[str]) -> int:
    same = select(func.count()).select_from(JobRow).where(JobRow.kind.in_(kinds))
    return session.scalar(same.filter_by(tenant_id=tenant).where(JobRow.state.in_(UNFINISHED))) or 0


def _check(kind: str, payload: Mapping[str, Any], priority: int, max_attempts: int) -> None:
    if not kind.isidentifier() or len(kind) > NAME_CHARS:
        raise ConfigError(f"{kind[:80]!r} is no kind of job", "name one that a worker knows, as train")
    try:
        num_chars = len(json.dumps(dict(payload), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the job's payload is no JSON: {error}", "give text, numbers, lists and objects"
        ) from error
    if num_chars > MAX_PAYLOAD_CHARS:
        raise ConfigError(
            f"the job's payload has {num_chars} characters", f"give at most {MAX_PAYLOAD_CHARS}; upload files"
        )
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise ConfigError(f"the job's priority is {priority}", f"give {-MAX_PRIORITY} to {MAX_PRIORITY}")
    if max_attempts < 1:
        raise ConfigError(f"the job may be tried {max_attempts} times", "allow one attempt or more")
