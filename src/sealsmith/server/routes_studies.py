"""`/v1/studies`, and what hands one in: long looks at seals, which are listened to, cancelled, resumed."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sse_starlette.sse import EventSourceResponse

from ..catalog import UsableSeal
from ..engine.messages import SealAt
from ..errors import ConfigError, MissingError
from ..jobs.queue import ATTENTION, CONFLICTS, SCORE, SWEEP
from ..jobs.study_payload import (
    AttentionPayload,
    ConflictsPayload,
    ScorePayload,
    StudyPayload,
    SweepPayload,
)
from .keyed_route import KeyedRoute
from .library import Caller
from .limits import MAX_COMPANY
from .long_work import Ongoing
from .routes_trainings import HEX_ID
from .service import Keeper, ServiceOf
from .streams import SSE_ANSWER, LastEventId, job_stream
from .studies import Studies
from .study_schema import (
    AttentionRequest,
    ConflictsRequest,
    ScoreRequest,
    StudiesBody,
    StudyBody,
    StudyKind,
    SweepRequest,
    study_body,
)
from .wishes import chosen_seals

StudyId = Annotated[str, Path(pattern=HEX_ID, description="As it was handed in.")]
FILE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "application/json": {}}, "description": "The file."}
}

router = APIRouter(route_class=KeyedRoute, prefix="/v1", tags=["studies"])


async def studies_of(service: ServiceOf, caller: Keeper) -> Studies:
    """Raises: MissingError where the service studies nothing."""
    if service.studies is None:
        raise MissingError(
            "a local service studies nothing", "use `sealsmith score`, or serve without --local"
        )
    return service.studies


StudiesOf = Annotated[Studies, Depends(studies_of)]


@router.post("/scores", status_code=202, response_model=StudyBody)
async def score_seal(
    asked: ScoreRequest, service: ServiceOf, caller: Keeper, studies: StudiesOf, response: Response
) -> StudyBody:
    """Measure what a seal does. The result has the `scorecard`, and `pairs` of pictures before and after; the
    scorecard of a seal of one's own is replaced by it."""
    seal = await service.library.use_seal(caller, asked.seal)
    wanted = ScorePayload(
        seals=_at(seal),
        num_prompts=asked.num_prompts,
        num_seeds=asked.num_seeds,
        num_steps=asked.steps,
    )
    return await _handed_in(studies, caller, SCORE, wanted, response)


@router.post("/attention", status_code=202, response_model=StudyBody)
async def look_at_attention(
    asked: AttentionRequest, service: ServiceOf, caller: Keeper, studies: StudiesOf, response: Response
) -> StudyBody:
    """See where in the picture each word of a prompt acts, before and after seals. The result has figures of
    every word; its maps are files."""
    others = [seal.asked for seal in asked.seals]
    chosen = await chosen_seals(service.library, caller, asked.prompt, others, MAX_COMPANY)
    if not chosen.seals:
        raise ConfigError("no seal is asked for", "name one in seals, or as <lora:name:1> in the prompt")
    wanted = AttentionPayload(
        seals=chosen.seals,
        prompt=chosen.words,
        seed=secrets.randbelow(2**32) if asked.seed is None else asked.seed,
        num_steps=asked.steps,
    )
    return await _handed_in(studies, caller, ATTENTION, wanted, response)


@router.post("/sweeps", status_code=202, response_model=StudyBody)
async def sweep_seal(
    asked: SweepRequest, service: ServiceOf, caller: Keeper, studies: StudiesOf, response: Response
) -> StudyBody:
    """Measure a seal along one axis, or two. The result has the figures and a picture of every place, and the
    strength to use, where strengths were swept."""
    seal = await service.library.use_seal(caller, asked.seal)
    wanted = SweepPayload(
        seals=_at(seal),
        axes=asked.axes,
        num_prompts=asked.num_prompts,
        num_seeds=asked.num_seeds,
        num_steps=asked.steps,
    )
    return await _handed_in(studies, caller, SWEEP, wanted, response)


