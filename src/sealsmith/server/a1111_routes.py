"""`/sdapi/v1`: A1111's dialect, for its unchanged clients."""

import base64
import binascii
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Query, Request

from .. import __version__
from ..errors import ConfigError, PictureError
from ..generate.picture_file import PARAMETERS_KEY
from ..generate.recipe import Recipe, dump_parameters, parse_json
from .a1111_schema import (
    SCHEDULERS,
    LoraBody,
    OptionsBody,
    PngInfoBody,
    PngInfoRequest,
    ProgressBody,
    ProgressState,
    SamplerBody,
    SchedulerBody,
    ScriptsBody,
    SdModelBody,
    SetOptionsRequest,
    Txt2ImgBody,
    Txt2ImgRequest,
)
from .inspection import inspect_texts
from .keyed_route import KeyedRoute
from .limits import MAX_PICTURE_BYTES
from .order import Order, PictureState
from .routes_bases import base_of
from .schema import BaseBody
from .service import Drawer, RequestId, ServiceOf
from .waiting import finished
from .wishes import wish_of

SHORT_HASH = 10
DATA_URI = "base64,"

router = APIRouter(route_class=KeyedRoute, prefix="/sdapi/v1", tags=["a1111"])


@router.post("/txt2img", response_model=Txt2ImgBody)
async def txt2img(
    asked: Txt2ImgRequest, service: ServiceOf, caller: Drawer, request_id: RequestId, request: Request
) -> Txt2ImgBody:
    """Pictures in the answer. When it is interrupted, those that were finished."""
    wish = await wish_of(service.library, caller, asked.asked())
    order = await service.place(wish, request_id)
    drawn = await finished(service.orders, order, request, partly=True)
    recipes = [parse_json(each.recipe) for each in drawn]
    images = [base64.b64encode(each.png).decode() for each in drawn] if asked.send_images else []
    parameters = asked.model_dump(mode="json")
    return Txt2ImgBody(images=images, parameters=parameters, info=json.dumps(_info(asked, recipes)))


@router.get("/progress", response_model=ProgressBody)
async def progress(
    service: ServiceOf, caller: Drawer, skip_current_image: bool = Query(False)
) -> ProgressBody:
    """How far the caller's oldest unfinished order is."""
    order = next((each for each in service.orders.of_tenant(caller.tenant) if not each.is_over), None)
    num_unfinished = service.orders.num_unfinished(caller.tenant)
    if order is None:
        state = ProgressState(
            job="", job_count=0, job_timestamp="0", job_no=0, sampling_step=0, sampling_steps=0
        )
        return ProgressBody(progress=0.0, eta_relative=0.0, state=state, current_image=None)
    current = _current(order)
    done = _fraction(order)
    passed_s = max(0.0, time.time() - order.created)
    preview = None if skip_current_image else current.preview
    return ProgressBody(
        progress=done,
        eta_relative=passed_s * (1 - done) / done if done else 0.0,
        state=ProgressState(
            job=order.id,
            job_count=num_unfinished,
            job_timestamp=time.strftime("%Y%m%d%H%M%S", time.localtime(order.created)),
            job_no=current.index,
            sampling_step=current.step,
            sampling_steps=current.num_steps or 0,
        ),
        current_image=None if preview is None else base64.b64encode(preview).decode(),
    )


@router.post("/interrupt")
async def interrupt(service: ServiceOf, caller: Drawer) -> dict[str, str]:
    """Cancel all of the caller's pictures that are not finished."""
    for order in service.orders.of_tenant(caller.tenant):
        service.orders.cancel(order)
    return {}


@router.post("/png-info", response_model=PngInfoBody)
async def png_info(asked: PngInfoRequest, service: ServiceOf, caller: Drawer) -> PngInfoBody:
    """What a PNG says about how it was made."""
    with tempfile.TemporaryDirectory(prefix="sealsmith-upload-") as folder:
        path = Path(folder) / "upload.png"
        path.write_bytes(_decoded(asked.image))
        texts = await service.inspector.run(inspect_texts, path, "the picture")
    info = texts.get(PARAMETERS_KEY, "")
    return PngInfoBody(info=info, items=texts, parameters={})


@router.get("/loras", response_model=list[LoraBody])
async def loras(service: ServiceOf, caller: Drawer) -> list[LoraBody]:
    """The caller's seals."""
    return [
        LoraBody(
            name=record.name,
            alias=record.facts.title or record.name,
            path=f"{record.name}.safetensors",
            metadata={"ss_output_name": record.name, "activation text": record.facts.trigger},
        )
        for record in await service.library.seals(caller)
    ]


