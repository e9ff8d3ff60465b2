"""The order book: orders of pictures given to the engine, followed to their end, and kept for a while.

An order lives on when whoever placed it stops listening; it ends by being finished or cancelled. Not for: what an
order is (order.py).
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from ..catalog import Page
from ..catalog.paging import check_limit, number_in
from ..engine import messages
from ..engine.client import EngineClient
from ..errors import BusyError, Cancelled, OrderMissingError, SealsmithError
from .limits import MAX_KEPT_BYTES, MAX_KEPT_ORDERS, MAX_WAITING_PICTURES, STEP_PAUSE_S
from .log import Log
from .metrics import Metrics
from .order import Drawn, GiveBack, Order
from .picture_bytes import picture_png, preview_png
from .tracing import NO_TRACING, Span, Tracing
from .wishes import Wish

log = Log("sealsmith.orders")


@dataclass
class _Shelf:
    """A tenant's orders that are over and still kept."""

    orders: dict[str, Order] = field(default_factory=dict)
    """By id, the first that was over first."""
    num_bytes: int = 0
    """Of their pictures."""

    def put(self, order: Order) -> None:
        self.orders[order.id] = order
        self.num_bytes += order.kept_bytes

    def take(self, order: Order) -> None:
        if self.orders.pop(order.id, None) is not None:
            self.num_bytes -= order.kept_bytes


