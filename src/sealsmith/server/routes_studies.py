"""`/v1/scores` and `/v1/studies`: long looks at seals. One is handed in, listened to, cancelled, resumed."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sse_starlette.sse import EventSourceResponse

from ..engine.messages import SealAt
from ..errors import MissingError
from ..jobs.queue import SCORE
from ..jobs.study_payload import ScorePayload, StudyPayload
from .library import Caller
from .long_work import Ongoing
from .routes_trainings import HEX_ID
from .service import Keeper, Service, ServiceOf
from .streams import SSE_ANSWER, LastEventId, event_stream, job_events
from .studies import Studies
from .study_schema import ScoreRequest, StudiesBody, StudyBody, study_body

StudyId = Annotated[str, Path(pattern=HEX_ID, description="As it was handed in.")]
FILE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "application/json": {}}, "description": "The file."}
}

router = APIRouter(prefix="/v1", tags=["studies"])


def studies_of(service: ServiceOf, caller: Keeper) -> Studies:
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
    wanted = ScorePayload(
        seals=(await _used(service, caller, asked.seal),),
        num_prompts=asked.num_prompts,
        num_seeds=asked.num_seeds,
        num_steps=asked.steps,
    )
    return await _handed_in(studies, caller, SCORE, wanted, response)


@router.get("/studies", response_model=StudiesBody)
async def list_studies(
    caller: Keeper,
    studies: StudiesOf,
    kind: Annotated[Literal["score"] | None, Query(description="Of this kind alone.")] = None,
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
    await studies.get(caller.tenant, study_id)
    told = job_events(studies, "study", caller.tenant, study_id, last_event_id)
    return event_stream(request, caller, told)


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
    """Do a study again that failed or was cancelled, from its beginning."""
    return _body(await studies.resume(caller.tenant, study_id))


@router.delete("/studies/{study_id}", status_code=204)
async def forget_study(study_id: StudyId, caller: Keeper, studies: StudiesOf) -> None:
    """Remove a study that is over, with its result and files."""
    await studies.forget(caller.tenant, study_id)


async def _used(service: Service, caller: Caller, name: str, strength: str = "1") -> SealAt:
    """A seal that the caller may use. Raises: SealMissingError, ConflictError for a name that means several."""
    record = await service.library.find_seal(caller, name)
    return SealAt(record.facts.digest, strength)


async def _handed_in(
    studies: Studies, caller: Caller, kind: str, wanted: StudyPayload, response: Response
) -> StudyBody:
    study = await studies.submit(caller.tenant, kind, wanted)
    response.headers["location"] = f"/v1/studies/{study.job.id}"
    return _body(study)


def _body(study: Ongoing) -> StudyBody:
    return study_body(study.job, study.files)
