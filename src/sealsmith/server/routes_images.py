"""`/v1/images`: pictures in our own dialect. An order is placed, listened to, fetched, cancelled."""

import base64
import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sse_starlette.sse import EventSourceResponse, ServerSentEvent

from ..catalog.paging import MAX_PAGE
from ..errors import OrderMissingError
from .limits import MAX_PICTURES, STEP_PAUSE_S
from .order import Order, OrderEvent
from .schema import ImageRequest, OrderBody, OrdersBody, order_body, picture_body
from .service import Drawer, RequestId, ServiceOf
from .streams import SSE_ANSWER, LastEventId, event_stream
from .wishes import wish_of

ORDER_ID = r"^img-[0-9a-f]{24}$"

OrderId = Annotated[str, Path(pattern=ORDER_ID, description="As `POST /v1/images` gave it.")]
PNG_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The PNG."}}

router = APIRouter(prefix="/v1/images", tags=["images"])


@router.post("", status_code=202, response_model=OrderBody)
async def place_order(
    asked: ImageRequest, service: ServiceOf, caller: Drawer, request_id: RequestId, response: Response
) -> OrderBody:
    """Place an order of pictures. It is drawn whether or not anybody listens."""
    wish = await wish_of(service.library, caller, asked.asked)
    order = await service.place(wish, request_id)
    response.headers["location"] = f"/v1/images/{order.id}"
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
    for each picture, and `end`. Who comes again with `Last-Event-ID` hears what was missed; of several steps or
    previews of a picture only the latest is told then."""
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
    drawn = order.pictures[index].drawn if index < len(order.pictures) else None
    if drawn is None:
        raise OrderMissingError(
            f"the order {order_id} has no finished picture {index}", "follow its events until it is done"
        )
    return Response(drawn.png, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


@router.post("/{order_id}/cancel", response_model=OrderBody)
async def cancel_order(order_id: OrderId, service: ServiceOf, caller: Drawer) -> OrderBody:
    """Cancel what is not finished. Pictures that are stay; an order that is over is left as it is."""
    order = service.orders.find(caller.tenant, order_id)
    service.orders.cancel(order)
    await order.wait()
    return order_body(order)


@router.delete("/{order_id}", status_code=204)
async def forget_order(order_id: OrderId, service: ServiceOf, caller: Drawer) -> None:
    """Cancel an order and drop its pictures."""
    service.orders.forget(service.orders.find(caller.tenant, order_id))


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
