"""What the routes of trainings answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from ..catalog import Artefact
from ..jobs import Job
from .long_work_schema import FailureBody, JobFileBody, ProgressBody, failure_body, file_bodies, progress_body


class TrainingBody(BaseModel):
    """A training."""

    id: str
    state: str = Field(description="`queued`, `running`, `cancelling`, `done`, `failed` or `cancelled`.")
    name: str
    trigger: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempts: int
    progress: ProgressBody | None
    error: FailureBody | None
    seal: str | None = Field(description="The finished seal's id, as in `/v1/seals/{seal_id}`.")
    verdict: str | None
    warnings: list[str]
    settings: dict[str, Any] = Field(description="What was asked for; the base decides what is not in it.")
    chosen_step: int | None = Field(description="After which step it was as the finished seal is.")
    scores: dict[str, float] | None = Field(
        description="Of the checkpoints that were compared, by their step; more is better."
    )
    events_url: str
    files: list[JobFileBody] = Field(description="Previews, and the curve of the loss as JSON lines.")


class TrainingsBody(BaseModel):
    """Some trainings, without their files, the newest first."""

    trainings: list[TrainingBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


def training_body(job: Job, files: Sequence[Artefact] = ()) -> TrainingBody:
    url, result = f"/v1/trainings/{job.id}", job.result or {}
    seals: list[dict[str, Any]] = result.get("seals", [])
    return TrainingBody(
        id=job.id,
        state=job.state.value,
        name=job.payload["name"],
        trigger=job.payload["settings"]["trigger"],
        created=job.created,
        started=job.started,
        ended=job.ended,
        attempts=job.attempts,
        progress=progress_body(job),
        error=failure_body(job),
        seal=seals[0]["digest"] if seals else None,
        verdict=result.get("verdict"),
        warnings=result.get("warnings", []),
        settings=job.payload["settings"],
        chosen_step=result.get("chosen_step"),
        scores=result.get("scores"),
        events_url=f"{url}/events",
        files=file_bodies(url, files),
    )
