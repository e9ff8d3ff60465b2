"""`/v1/images`: pictures in our own dialect. An order is placed, listened to, fetched, cancelled; or waited for."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response
from sse_starlette.sse import EventSourceResponse, ServerSentEvent

from ..catalog.paging import MAX_PAGE
from ..errors import ConfigError, OrderMissingError
from .keyed_route import KeyedRoute
from .limits import MAX_ANSWER_WAIT_S, MAX_HEADER_BYTES, MAX_PICTURES, STEP_PAUSE_S
from .order import Order, OrderEvent
from .schema import ImageRequest, OrderBody, OrdersBody, order_body, picture_body
from .service import Drawer, RequestId, ServiceOf
from .streams import SSE_ANSWER, LastEventId, event_stream
from .waiting import over_within, preferred_wait_s
from .wishes import wish_of

ORDER_ID = r"^img-[0-9a-f]{24}$"

OrderId = Annotated[str, Path(pattern=ORDER_ID, description="As `POST /v1/images` gave it.")]
PNG: Final = "image/png"
PNG_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {PNG: {}}, "description": "The PNG."}}

PLACED_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": OrderBody,
        "content": {PNG: {}},
        "description": "The order, over, or its picture: for who waits.",
    }
}
Prefer = Annotated[
    str, Header(max_length=MAX_HEADER_BYTES, description="`wait=60`: answer when it is over, or then.")
]
Accepted = Annotated[
    str, Header(max_length=MAX_HEADER_BYTES, description="`image/png`: answer with the picture.")
]

router = APIRouter(route_class=KeyedRoute, prefix="/v1/images", tags=["images"])


@router.post("", status_code=202, response_model=OrderBody, responses=PLACED_ANSWERS)
async def place_order(
    asked: ImageRequest,
    service: ServiceOf,
    caller: Drawer,
    request_id: RequestId,
    response: Response,
    prefer: Prefer = "",
    accept: Accepted = "*/*",
) -> OrderBody | Response:
    """Place an order of pictures. It is drawn whether or not anybody listens.

    The answer comes at once; with `Prefer: wait=60` when the order is over, or after that many seconds, whichever
    is sooner. With `Accept: image/png` the answer to an order of one picture is its PNG, or the error that
    prevented it; if the picture takes longer than the wait, the answer is 202 and the order.
    """
    wants_png = accept.partition(",")[0].partition(";")[0].strip().lower() == PNG
    if wants_png and asked.n > 1:
        raise ConfigError(
            f"{asked.n} pictures are no answer of the type {PNG}", "ask for one, or accept application/json"
        )
    wish = await wish_of(service.library, caller, asked.asked)
    order = await service.place(wish, request_id)
    where = {"location": f"/v1/images/{order.id}"}
    response.headers.update(where)
    wait_s = preferred_wait_s(prefer)
    if wait_s is None and wants_png:
        wait_s = MAX_ANSWER_WAIT_S
    if wait_s is None or not await over_within(order, wait_s):
        return order_body(order)
    if wants_png:
        return _png(order, 0, where)
    response.status_code = 200
    return order_body(order)


@router.get("", response_model=OrdersBody)
async def list_orders(
    service: ServiceOf,
    caller: Drawer,
    after: Annotated[str | None, Query(max_length=18, description="`next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> OrdersBody:
    """The caller's orders that are still kept, the newest first."""
    page = service.orders.page(caller.tenant, after, limit)
    return OrdersBody(orders=[order_body(order) for order in page.items], next=page.next)


@router.get("/{order_id}", response_model=OrderBody)
async def get_order(order_id: OrderId, service: ServiceOf, caller: Drawer) -> OrderBody:
    """Where an order stands."""
    return order_body(service.orders.find(caller.tenant, order_id))


@router.get("/{order_id}/events", response_class=Response, responses=SSE_ANSWER)
async def follow_order(
    order_id: OrderId,
    service: ServiceOf,
    caller: Drawer,
    request: Request,
    last_event_id: LastEventId = 0,
) -> EventSourceResponse:
    """Progress as server-sent events: `queued`, `loading`, `step`, `preview` (a PNG in base64), `done`, `failed`
    for each picture, and `end`. A client that reconnects with `Last-Event-ID` gets what it missed; of several steps
    or previews of a picture, only the latest."""
    order = service.orders.find(caller.tenant, order_id)
    return event_stream(request, caller, _told(order, last_event_id))


@router.get("/{order_id}/pictures/{index}", response_class=Response, responses=PNG_ANSWER)
async def get_picture(
    order_id: OrderId,
    index: Annotated[int, Path(ge=0, le=MAX_PICTURES - 1)],
    service: ServiceOf,
    caller: Drawer,
) -> Response:
    """One finished picture as a PNG that carries its recipe."""
    order = service.orders.find(caller.tenant, order_id)
    if index >= len(order.pictures) or order.pictures[index].drawn is None:
        raise OrderMissingError(
            f"the order {order_id} has no finished picture {index}", "follow its events until it is done"
        )
    return _png(order, index, {"cache-control": "private, max-age=3600"})


@router.post("/{order_id}/cancel", response_model=OrderBody)
async def cancel_order(order_id: OrderId, service: ServiceOf, caller: Drawer) -> OrderBody:
    """Cancel what is not finished. Finished pictures stay; an order that is over is left as it is."""
    order = service.orders.find(caller.tenant, order_id)
    service.orders.cancel(order)
    await order.wait()
    return order_body(order)


@router.delete("/{order_id}", status_code=204)
async def forget_order(order_id: OrderId, service: ServiceOf, caller: Drawer) -> None:
    """Cancel an order and drop its pictures."""
    service.orders.forget(service.orders.find(caller.tenant, order_id))


def _png(order: Order, index: int, headers: Mapping[str, str]) -> Response:
    """A picture that has ended. Raises: what it failed with."""
    picture = order.pictures[index]
    if picture.drawn is None:
        raise picture.error or OrderMissingError(f"the order {order.id} has no picture {index}")
    return Response(picture.drawn.png, media_type=PNG, headers=headers)


async def _told(order: Order, after: int) -> AsyncGenerator[ServerSentEvent]:
    async for event in order.events(after, STEP_PAUSE_S):
        yield ServerSentEvent(json.dumps(_data(order, event)), event=event.kind, id=str(event.number))


def _data(order: Order, event: OrderEvent) -> dict[str, Any]:
    """What an event says; a preview is the picture's latest."""
    if event.index is None:
        return {"order": order.id, **event.data}
    picture = order.pictures[event.index]
    data = {"order": order.id, "index": event.index, **event.data}
    if event.kind == "preview" and picture.preview is not None:
        data["png"] = base64.b64encode(picture.preview).decode()
    if event.kind == "done":
        data["picture"] = picture_body(order, picture).model_dump(mode="json")
    return data
