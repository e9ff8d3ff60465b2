"""What the queue gives out: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..catalog import NewArtefact, SealFacts
from ..errors import SealsmithError


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """Its tenant wants it stopped, and its worker has not done so yet."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_last(self) -> bool:
        """Whether nothing more happens to such a job by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class EventKind(StrEnum):
    """What happened to a job."""

    QUEUED = "queued"
    STARTED = "started"
    PROGRESS = "progress"
    NOTE = "note"
    ARTEFACT = "artefact"
    """There is a new file to see."""
    CANCELLING = "cancelling"
    INTERRUPTED = "interrupted"
    """It goes on later, with another attempt."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Failure:
    """Why a job did not work out."""

    code: str
    message: str
    remedy: str = ""
    is_retryable: bool = False

    @classmethod
    def of(cls, error: SealsmithError) -> "Failure":
        return cls(error.code, str(error), error.remedy, error.is_retryable)


@dataclass(frozen=True)
class Backlog:
    """The jobs of all tenants, counted."""

    num_queued: int
    num_running: int
    num_failed_today: int
    """Since midnight in UTC."""


@dataclass(frozen=True)
class Job:
    """One piece of long work."""

    id: str
    tenant: str
    kind: str
    payload: Mapping[str, Any]
    priority: int
    """Higher ones first; of equals the older."""
    state: JobState
    attempts: int
    """How often it was begun. A worker that ended in order does not count."""
    max_attempts: int
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    failure: Failure | None
    created: datetime
    started: datetime | None
    """When its newest attempt began."""
    ended: datetime | None
    worker: str | None


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job. Numbers begin at 1, and grow by one."""

    number: int
    kind: EventKind
    data: Mapping[str, Any]
    created: datetime


@dataclass(frozen=True)
class Story:
    """How far a job has come, by its events."""

    num_events: int
    is_over: bool
    """Whether nothing more happens by itself."""
    events: tuple[Event, ...] = ()
    """Some that follow each other, usually the last."""

    def after(self, number: int) -> tuple[Event, ...] | None:
        """The events it has after that number; None: there are some, and it doesn't have the next."""
        if number >= self.num_events:
            return ()
        if not self.events or not self.events[0].number <= number + 1 <= self.events[-1].number:
            return None
        return self.events[number + 1 - self.events[0].number :]


@dataclass(frozen=True)
class Lease:
    """A job that is one worker's for a while."""

    job: Job
    fence: int
    """Which lease of the job it is. With an older one nothing can be written any more."""
    lasts_s: float


@dataclass(frozen=True)
class NewSeal:
    """A seal that a job has made."""

    data: bytes
    facts: SealFacts


@dataclass(frozen=True)
class NewScorecard:
    """What a job has measured of a seal."""

    digest: str
    base_digest: str
    scorecard: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a job came to: it is kept as a whole, together with the job's end, or not at all."""

    result: Mapping[str, Any]
    """For whoever asked for the job; JSON."""
    seals: tuple[NewSeal, ...] = ()
    artefacts: tuple[NewArtefact, ...] = field(default=())
    scorecards: tuple[NewScorecard, ...] = ()
    """Of seals that were there already; written to those that are the tenant's own."""
