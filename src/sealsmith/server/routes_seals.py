"""`/v1/seals`: the caller's seals. Files come in uploads, never as paths or addresses."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response

from ..catalog import SealSearch
from .inspection import inspect_seal
from .keyed_route import KeyedRoute
from .limits import MAX_NAME_CHARACTERS, MAX_SEAL_BYTES
from .names import check_name
from .seal_schema import After, Limit, SealBody, SealChange, SealId, SealsBody, seal_body
from .service import Drawer, Keeper, ServiceOf
from .uploads import on_disk, stem_of

router = APIRouter(route_class=KeyedRoute, prefix="/v1/seals", tags=["seals"])


@router.post("", status_code=201, response_model=SealBody)
async def add_seal(
    service: ServiceOf,
    caller: Keeper,
    response: Response,
    file: Annotated[
        UploadFile,
        File(
            description=f"A `.safetensors` file of {MAX_SEAL_BYTES} bytes at most.",
            json_schema_extra={"maxLength": MAX_SEAL_BYTES},
        ),
    ],
    name: Annotated[
        str | None,
        Form(
            max_length=4 * MAX_NAME_CHARACTERS,
            description="What prompts call it; the file's name if left out.",
        ),
    ] = None,
) -> SealBody:
    """Upload a seal. Its file is first read to the last byte, in a process of its own."""
    wanted = check_name(stem_of(file.filename or "") if name is None else name)
    async with on_disk(file, MAX_SEAL_BYTES) as path:
        facts = await service.inspector.run(inspect_seal, path, wanted)
        record = await service.library.add_seal(caller, wanted, path, facts)
    response.headers["location"] = f"/v1/seals/{record.facts.digest}"
    return seal_body(record)


@router.get("", response_model=SealsBody)
async def list_seals(
    service: ServiceOf,
    caller: Drawer,
    q: Annotated[
        str, Query(max_length=200, description="A part of the name, the trigger or the title.")
    ] = "",
    trigger: Annotated[str, Query(max_length=200, description="The whole trigger.")] = "",
    hash: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9A-Fa-f]{8,64}$",
            description="How the file's SHA-256 begins, which AutoV2 is, too; or that of its tensors (AutoV3).",
        ),
    ] = None,
    after: After = None,
    limit: Limit = 50,
) -> SealsBody:
    """The seals that the caller may use: their own and those shared with them, the newest first."""
    page = await service.library.page(caller, SealSearch(q, trigger, hash or ""), after, limit)
    return SealsBody(seals=[seal_body(record, is_whole=False) for record in page.records], next=page.next)


@router.get("/{seal_id}", response_model=SealBody)
async def get_seal(seal_id: SealId, service: ServiceOf, caller: Drawer) -> SealBody:
    """One seal."""
    return seal_body(await service.library.find_seal(caller, seal_id))


@router.patch("/{seal_id}", response_model=SealBody)
async def change_seal(seal_id: SealId, change: SealChange, service: ServiceOf, caller: Keeper) -> SealBody:
    """Give one of the caller's own seals another name."""
    return seal_body(await service.library.rename_seal(caller, seal_id, check_name(change.name)))


@router.delete("/{seal_id}", status_code=204)
async def remove_seal(seal_id: SealId, service: ServiceOf, caller: Keeper) -> None:
    """Remove a seal. Pictures that are being drawn with it are finished."""
    await service.library.remove_seal(caller, seal_id)
