"""What the routes of trainings and of studies answer alike: progress, failure, files."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from ..catalog import Artefact
from ..jobs import Job


class ProgressBody(BaseModel):
    """Where a job stands."""

    stage: str
    done: int
    total: int
    left_s: float | None = Field(None, description="Of the stage, in seconds, at its pace so far.")
    loss: float | None = None


class FailureBody(BaseModel):
    """Why a job did not work out, or not yet."""

    code: str
    message: str
    remedy: str


class JobFileBody(BaseModel):
    """A file that a job has left."""

    id: str
    kind: str
    name: str
    media_type: str
    url: str


def progress_body(job: Job) -> ProgressBody | None:
    return None if job.progress is None else ProgressBody(**job.progress)


def failure_body(job: Job) -> FailureBody | None:
    failure = job.failure
    if failure is None:
        return None
    return FailureBody(code=failure.code, message=failure.message, remedy=failure.remedy)


def file_bodies(url: str, files: Sequence[Artefact]) -> list[JobFileBody]:
    """`url`: the job's own."""
    return [
        JobFileBody(
            id=file.id,
            kind=file.kind.value,
            name=file.name,
            media_type=file.media_type,
            url=f"{url}/files/{file.id}",
        )
        for file in files
    ]