class OrderBook:
    """All orders of this server. Belongs to one event loop."""

    def __init__(
        self,
        engine: EngineClient,
        metrics: Metrics,
        tracing: Tracing = NO_TRACING,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._engine, self._metrics, self._tracing, self._clock = engine, metrics, tracing, clock
        self._orders: dict[str, Order] = {}
        """By id, the oldest first."""
        self._drawing: dict[str, list[asyncio.Task[None]]] = {}
        self._shelves: dict[str, _Shelf] = {}
        """By tenant; of those who have any."""
        self._givings_back: set[asyncio.Task[None]] = set()
        """Tasks of their own, which nobody cancels."""
        self._is_closing = False
        self._last_number = 0

    def place(self, wish: Wish, request_id: str = "", give_back: GiveBack | None = None) -> Order:
        """An order that is being drawn from now on. `give_back`: told of every picture that is not drawn.

        Raises: BusyError when its tenant has too much underway, or the server is about to end.
        """
        if self._is_closing:
            raise BusyError("the server is about to end", "send it again in a while")
        num_waiting = self.num_unfinished(wish.tenant)
        if num_waiting + wish.num_pictures > MAX_WAITING_PICTURES:
            self._metrics.pictures.labels("busy").inc(wish.num_pictures)
            raise BusyError(
                f"{num_waiting} of your pictures are not finished yet, and {wish.num_pictures} more are asked for; "
                f"at most {MAX_WAITING_PICTURES} may be underway",
                "wait for some of them, or cancel them",
            )
        order_id = f"img-{secrets.token_hex(12)}"
        span = self._tracing.start("order", sealsmith__order=order_id, sealsmith__pictures=wish.num_pictures)
        order = Order(
            order_id, wish, number=self._next_number(), request_id=request_id, give_back=give_back, span=span
        )
        self._orders[order.id] = order
        self._drawing[order.id] = [
            asyncio.create_task(self._draw(order, index)) for index in range(wish.num_pictures)
        ]
        self._metrics.underway.inc(wish.num_pictures)
        return order

    def find(self, tenant: str, order_id: str) -> Order:
        """Raises: OrderMissingError, also where it is somebody else's."""
        order = self._orders.get(order_id)
        if order is None or order.wish.tenant != tenant:
            raise OrderMissingError(
                f"there is no order {order_id[:80]!r}",
                "finished ones are kept for a while only; place it again",
            )
        return order

    def of_tenant(self, tenant: str) -> list[Order]:
        """The oldest first."""
        return [order for order in self._orders.values() if order.wish.tenant == tenant]

    def page(self, tenant: str, after: str | None, limit: int) -> Page[Order]:
        """Part of a tenant's orders, the newest first; `after`: what the part before gave as `next`.

        Raises: ConfigError for a limit or a mark that is none.
        """
        check_limit(limit)
        below = None if after is None else number_in(after)
        found = [each for each in reversed(self.of_tenant(tenant)) if below is None or each.number < below]
        return Page(tuple(found[:limit]), str(found[limit - 1].number) if len(found) > limit else None)

    @property
    def num_open(self) -> int:
        """Orders of all tenants that are not over."""
        return len(self._drawing)

    @property
    def num_waiting(self) -> int:
        """Pictures of all tenants that have not come to their first step."""
        pictures = (picture for order in self._open_orders() for picture in order.pictures)
        return sum(picture.state in ("waiting", "loading") for picture in pictures)

    @property
    def underway(self) -> Counter[str]:
        """Pictures that have not ended, by tenant; of tenants with any."""
        counts: Counter[str] = Counter()
        for order in self._open_orders():
            counts[order.wish.tenant] += order.num_unfinished
        return +counts

    def num_unfinished(self, tenant: str) -> int:
        """Pictures of a tenant that have not ended."""
        return sum(order.num_unfinished for order in self._open_orders() if order.wish.tenant == tenant)

    def _open_orders(self) -> Iterator[Order]:
        """Those that are not over, and not forgotten."""
        return (self._orders[order_id] for order_id in self._drawing if order_id in self._orders)

    def cancel(self, order: Order) -> None:
        """Ends the pictures of an order that are not finished; within one step the engine stops drawing them."""
        for task in self._drawing.get(order.id, ()):
            task.cancel()

    def forget(self, order: Order) -> None:
        """Cancels an order and drops its pictures."""
        self.cancel(order)
        self._drop(order)

    async def close(self, drain_within_s: float = 0.0) -> None:
        """Takes nothing more, lets what is underway finish for so long, and cancels the rest."""
        self._is_closing = True
        tasks = [task for drawing in self._drawing.values() for task in drawing]
        if tasks and drain_within_s:
            await asyncio.wait(tasks, timeout=drain_within_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._givings_back)

    def check_integrity(self) -> None:
        """What is kept on shelves is what is over and not forgotten. Raises: AssertionError."""
        over = {id: order for id, order in self._orders.items() if id not in self._drawing}
        assert over == {id: order for shelf in self._shelves.values() for id, order in shelf.orders.items()}
        for tenant, shelf in self._shelves.items():
            assert shelf.orders, f"{tenant} has an empty shelf"
            assert all(order.is_over and order.wish.tenant == tenant for order in shelf.orders.values())
            assert shelf.num_bytes == sum(order.kept_bytes for order in shelf.orders.values())

    def _next_number(self) -> int:
        """Microseconds since 1970, or one more than the last: it tells nobody how many orders others place."""
        self._last_number = max(self._last_number + 1, time.time_ns() // 1000)
        return self._last_number

    async def _draw(self, order: Order, index: int) -> None:
        """One picture to its end, whatever that is."""
        placed = self._clock()
        span = self._tracing.start("picture", order.span, sealsmith__index=index)
        try:
            await self._follow(order, index, placed, span)
        except asyncio.CancelledError:
            self._fail(order, index, Cancelled("the order was cancelled"))
        except SealsmithError as error:
            self._fail(order, index, error)
        except Exception:
            log.exception("unexpected", order=order.id, index=index)
            self._fail(order, index, SealsmithError("this should not have happened", "see the server's log"))
        finally:
            span.end(order.pictures[index].error)
            self._metrics.underway.dec()
            self._metrics.stages.labels("total").observe(self._clock() - placed)
            if order.give_back is not None and order.pictures[index].drawn is None:
                giving = asyncio.create_task(_give_back(order, order.give_back))
                self._givings_back.add(giving)
                giving.add_done_callback(self._givings_back.discard)
            if order.is_over and self._drawing.pop(order.id, None) is not None:
                order.span.end(order.error)
                if order.id in self._orders:
                    self._shelves.setdefault(order.wish.tenant, _Shelf()).put(order)
                    self._make_room()

    async def _follow(self, order: Order, index: int, since: float, span: Span) -> None:
        draw = msgspec.structs.replace(
            order.wish.first,
            id=f"{order.id}-{index}",
            seed=order.pictures[index].seed,
            step_pause_s=STEP_PAUSE_S,
        )
        stage = "queue"
        part = self._tracing.start(stage, span)
        try:
            async with aclosing(self._engine.draw(draw)) as events:
                async for event in events:
                    if (following := _stage(event)) and following != stage:
                        self._metrics.stages.labels(stage).observe(self._clock() - since)
                        part.end()
                        stage, since = following, self._clock()
                        part = self._tracing.start(stage, span)
                    await self._tell(order, index, event)
        finally:
            part.end()
        self._metrics.stages.labels(stage).observe(self._clock() - since)

    async def _tell(self, order: Order, index: int, event: messages.Event) -> None:
        """What the engine says, to those who listen to the order. Raises: what the picture failed with."""
        match event:
            case messages.Queued():
                order.tell("queued", index, {"num_ahead": event.num_ahead})
            case messages.Loading():
                order.tell("loading", index, {}, state="loading")
            case messages.Step():
                data = {"step": event.step, "num_steps": event.num_steps}
                order.tell("step", index, data, state="drawing", step=event.step, num_steps=event.num_steps)
            case messages.Preview():
                png = await asyncio.to_thread(preview_png, event.picture)
                order.tell("preview", index, {"step": event.step}, preview=png)
            case messages.Done():
                with self._metrics.stages.labels("encode").time():
                    png, recipe = await asyncio.to_thread(
                        picture_png, event.picture, event.recipe, order.wish.names
                    )
                order.tell(
                    "done", index, {}, state="done", drawn=Drawn(png, recipe, event.warnings), preview=None
                )
                self._metrics.pictures.labels("done").inc()
                self._metrics.drawn.add()
            case messages.Failed():
                raise event.error

    def _fail(self, order: Order, index: int, error: SealsmithError) -> None:
        self._metrics.pictures.labels(error.code).inc()
        order.tell(
            "failed",
            index,
            {"code": error.code, "message": str(error), "remedy": error.remedy},
            state="failed",
            error=error,
            preview=None,
        )

    def _make_room(self) -> None:
        """Forgets finished orders until what is kept is within its bounds: the oldest of whoever keeps most.

        So nobody loses a picture to others who keep more than they do.
        """
        measures: tuple[tuple[Callable[[_Shelf], int], int], ...] = (
            (lambda shelf: shelf.num_bytes, MAX_KEPT_BYTES),
            (lambda shelf: len(shelf.orders), MAX_KEPT_ORDERS),
        )
        for measure, limit in measures:
            while sum(map(measure, self._shelves.values())) > limit:
                fullest = max(self._shelves.values(), key=measure)
                self._drop(next(iter(fullest.orders.values())))

    def _drop(self, order: Order) -> None:
        self._orders.pop(order.id, None)
        shelf = self._shelves.get(order.wish.tenant)
        if shelf is not None:
            shelf.take(order)
            if not shelf.orders:
                del self._shelves[order.wish.tenant]


async def _give_back(order: Order, give_back: GiveBack) -> None:
    """Has a picture that was not drawn uncounted; where that fails it stays counted."""
    try:
        await give_back(1)
    except SealsmithError as error:
        log.warning("picture not given back", order=order.id, why=str(error))


def _stage(event: messages.Event) -> str:
    """The stage that this event is the beginning of, or is part of; empty: it says nothing of it."""
    match event:
        case messages.Loading():
            return "load"
        case messages.Step():
            return "draw"
        case _:
            return ""