@router.post("/conflicts", status_code=202, response_model=StudyBody)
async def look_at_conflicts(
    asked: ConflictsRequest, service: ServiceOf, caller: Keeper, studies: StudiesOf, response: Response
) -> StudyBody:
    """Find out whether seals get on in one picture, and what would help. The result has where their weights
    overlap, what was found in pictures, and the advice."""
    seals = [await service.library.use_seal(caller, name) for name in asked.seals]
    triggers = [seal.trigger for seal in seals]
    if len(set(triggers)) < len(triggers):
        raise ConfigError(
            f"the seals' triggers are {', '.join(map(repr, triggers))}",
            "give seals with triggers of their own",
        )
    wanted = ConflictsPayload(
        seals=_at(*seals),
        num_prompts=asked.num_prompts,
        num_seeds=asked.num_seeds,
        num_search=asked.num_search,
        num_steps=asked.steps,
    )
    return await _handed_in(studies, caller, CONFLICTS, wanted, response)


@router.get("/studies", response_model=StudiesBody)
async def list_studies(
    caller: Keeper,
    studies: StudiesOf,
    kind: Annotated[StudyKind | None, Query(description="Of this kind alone.")] = None,
    after: Annotated[str | None, Query(max_length=18, description="`next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StudiesBody:
    """The caller's studies, the newest first."""
    page = await studies.page(caller.tenant, [kind] if kind else (), after, limit)
    return StudiesBody(studies=[study_body(job, is_whole=False) for job in page.items], next=page.next)


@router.get("/studies/{study_id}", response_model=StudyBody)
async def get_study(study_id: StudyId, caller: Keeper, studies: StudiesOf) -> StudyBody:
    """Where a study stands, its files so far, and its result at the end."""
    return _body(await studies.get(caller.tenant, study_id))


@router.get("/studies/{study_id}/events", response_class=Response, responses=SSE_ANSWER)
async def follow_study(
    study_id: StudyId,
    caller: Keeper,
    studies: StudiesOf,
    request: Request,
    last_event_id: LastEventId = 0,
) -> EventSourceResponse:
    """What happens to a study as server-sent events, as those of a training."""
    return await job_stream(studies, "study", request, caller, study_id, last_event_id)


@router.get("/studies/{study_id}/files/{study_file_id}", response_class=Response, responses=FILE_ANSWER)
async def get_study_file(
    study_id: StudyId,
    study_file_id: Annotated[str, Path(pattern=HEX_ID)],
    caller: Keeper,
    studies: StudiesOf,
) -> Response:
    """A picture, a sheet, or a table."""
    file, data = await studies.file(caller.tenant, study_id, study_file_id)
    return Response(data, media_type=file.media_type, headers={"cache-control": "private, max-age=3600"})


@router.post("/studies/{study_id}/cancel", response_model=StudyBody)
async def cancel_study(study_id: StudyId, caller: Keeper, studies: StudiesOf) -> StudyBody:
    """Cancel a study; one that is over is left as it is."""
    return _body(await studies.cancel(caller.tenant, study_id))


@router.post("/studies/{study_id}/resume", response_model=StudyBody)
async def resume_study(study_id: StudyId, caller: Keeper, studies: StudiesOf) -> StudyBody:
    """Repeat a study that failed or was cancelled, from its beginning."""
    return _body(await studies.resume(caller.tenant, study_id))


@router.delete("/studies/{study_id}", status_code=204)
async def forget_study(study_id: StudyId, caller: Keeper, studies: StudiesOf) -> None:
    """Remove a study that is over, with its result and files."""
    await studies.forget(caller.tenant, study_id)


def _at(*seals: UsableSeal) -> tuple[SealAt, ...]:
    """Seals as they are, at strength 1."""
    return tuple(SealAt(seal.digest) for seal in seals)


async def _handed_in(
    studies: Studies, caller: Caller, kind: str, wanted: StudyPayload, response: Response
) -> StudyBody:
    study = await studies.submit(caller.tenant, kind, wanted)
    response.headers["location"] = f"/v1/studies/{study.job.id}"
    return _body(study)


def _body(study: Ongoing) -> StudyBody:
    return study_body(study.job, study.files)
