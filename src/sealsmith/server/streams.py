"""Streams of server-sent events: told for as long as whoever listens may hear them.

A key is asked for when a stream is opened, and again every few seconds, all keys with streams at once: one that is
revoked or expires ends its streams. Who comes again with another key and `Last-Event-ID` misses nothing.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Final

from anyio import CancelScope
from fastapi import Header, Request
from sse_starlette.sse import EventSourceResponse, ServerSentEvent

from .library import Caller
from .long_work import LongWork
from .service import service_of
from .watching import Watch

LastEventId = Annotated[
    int,
    Header(ge=0, le=2**31, description="Number of the last event that was seen; 0: from the beginning."),
]
SSE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
}
PING_S: Final = 15.0


def event_stream(
    request: Request, caller: Caller, events: AsyncGenerator[ServerSentEvent]
) -> EventSourceResponse:
    """The answer that tells these events to `caller`, whose key came with the request."""
    return EventSourceResponse(
        while_allowed(service_of(request).callers, caller, events),
        ping=PING_S,
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
    callers: Watch[Caller, Caller], caller: Caller, events: AsyncGenerator[ServerSentEvent]
) -> AsyncIterator[ServerSentEvent]:
    """The events, until they end or the caller is gone: their key is no longer what it was."""
    with callers.of(caller) as watched:
        try:
            while (
                not watched.is_gone and (event := await watched.unless_gone(anext(events, None))) is not None
            ):
                yield event
        finally:
            with CancelScope(shield=True):  # whoever went away cancels this task again and again
                await events.aclose()
