"""Long work: a durable queue in the catalog's database, and the workers that take jobs from it.

Importing this imports no torch; a job's own process does (work.py). Not for: what a job does (handlers/).
"""

from .leases import Leases
from .queue import STUDIES, TRAIN, Queue
from .values import (
    Backlog,
    Event,
    EventKind,
    Failure,
    Job,
    JobState,
    Lease,
    NewScorecard,
    NewSeal,
    Outcome,
    Story,
)

__all__ = [
    "STUDIES",
    "TRAIN",
    "Backlog",
    "Event",
    "EventKind",
    "Failure",
    "Job",
    "JobState",
    "Lease",
    "Leases",
    "NewScorecard",
    "NewSeal",
    "Outcome",
    "Queue",
    "Story",
]
