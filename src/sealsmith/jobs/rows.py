"""Jobs between their rows and the values that leave this room, and the one way in which their state changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from .tables import EventRow, JobRow
from .values import Event, EventKind, Failure, Job, JobState


def job_of(row: JobRow) -> Job:
    return Job(
        id=row.id,
        tenant=row.tenant_id,
        kind=row.kind,
        payload=row.payload,
        priority=row.priority,
        state=JobState(row.state),
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        progress=row.progress,
        result=row.result,
        failure=None if row.error is None else Failure(**row.error),
        created=row.created,
        started=row.started,
        ended=row.ended,
        worker=row.worker,
    )


def event_of(row: EventRow) -> Event:
    return Event(row.number, EventKind(row.kind), row.data, row.created)


def say(session: Session, row: JobRow, kind: EventKind, now: datetime, data: Mapping[str, Any]) -> None:
    """Adds an event, the job's next. The row is locked by this transaction, so that no number is given twice."""
    row.num_events += 1
    session.add(
        EventRow(job_number=row.number, number=row.num_events, kind=kind.value, data=dict(data), created=now)
    )


def queue_again(row: JobRow, begin_after: datetime) -> None:
    """Nobody's again, to be taken up after that."""
    row.state, row.begin_after = JobState.QUEUED.value, begin_after
    row.worker = row.lease_until = row.ended = None


def end(row: JobRow, state: JobState, now: datetime) -> None:
    """Nothing more happens to it by itself."""
    assert state.is_last, "an end that is none"
    row.state, row.ended = state.value, now
    row.worker = row.lease_until = None
