"""Streams of server-sent events: told for as long as whoever listens may hear them.

A key is asked for when a stream is opened, and again every few seconds: one that is revoked or expires ends its
streams. Who comes again with another key and `Last-Event-ID` misses nothing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Final

from anyio import CancelScope
from fastapi import Header, Request
from sse_starlette.sse import EventSourceResponse, ServerSentEvent

from ..errors import SealsmithError
from .library import Caller
from .limits import SEND_WITHIN_S
from .long_work import LongWork
from .service import known_caller

LastEventId = Annotated[
    int,
    Header(ge=0, le=2**31, description="Number of the last event that was seen; 0: from the beginning."),
]
SSE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
}
PING_S: Final = 15.0
ASK_AGAIN_S: Final = 2.0
"""Between two questions whether the key of a stream is still good."""


def event_stream(
    request: Request, caller: Caller, events: AsyncGenerator[ServerSentEvent]
) -> EventSourceResponse:
    """The answer that tells these events to `caller`, whose key came with the request."""
    return EventSourceResponse(
        while_allowed(request, caller, events),
        ping=PING_S,
        send_timeout=SEND_WITHIN_S,
        headers={"x-accel-buffering": "no"},
    )


async def job_stream(
    work: LongWork, name: str, request: Request, caller: Caller, job: str, after: int
) -> EventSourceResponse:
    """The answer that tells a job's events after that number; `name`: what jobs like it are called.

    Raises: MissingError, also where it is somebody else's.
    """
    await work.get(caller.tenant, job)
    return event_stream(request, caller, job_events(work, name, caller.tenant, job, after))


async def job_events(
    work: LongWork, name: str, tenant: str, job: str, after: int
) -> AsyncGenerator[ServerSentEvent]:
    """What happens to a job after the event of that number; `name`: what it is called in the data."""
    async for event in work.events(tenant, job, after):
        data = {name: job, "created": event.created.isoformat(), **event.data}
        yield ServerSentEvent(json.dumps(data), event=event.kind.value, id=str(event.number))


async def while_allowed(
    request: Request, caller: Caller, events: AsyncGenerator[ServerSentEvent]
) -> AsyncIterator[ServerSentEvent]:
    """The events, until they end or the key is no longer what it was: valid, this tenant's, with these scopes."""
    now = asyncio.get_running_loop().time
    ask_at = now() + ASK_AGAIN_S
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait([coming], timeout=max(0.0, ask_at - now()))
            if now() >= ask_at:
                if not await _is_still(request, caller):
                    return
                ask_at = now() + ASK_AGAIN_S
            if coming.done():
                event = coming.result()
                if event is None:
                    return
                yield event
                coming = asyncio.ensure_future(anext(events, None))
    finally:
        coming.cancel()
        with CancelScope(shield=True):  # whoever went away cancels this task again and again
            await asyncio.wait([coming])
            await events.aclose()


async def _is_still(request: Request, caller: Caller) -> bool:
    """Not where that cannot be said, either: a database that is gone is no reason to go on."""
    try:
        now = await known_caller(request)
    except SealsmithError:
        return False
    return (now.tenant, now.scopes) == (caller.tenant, caller.scopes)
