"""What the routes of studies take, with every limit, and what they answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..catalog import Artefact
from ..jobs import Job
from .limits import MAX_STUDY_PROMPTS, MAX_STUDY_SEEDS, MAX_STUDY_STEPS
from .long_work_schema import FailureBody, JobFileBody, ProgressBody, failure_body, file_bodies, progress_body
from .schema import SealName, Strict

StudySteps = Annotated[int, Field(ge=1, le=MAX_STUDY_STEPS, description="Denoising steps; the base decides.")]
StudyPrompts = Annotated[int, Field(ge=1, le=MAX_STUDY_PROMPTS)]
StudySeeds = Annotated[int, Field(ge=1, le=MAX_STUDY_SEEDS, description="Pictures of each prompt.")]
StudiedSeal = Annotated[SealName, Field(description="A seal's name, or its digest.")]


class ScoreRequest(Strict):
    """A scorecard that is wanted."""

    seal: StudiedSeal
    num_prompts: StudyPrompts = Field(8, description="Prompts in contexts it was not trained in.")
    num_seeds: StudySeeds = 2
    steps: StudySteps | None = None


class StudyBody(BaseModel):
    """A study."""

    id: str
    kind: str = Field(description="`score`.")
    state: str = Field(description="`queued`, `running`, `cancelling`, `done`, `failed` or `cancelled`.")
    seals: list[str] = Field(description="Of what, as in `/v1/seals/{seal_id}`.")
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempts: int
    progress: ProgressBody | None
    error: FailureBody | None
    result: dict[str, Any] | None = Field(
        description="What was found, by kind; docs/serve.md has its form. Not in lists."
    )
    events_url: str
    files: list[JobFileBody] = Field(description="Pictures and sheets, which the result names. Not in lists.")


class StudiesBody(BaseModel):
    """Some studies, without their results and files, the newest first."""

    studies: list[StudyBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


def study_body(job: Job, files: Sequence[Artefact] = (), is_whole: bool = True) -> StudyBody:
    url = f"/v1/studies/{job.id}"
    return StudyBody(
        id=job.id,
        kind=job.kind,
        state=job.state.value,
        seals=[seal["digest"] for seal in job.payload["seals"]],
        created=job.created,
        started=job.started,
        ended=job.ended,
        attempts=job.attempts,
        progress=progress_body(job),
        error=failure_body(job),
        result=_result(job) if is_whole else None,
        events_url=f"{url}/events",
        files=file_bodies(url, files),
    )


def _result(job: Job) -> dict[str, Any] | None:
    """What its handler found, without what the queue says of every job's end."""
    if job.result is None:
        return None
    return {key: value for key, value in job.result.items() if key not in ("seals", "artefacts")}
