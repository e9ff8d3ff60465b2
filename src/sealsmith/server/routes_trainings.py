"""`/v1/trainings`: seals in the making. One is handed in, listened to, cancelled, resumed."""

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import Response
from sse_starlette.sse import EventSourceResponse

from ..errors import ConfigError, MissingError
from ..jobs.train_payload import TrainPayload, parse_train_payload
from .inspection import inspect_training
from .keyed_route import KeyedRoute
from .limits import (
    MAX_CHECKPOINTS,
    MAX_NAME_CHARACTERS,
    MAX_PREVIEW_PROMPTS,
    MAX_PREVIEWS,
    MAX_SETTINGS_CHARACTERS,
    MAX_TRAINING,
)
from .long_work import Ongoing
from .names import check_name
from .picture_uploads import PicturesOf
from .routes_pictures import Word
from .service import Keeper, ServiceOf
from .streams import SSE_ANSWER, LastEventId, job_stream
from .training_schema import TrainingBody, TrainingsBody, training_body
from .trainings import Trainings, check_bounds

HEX_ID = r"^[0-9a-f]{32}$"
TrainingId = Annotated[str, Path(pattern=HEX_ID, description="As `POST /v1/trainings` gave it.")]
FILE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "application/jsonl": {}}, "description": "The file."}
}

router = APIRouter(route_class=KeyedRoute, prefix="/v1/trainings", tags=["trainings"])


async def trainings_of(service: ServiceOf, caller: Keeper) -> Trainings:
    """Raises: MissingError where the service trains nothing."""
    if service.trainings is None:
        raise MissingError(
            "a local service trains nothing", "use `sealsmith train`, or serve without --local"
        )
    return service.trainings


TrainingsOf = Annotated[Trainings, Depends(trainings_of)]


@router.post("", status_code=202, response_model=TrainingBody)
async def hand_in(
    service: ServiceOf,
    caller: Keeper,
    trainings: TrainingsOf,
    response: Response,
    pictures: PicturesOf,
    trigger: Annotated[Word, Form(description="The word that is to call the seal.")],
    name: Annotated[
        str | None,
        Form(
            max_length=4 * MAX_NAME_CHARACTERS, description="What prompts call it; the trigger if left out."
        ),
    ] = None,
    is_scored: Annotated[
        bool, Form(description="Whether checkpoints are chosen by score, and the seal gets its scorecard.")
    ] = True,
    settings: Annotated[
        str,
        Form(
            max_length=MAX_SETTINGS_CHARACTERS,
            description='Further settings of the training, as a JSON object: `{"num_steps": 400}`. At most '
            + ", ".join(f"`{name}` {most}" for name, most in MAX_TRAINING.items())
            + f", and {MAX_PREVIEW_PROMPTS} `preview_prompts`, {MAX_PREVIEWS} previews and {MAX_CHECKPOINTS} "
            "checkpoints in all.",
        ),
    ] = "{}",
) -> TrainingBody:
    """Submit a training: `file`, or several `files`. Its pictures and settings are checked first, in a process of
    their own; then a worker trains, whether or not anybody listens."""
    wanted = _wanted(trigger, check_name(trigger if name is None else name), is_scored, settings)
    async with pictures.on_disk() as path:
        await service.inspector.run(partial(inspect_training, wanted=wanted), path, f"the {path.name}")
        training = await trainings.submit(caller.tenant, path, wanted)
    response.headers["location"] = f"/v1/trainings/{training.job.id}"
    return _body(training)


@router.get("", response_model=TrainingsBody)
async def list_trainings(
    caller: Keeper,
    trainings: TrainingsOf,
    after: Annotated[str | None, Query(max_length=18, description="`next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TrainingsBody:
    """The caller's trainings, the newest first."""
    page = await trainings.page(caller.tenant, (), after, limit)
    return TrainingsBody(trainings=[training_body(job) for job in page.items], next=page.next)


@router.get("/{training_id}", response_model=TrainingBody)
async def get_training(training_id: TrainingId, caller: Keeper, trainings: TrainingsOf) -> TrainingBody:
    """Where a training stands, its files so far, and its seal at the end."""
    return _body(await trainings.get(caller.tenant, training_id))


@router.get("/{training_id}/events", response_class=Response, responses=SSE_ANSWER)
async def follow_training(
    training_id: TrainingId,
    caller: Keeper,
    trainings: TrainingsOf,
    request: Request,
    last_event_id: LastEventId = 0,
) -> EventSourceResponse:
    """What happens to a training as server-sent events: `queued`, `started`, `progress`, `note`, `artefact`,
    `cancelling`, `interrupted`, and `done`, `failed` or `cancelled`. A client that reconnects with
    `Last-Event-ID` gets what it missed."""
    return await job_stream(trainings, "training", request, caller, training_id, last_event_id)


@router.get("/{training_id}/files/{file_id}", response_class=Response, responses=FILE_ANSWER)
async def get_training_file(
    training_id: TrainingId,
    file_id: Annotated[str, Path(pattern=HEX_ID)],
    caller: Keeper,
    trainings: TrainingsOf,
) -> Response:
    """A preview, or the curve."""
    file, data = await trainings.file(caller.tenant, training_id, file_id)
    return Response(data, media_type=file.media_type, headers={"cache-control": "private, max-age=3600"})


@router.post("/{training_id}/cancel", response_model=TrainingBody)
async def cancel_training(training_id: TrainingId, caller: Keeper, trainings: TrainingsOf) -> TrainingBody:
    """Cancel a training. A running one saves its work first; one that is over is left as it is."""
    return _body(await trainings.cancel(caller.tenant, training_id))


@router.post("/{training_id}/resume", response_model=TrainingBody)
async def resume_training(training_id: TrainingId, caller: Keeper, trainings: TrainingsOf) -> TrainingBody:
    """Resume a training that failed or was cancelled, from its last checkpoint."""
    return _body(await trainings.resume(caller.tenant, training_id))


@router.delete("/{training_id}", status_code=204)
async def forget_training(training_id: TrainingId, caller: Keeper, trainings: TrainingsOf) -> None:
    """Remove a training that is over, with its pictures and files. Its seal stays."""
    await trainings.forget(caller.tenant, training_id)


def _wanted(trigger: str, name: str, is_scored: bool, settings: str) -> TrainPayload:
    """The training asked for, without its pictures. Raises: ConfigError."""
    try:
        further = json.loads(settings)
    except (ValueError, RecursionError) as error:
        raise ConfigError("the settings are no JSON", 'send an object, as {"num_steps": 400}') from error
    if not isinstance(further, dict) or further.get("trigger", trigger) != trigger:
        raise ConfigError(
            "the settings are no object, or name another trigger", "send an object without a trigger"
        )
    check_bounds(further)
    whole = {"name": name, "is_scored": is_scored, "settings": {**further, "trigger": trigger}}
    return parse_train_payload({"pictures": "", **whole})


def _body(training: Ongoing) -> TrainingBody:
    return training_body(training.job, training.files)
