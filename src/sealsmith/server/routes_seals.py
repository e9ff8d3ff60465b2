"""`/v1/seals`: the caller's seals. Files come in uploads, never as paths or addresses."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Path, UploadFile
from fastapi.responses import Response

from .inspection import inspect_seal
from .limits import MAX_NAME_CHARACTERS, MAX_SEAL_BYTES
from .names import check_name
from .schema import SealBody, SealsBody, seal_body
from .service import Drawer, Keeper, ServiceOf
from .uploads import on_disk, stem_of

SealId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its file.")]

router = APIRouter(prefix="/v1/seals", tags=["seals"])


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
    """Bring a seal. Its file is read to the last byte first, in a process of its own."""
    wanted = check_name(stem_of(file.filename or "") if name is None else name)
    async with on_disk(file, MAX_SEAL_BYTES) as path:
        facts = await service.inspector.run(inspect_seal, path, wanted)
        record = await service.library.add_seal(caller, wanted, path, facts)
    response.headers["location"] = f"/v1/seals/{record.facts.digest}"
    return seal_body(record)


@router.get("", response_model=SealsBody)
async def list_seals(service: ServiceOf, caller: Drawer) -> SealsBody:
    """The caller's seals, by name."""
    return SealsBody(seals=[seal_body(record) for record in await service.library.seals(caller)])


@router.get("/{seal_id}", response_model=SealBody)
async def get_seal(seal_id: SealId, service: ServiceOf, caller: Drawer) -> SealBody:
    """One seal."""
    return seal_body(await service.library.find_seal(caller, seal_id))


@router.delete("/{seal_id}", status_code=204)
async def remove_seal(seal_id: SealId, service: ServiceOf, caller: Keeper) -> None:
    """Remove a seal. Pictures that are being drawn with it are finished."""
    await service.library.remove_seal(caller, seal_id)
