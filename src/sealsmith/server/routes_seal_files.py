"""`/v1/seals/{seal_id}/...`: what a seal's file is good for: its picture, other dialects, the bases it fits."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from ..errors import MissingError, SealFormatError
from .inspection import convert_seal
from .keyed_route import KeyedRoute
from .library import Caller
from .seal_schema import ExportDialect, FitBody, FitsBody, SealId
from .service import Drawer, Keeper, Service, ServiceOf

JPEG_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The picture."}
}
FILE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."}
}

router = APIRouter(route_class=KeyedRoute, prefix="/v1/seals", tags=["seals"])


@router.get("/{seal_id}/thumbnail", response_class=Response, responses=JPEG_ANSWER)
async def get_thumbnail(seal_id: SealId, service: ServiceOf, caller: Drawer) -> Response:
    """A small picture of a seal."""
    picture = await service.library.thumbnail(caller, seal_id)
    if not picture:
        raise MissingError(f"the seal {seal_id[:12]} has no picture", "its `has_thumbnail` says so")
    data = base64.b64decode(picture.partition(",")[2])
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})


async def one_whole_file(service: ServiceOf, caller: Keeper) -> AsyncIterator[None]:
    """Counts a file from its request until its answer is sent. Raises: BusyError."""
    with service.whole_files.one_of(caller.tenant):
        yield


@router.get(
    "/{seal_id}/file",
    response_class=Response,
    responses=FILE_ANSWER,
    dependencies=[Depends(one_whole_file)],
)
async def export_seal(
    seal_id: SealId,
    service: ServiceOf,
    caller: Keeper,
    dialect: Annotated[
        ExportDialect,
        Query(
            description="`sealsmith`: the file as it came; `diffusers`: for diffusers and PEFT; "
            "`kohya`: for A1111, Forge and ComfyUI."
        ),
    ] = "sealsmith",
    partly: Annotated[
        bool, Query(description="Write what the dialect can hold of a seal that it cannot hold whole.")
    ] = False,
) -> Response:
    """The file of one of the caller's own seals, also in the dialects of other tools. What a dialect cannot hold is
    refused; with `partly` it is left out and counted in the header `x-sealsmith-left-out`."""
    record = await service.library.find_seal(caller, seal_id)
    record.check_own()
    if dialect == "sealsmith":
        data, num_left_out = await service.library.seal_bytes(caller, seal_id), 0
    else:
        data, num_left_out = await _converted(service, caller, seal_id, dialect, partly)
    stem = record.name if dialect == "sealsmith" else f"{record.name}-{dialect}"
    headers = {
        "content-disposition": f"attachment; filename*=utf-8''{quote(stem)}.safetensors",
        "x-sealsmith-left-out": str(num_left_out),
    }
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get("/{seal_id}/fit", response_model=FitsBody)
async def fit_seal(seal_id: SealId, service: ServiceOf, caller: Drawer) -> FitsBody:
    """Whether a seal belongs on the bases that are served here, layer by layer."""
    record = await service.library.find_seal(caller, seal_id)
    async with _file_of(service, caller, seal_id) as path:
        facts = await service.on_base.fit(path, record.name)
    return FitsBody(fits=[FitBody(**asdict(facts))])


async def _converted(
    service: Service, caller: Caller, seal_id: str, dialect: str, partly: bool
) -> tuple[bytes, int]:
    """The file in another dialect, and how much is not in it. Raises: SealFormatError when that is not wanted."""
    async with _file_of(service, caller, seal_id) as path:
        converted = await service.inspector.run(partial(convert_seal, dialect=dialect), path, "the seal")
    if converted.left_out and not partly:
        raise SealFormatError(
            f"{len(converted.left_out)} parts of the seal cannot be written in the dialect {dialect!r}, "
            f"the first: {converted.left_out[0]}",
            "take it as it came, `dialect=sealsmith`, or leave them out with `partly=true`",
        )
    return converted.data, len(converted.left_out)


@asynccontextmanager
async def _file_of(service: Service, caller: Caller, seal_id: str) -> AsyncIterator[Path]:
    """A copy of a seal's file, for a process that looks at it, until the context ends."""
    with TemporaryDirectory(prefix="sealsmith-seal-") as folder:
        path = Path(folder) / "seal.safetensors"
        await asyncio.to_thread(path.write_bytes, await service.library.seal_bytes(caller, seal_id))
        yield path
