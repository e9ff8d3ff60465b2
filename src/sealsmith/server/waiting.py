"""Waiting for an order on behalf of a client that waits for its answer."""

import asyncio
from collections.abc import Sequence

from fastapi import Request

from ..errors import Cancelled
from .order import Drawn, Order
from .orders import OrderBook

LOOK_S = 0.5
"""Between two looks whether the client is still there."""


async def finished(book: OrderBook, order: Order, request: Request, partly: bool = False) -> Sequence[Drawn]:
    """The pictures of an order, which the book then forgets; a client that goes away cancels it.

    With `partly`, those of an order that was cancelled when some were finished.
    Raises: what the first picture that failed failed with; Cancelled when nobody waits any more.
    """
    waiting = asyncio.create_task(order.wait())
    try:
        while not waiting.done():
            await asyncio.wait([waiting], timeout=LOOK_S)
            if not waiting.done() and await request.is_disconnected():
                raise Cancelled("the client went away")
        drawn = [picture.drawn for picture in order.pictures if picture.drawn is not None]
        if order.error is not None and not (partly and drawn and isinstance(order.error, Cancelled)):
            raise order.error
        return drawn
    finally:
        waiting.cancel()
        book.forget(order)
