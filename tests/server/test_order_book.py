"""The order book on an engine's process that draws noise: what it asks for, and what it keeps."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sealsmith.engine.client import EngineClient
from sealsmith.engine.messages import Draw
from sealsmith.engine.supervisor import Launch
from sealsmith.server import orders
from sealsmith.server.metrics import Metrics
from sealsmith.server.order import Order
from sealsmith.server.orders import OrderBook
from sealsmith.server.wishes import Wish

CORES = Path(__file__).parents[1] / "engine"
ENVIRON = {**os.environ, "PYTHONPATH": str(CORES)}


def with_book(work: Callable[[OrderBook], Awaitable[None]]) -> None:
    async def run() -> None:
        launch = Launch("noise_core:open_core", {}, ENVIRON, start_within_s=60.0)
        async with EngineClient(launch) as engine:
            book = OrderBook(engine, Metrics())
            await work(book)
            await book.close()

    asyncio.run(asyncio.wait_for(run(), 200))


def wish(tenant: str, num_pictures: int = 1, num_steps: int = 3, seed: int = 0) -> Wish:
    draw = Draw("", "x", tenant, seed=seed, num_steps=num_steps)
    return Wish(tenant, draw, num_pictures)


def test_of_a_picture_s_steps_no_more_cross_the_border_than_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "STEP_PAUSE_S", 3600.0)

    async def work(book: OrderBook) -> None:
        order = book.place(wish("ann", num_steps=50))
        steps = [event.data["step"] async for event in order.events() if event.kind == "step"]
        assert steps in ([1, 50], [50])  # the first may be over before anybody listens

    with_book(work)


@pytest.mark.parametrize("bound", [None, "MAX_KEPT_ORDERS", "MAX_KEPT_BYTES"])
def test_whatever_happens_to_orders_the_book_knows_what_it_keeps(
    bound: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(1)
    if bound is not None:
        monkeypatch.setattr(orders, bound, 5 if bound == "MAX_KEPT_ORDERS" else 1500)

    async def work(book: OrderBook) -> None:
        placed: list[Order] = []
        for number in range(150):
            placed.append(book.place(wish(rng.choice("abc"), rng.randint(1, 3), rng.randint(1, 4), number)))
            order = rng.choice(placed)
            await rng.choice([order.wait, _nothing, _nothing])()
            rng.choice([book.forget, book.cancel, _leave, _leave])(order)
            book.check_integrity()
            if len(placed) > 20:
                placed.pop(0)
        for order in placed:
            await order.wait()
        while book.num_open:
            await asyncio.sleep(0.001)
        book.check_integrity()
        for tenant in "abc":
            for order in book.of_tenant(tenant):
                book.forget(order)
                book.forget(order)
        book.check_integrity()
        assert book.page("a", None, 50).items == ()

    with_book(work)


async def _nothing() -> None:
    await asyncio.sleep(0)


def _leave(_: Order) -> None:
    """As it is."""
