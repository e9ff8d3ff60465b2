"""`/v1/images/generations` and `/v1/models`: OpenAI's Images dialect, for its unchanged clients."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sse_starlette.sse import ServerSentEvent

from ..errors import SealsmithError
from .answers import complaint_of, openai
from .keyed_route import KeyedRoute
from .openai_schema import (
    GeneratedImage,
    GenerationBody,
    GenerationRequest,
    ModelBody,
    ModelsBody,
    streamed,
)
from .order import Order
from .picture_bytes import enlarged, in_format
from .routes_bases import base_of
from .service import Drawer, RequestId, Service, ServiceOf
from .streams import event_stream
from .waiting import finished
from .wishes import Asked, AskedSeal, wish_of

FULL_QUALITY = 100
EITHER_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "model": GenerationBody,
        "content": {"text/event-stream": {}},
        "description": "Pictures, or events.",
    }
}

router = APIRouter(route_class=KeyedRoute, prefix="/v1", tags=["openai"])


@router.post("/images/generations", response_model=GenerationBody, responses=EITHER_ANSWER)
async def generate_images(
    asked: GenerationRequest, service: ServiceOf, caller: Drawer, request_id: RequestId, request: Request
) -> Response | GenerationBody:
    """Pictures in the answer; with `stream`, as events, with up to three partial pictures before each."""
    wish = await wish_of(service.library, caller, _asked(service, asked))
    order = await service.place(wish, request_id)
    size = _size(service, asked)
    if asked.stream:
        events = _streamed(service, order, asked, size)
        return event_stream(request, caller, events)
    pictures = await finished(service.orders, order, request)
    quality = FULL_QUALITY if asked.output_compression is None else asked.output_compression
    kind = asked.output_format or "png"
    data = [await asyncio.to_thread(in_format, drawn.png, kind, quality) for drawn in pictures]
    return GenerationBody(
        created=int(order.created),
        data=[GeneratedImage(b64_json=_text(each)) for each in data],
        size=_written(size),
        output_format=kind,
    )


@router.get("/models", response_model=ModelsBody)
async def list_models(service: ServiceOf, caller: Drawer) -> ModelsBody:
    """The base, and the caller's seals, each of which `model` may name."""
    base = base_of(service)
    seals = [
        ModelBody(
            id=record.name,
            created=int(datetime.fromisoformat(record.added).timestamp()),
            owned_by=caller.tenant,
        )
        for record in await service.library.seals(caller)
    ]
    return ModelsBody(data=[ModelBody(id=base.name, created=0, owned_by="sealsmith"), *seals])


def _asked(service: Service, asked: GenerationRequest) -> Asked:
    base = base_of(service)
    is_seal = asked.model not in (None, base.name)
    seals = [use.asked for use in asked.lora] + ([AskedSeal(str(asked.model))] if is_seal else [])
    width, height = asked.sides_px or (None, None)
    num_steps = asked.num_inference_steps or base.steps
    partial = (asked.partial_images or 0) if asked.stream else 0
    return Asked(
        prompt=asked.prompt,
        negative=asked.negative_prompt or "",
        seals=seals,
        num_pictures=asked.n or 1,
        seed=asked.seed,
        num_steps=num_steps,
        guidance=asked.guidance_scale,
        sampler=asked.sampler,
        width=width,
        height=height,
        preview_every=max(1, num_steps // (partial + 1)) if partial else 0,
    )


def _size(service: Service, asked: GenerationRequest) -> tuple[int, int]:
    """Width and height of the pictures."""
    side = base_of(service).side_px
    return asked.sides_px or (side, side)


async def _streamed(
    service: Service, order: Order, asked: GenerationRequest, size: tuple[int, int]
) -> AsyncGenerator[ServerSentEvent]:
    """An order's events as OpenAI tells them; whoever stops listening cancels it."""
    kind, most = asked.output_format or "png", asked.partial_images or 0
    quality = FULL_QUALITY if asked.output_compression is None else asked.output_compression
    num_partial = dict.fromkeys(range(len(order.pictures)), 0)
    try:
        async for event in order.events():
            if event.index is None:
                return
            picture = order.pictures[event.index]
            if event.kind == "preview" and picture.preview is not None and num_partial[event.index] < most:
                data = await asyncio.to_thread(enlarged, picture.preview, size, kind)
                index = num_partial[event.index]
                num_partial[event.index] += 1
                yield _event(
                    streamed("partial_image", _text(data), _written(size), asked, int(time.time()),
                             partial_image_index=index)
                )  # fmt: skip
            elif event.kind == "done" and picture.drawn is not None:
                data = await asyncio.to_thread(in_format, picture.drawn.png, kind, quality)
                yield _event(streamed("completed", _text(data), _written(size), asked, int(time.time())))
            elif event.kind == "failed":
                error = picture.error or SealsmithError("the picture failed")
                yield ServerSentEvent(
                    json.dumps(openai(complaint_of(error, order.request_id))), event="error"
                )
                return
    finally:
        service.orders.forget(order)


def _event(data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), event=data["type"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
