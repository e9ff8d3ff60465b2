"""Waiting for an order on behalf of a client that waits for its answer."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from fastapi import Request

from ..errors import Cancelled
from .limits import MAX_ANSWER_WAIT_S
from .order import Drawn, Order
from .orders import OrderBook

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*(?:=\s*\"?(\d{1,6})\"?\s*)?(?=$|[,;])", re.IGNORECASE)


def preferred_wait_s(prefer: str) -> float | None:
    """How long a `Prefer` header (RFC 7240) would wait: `wait=60`, or `wait`, for as long as may be; None: not.

    What it holds besides is nothing to us, and a preference that cannot be read is none.
    """
    found = _WAIT.search(prefer)
    if found is None:
        return None
    return min(float(found[1] or MAX_ANSWER_WAIT_S), MAX_ANSWER_WAIT_S)


async def over_within(order: Order, seconds: float) -> bool:
    """Whether an order is over by then. It goes on in any case."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await order.wait()
    return order.is_over


async def finished(book: OrderBook, order: Order, request: Request, partly: bool = False) -> Sequence[Drawn]:
    """The pictures of an order, which the book then forgets; a client that goes away cancels it.

    With `partly`, those of an order that was cancelled when some were finished.
    Raises: what the first picture that failed failed with; Cancelled when nobody waits any more.
    """
    waiting, leaving = asyncio.create_task(order.wait()), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Cancelled("the client went away")
        drawn = [picture.drawn for picture in order.pictures if picture.drawn is not None]
        if order.error is not None and not (partly and drawn and isinstance(order.error, Cancelled)):
            raise order.error
        return drawn
    finally:
        waiting.cancel()
        leaving.cancel()
        book.forget(order)


async def _gone(request: Request) -> None:
    """Until whoever asked has gone away; all of the request was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
