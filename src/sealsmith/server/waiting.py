"""Waiting for an order on behalf of a client that waits for its answer."""

import asyncio
from collections.abc import Sequence

from fastapi import Request

from ..errors import Cancelled
from .order import Drawn, Order
from .orders import OrderBook


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
