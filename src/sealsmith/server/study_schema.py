"""What the routes of studies take, with every limit, and what they answer."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field

from ..catalog import Artefact
from ..errors import ConfigError
from ..jobs import Job
from .axis_values import MAX_AXIS_NUMBER, MIN_AXIS_NUMBER, AxisName, axis_values
from .limits import (
    MAX_AXIS_VALUES,
    MAX_CELLS,
    MAX_COMPANY,
    MAX_FEW_PROMPTS,
    MAX_FEW_SEEDS,
    MAX_LOOK_CHARACTERS,
    MAX_STUDY_PROMPTS,
    MAX_STUDY_SEEDS,
    MAX_STUDY_STEPS,
    MAX_SWEPT,
)
from .long_work_schema import FailureBody, JobFileBody, ProgressBody, failure_body, file_bodies, progress_body
from .schema import SealName, SealUseBody, Seed, Strict

StudyKind = Literal["score", "attention", "sweep", "conflicts"]
StudySteps = Annotated[int, Field(ge=1, le=MAX_STUDY_STEPS, description="Denoising steps; the base decides.")]
StudyPrompts = Annotated[int, Field(ge=1, le=MAX_STUDY_PROMPTS)]
StudySeeds = Annotated[int, Field(ge=1, le=MAX_STUDY_SEEDS, description="Pictures of each prompt.")]
AxisValues = Annotated[
    list[Annotated[float, Field(ge=MIN_AXIS_NUMBER, le=MAX_AXIS_NUMBER, allow_inf_nan=False)]],
    Field(min_length=1, max_length=MAX_AXIS_VALUES),
]
StudiedSeal = Annotated[SealName, Field(description="A seal's name, or its digest.")]


class ScoreRequest(Strict):
    """A scorecard that is wanted."""

    seal: StudiedSeal
    num_prompts: StudyPrompts = Field(8, description="Prompts in contexts it was not trained in.")
    num_seeds: StudySeeds = 2
    steps: StudySteps | None = None


class AttentionRequest(Strict):
    """Maps that are wanted of a prompt's words, before and after seals."""

    prompt: Annotated[str, Field(min_length=1, max_length=MAX_LOOK_CHARACTERS)] = Field(
        description="May hold seals as tags: `<lora:name:0.8>`."
    )
    seals: list[SealUseBody] = Field(
        default_factory=list, max_length=MAX_COMPANY, description="One at least, here or in the prompt."
    )
    seed: Seed | None = Field(None, description="Of both pictures; random if left out.")
    steps: StudySteps | None = None


class SweepRequest(Strict):
    """A sweep that is wanted along one axis, or two."""

    seal: StudiedSeal
    axis: AxisName = "strength"
    values: AxisValues | None = Field(None, description="Columns, in this order; as the axis needs it.")
    second_axis: AxisName | None = None
    second_values: AxisValues | None = Field(
        None,
        description=f"Rows, likewise; {MAX_CELLS} places in all, {MAX_SWEPT} pictures that call the seal.",
    )
    num_prompts: int = Field(4, ge=1, le=MAX_FEW_PROMPTS, description="Of every place.")
    num_seeds: int = Field(1, ge=1, le=MAX_FEW_SEEDS, description="Pictures of each prompt.")
    steps: StudySteps | None = None

    @property
    def axes(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """Names and values of both, or one. Raises: ConfigError."""
        columns = (self.axis, axis_values(self.axis, self.values))
        if self.second_axis is None:
            if self.second_values is not None:
                raise ConfigError("there are second_values without a second_axis", "name the axis")
            axes = [columns]
        elif self.second_axis == self.axis:
            raise ConfigError(f"both axes are {self.axis}", "sweep two different settings, or one axis")
        else:
            axes = [columns, (self.second_axis, axis_values(self.second_axis, self.second_values))]
        self._check_size(math.prod(len(values) for _, values in axes))
        return tuple(axes)

    def _check_size(self, num_cells: int) -> None:
        if num_cells > MAX_CELLS:
            raise ConfigError(f"the sweep has {num_cells} places", f"give at most {MAX_CELLS}")
        num_pictures = num_cells * self.num_prompts * self.num_seeds
        if num_pictures > MAX_SWEPT:
            raise ConfigError(
                f"the sweep has {num_pictures} pictures that call the seal, {num_cells} places of "
                f"{self.num_prompts * self.num_seeds}",
                f"give at most {MAX_SWEPT}: fewer values, num_prompts or num_seeds",
            )


class ConflictsRequest(Strict):
    """A look that is wanted at seals in one picture."""

    seals: list[StudiedSeal] = Field(
        min_length=2, max_length=MAX_COMPANY, description="Names, or digests; each with a trigger of its own."
    )
    num_prompts: int = Field(8, ge=1, le=MAX_FEW_PROMPTS, description="Prompts that call two seals.")
    num_seeds: int = Field(2, ge=1, le=MAX_FEW_SEEDS, description="Pictures of each prompt.")
    num_search: int = Field(
        6,
        ge=0,
        le=MAX_FEW_PROMPTS,
        description="Prompts every strength of the search is tried on; 0: no search.",
    )
    steps: StudySteps | None = None


class StudyBody(BaseModel):
    """A study."""

    id: str
    kind: StudyKind
    state: str = Field(description="`queued`, `running`, `cancelling`, `done`, `failed` or `cancelled`.")
    seals: list[str] = Field(description="Of what, as in `/v1/seals/{seal_id}`.")
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempts: int
    progress: ProgressBody | None
    error: FailureBody | None
    result: dict[str, Any] | None = Field(
        description="What was found, by kind: see docs/serve.md. Null in lists."
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
        kind=cast(StudyKind, job.kind),
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