@router.get("/samplers", response_model=list[SamplerBody])
async def samplers(service: ServiceOf, caller: Drawer) -> list[SamplerBody]:
    """The ways from noise to picture that suit the base."""
    return [SamplerBody(name=name, aliases=[], options={}) for name in base_of(service).samplers]


@router.get("/schedulers", response_model=list[SchedulerBody])
async def schedulers(service: ServiceOf, caller: Drawer) -> list[SchedulerBody]:
    """What may stand behind a sampler's name."""
    return [SchedulerBody(name=name, label=name.title()) for name in SCHEDULERS]


@router.get("/sd-models", response_model=list[SdModelBody])
async def sd_models(service: ServiceOf, caller: Drawer) -> list[SdModelBody]:
    """The base."""
    base = base_of(service)
    return [
        SdModelBody(
            title=_title(base),
            model_name=base.name,
            hash=base.digest[:SHORT_HASH],
            sha256=base.digest,
            filename=base.name,
        )
    ]


@router.get("/options", response_model=OptionsBody)
async def get_options(service: ServiceOf, caller: Drawer) -> OptionsBody:
    """The settings that clients look at."""
    base = base_of(service)
    return OptionsBody(sd_model_checkpoint=_title(base), sd_checkpoint_hash=base.digest)


@router.post("/options")
async def set_options(asked: SetOptionsRequest, service: ServiceOf, caller: Drawer) -> dict[str, str]:
    """Accepts settings that change nothing, and refuses others: one client's would be everybody's."""
    base = base_of(service)
    there = {
        "sd_model_checkpoint": (_title(base), base.name),
        "samples_format": ("png",),
        "enable_pnginfo": (True,),
    }
    for name, allowed in there.items():
        value = getattr(asked, name)
        if value is not None and value not in allowed:
            raise ConfigError(f"{name} cannot be set to {value!r}", f"it is {allowed[0]!r} here")
    return {}


@router.get("/scripts", response_model=ScriptsBody)
async def scripts(caller: Drawer) -> ScriptsBody:
    """None: clients ask which there are before anything else."""
    return ScriptsBody(txt2img=[], img2img=[])


def _info(asked: Txt2ImgRequest, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """What A1111 says of pictures, of the first one where one is meant."""
    infos = [dump_parameters(recipe) for recipe in recipes]
    first = recipes[0]
    return {
        "prompt": asked.prompt,
        "all_prompts": [asked.prompt] * len(recipes),
        "negative_prompt": asked.negative_prompt,
        "all_negative_prompts": [asked.negative_prompt] * len(recipes),
        "seed": first.seed,
        "all_seeds": [recipe.seed for recipe in recipes],
        "width": first.width,
        "height": first.height,
        "sampler_name": first.sampler,
        "cfg_scale": first.guidance,
        "steps": first.num_steps,
        "batch_size": asked.batch_size,
        "sd_model_name": first.base,
        "sd_model_hash": first.base_digest[:SHORT_HASH],
        "infotexts": infos,
        "version": f"sealsmith {__version__}",
    }


def _current(order: Order) -> PictureState:
    """The picture that is furthest among those not finished."""
    unfinished = [picture for picture in order.pictures if picture.state not in ("done", "failed")]
    return max(unfinished, key=lambda picture: (picture.step, -picture.index))


def _fraction(order: Order) -> float:
    """Of all its steps, those that are done."""
    shares = [
        1.0 if picture.state in ("done", "failed") else picture.step / (picture.num_steps or 1)
        for picture in order.pictures
    ]
    return sum(shares) / len(shares)


def _title(base: BaseBody) -> str:
    return f"{base.name} [{base.digest[:SHORT_HASH]}]"


def _decoded(text: str) -> bytes:
    """The bytes of a picture in base64, with or without a data URI's beginning. Raises: PictureError."""
    body = text.partition(DATA_URI)[2] if text.startswith("data:") else text
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            f"the picture is no base64: {text[:40]!r}", "send a PNG's bytes in base64"
        ) from error
    if not 0 < len(data) <= MAX_PICTURE_BYTES:
        raise PictureError(
            f"the picture is {len(data)} bytes large", f"send a PNG of at most {MAX_PICTURE_BYTES} bytes"
        )
    return data
