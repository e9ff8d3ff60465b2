"""The step loop: pictures of any seals, strengths and settings share the passes of one base.

A turn is one pass of the denoiser. Before it, whoever is next in the queue and has everything here is admitted;
behind it, every picture in it takes its own scheduler's step, and the finished ones are decoded. So a picture
begins at any step of its neighbours' and leaves at its own last one; each is the one that `generate` would draw.

    submit -> queue, seals being fetched -> admitted: prompt read, noise drawn -> turns -> decoded -> done

One thread calls everything here. Not for: reaching it from other processes, or where seals are kept.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..bases import Base
from ..bases.decoding import check_latents
from ..errors import Cancelled, ConfigError, DrawingError, SealsmithError
from ..generate import Request
from ..generate.mix_choice import most_passes, settled
from ..shortage import is_out_of_memory
from .cost import Costs, measure_costs
from .drawing import Drawing
from .fitted import FittedSeal, SealSource, at_strength
from .latent_preview import PreviewMap, fit_preview_map
from .pace import Pace
from .passes import OUT_OF_MEMORY, Passes, too_large
from .pool import Pool
from .prompts import Prompts
from .queue import FairQueue, Waiting, expired_error, retry_after_s
from .request import Done, Event, Failed, Loading, Order, Previewed, Queued, Stepped
from .settings import EngineSettings

log = logging.getLogger(__name__)


@dataclass
class _Visit:
    """An order that is here, and what of it is ready."""

    order: Order
    """Its request resolved."""
    num_rows: int
    """Of each of its steps, at most: it may turn out that its seals share a pass."""
    fetching: list["Future[FittedSeal]"] = field(default_factory=list)
    is_fetched: bool = False
    is_told: bool = False
    """Whether `loading` was said of it."""
    is_taken: bool = False
    """Whether it is out of the queue."""
    drawing: Drawing | None = None

    @property
    def charged(self) -> float:
        """What it costs at most, and its tenant is charged until it leaves."""
        return _cost(self.order.request, self.num_rows)

    @property
    def spent(self) -> float:
        """What it has cost so far."""
        drawing = self.drawing
        return 0.0 if drawing is None else drawing.step * _cost_of_step(drawing)

    @property
    def is_here(self) -> bool:
        """Whether all its seals have come, or one of them never will."""
        return self.is_fetched and all(future.done() for future in self.fetching)


class Engine:
    """Draws orders on one base, as many at once as its settings allow."""

    def __init__(
        self,
        base: Base,
        source: SealSource,
        settings: EngineSettings | None = None,
        queue: FairQueue | None = None,
        clock: Callable[[], float] = time.monotonic,
        costs: Costs | None = None,
    ):
        """`costs`: what merging costs here, if it is known and wanted; else the settings decide.

        Nothing else may use the base while pictures are underway, and no other engine before `close`.
        """
        self.base = base
        self.settings = settings or EngineSettings()
        self._source = source
        self._queue = queue or FairQueue()
        self._clock = clock
        self._prompts = Prompts(base, self.settings.prompt_bytes)
        if costs is None and self.settings.merge_for_speed and not self.settings.deterministic:
            costs = measure_costs(base, fold_bytes=self.settings.fold_bytes)
        self._passes = Passes(base, self.settings, costs)
        self._visits: dict[str, _Visit] = {}
        self._events: list[Event] = []
        self._turn = 0
        self._pace = Pace()
        self._preview_map: PreviewMap | None = None
        self._favoured = ""
        """The order whose seals come before all others' since there was no room for several (`_make_way`)."""

    @property
    def is_idle(self) -> bool:
        """Whether there is no order here, waiting or underway."""
        return not self._visits

    @property
    def pool(self) -> Pool:
        """Where the seals of the pictures underway lie; to be looked at, not to be changed."""
        return self._passes.pool

    @property
    def gauges(self) -> dict[str, float]:
        """How many orders wait and are underway, and how full the pool is."""
        pool = self.pool
        page_bytes = pool.page_elements * pool.storage.element_size()
        return {
            "queued": self._queue.num_queued,
            "drawing": len(self._underway),
            "pool_seals": len(pool.resident()),
            "pool_used_bytes": (pool.num_pages - pool.num_free) * page_bytes,
            "pool_total_bytes": pool.num_pages * page_bytes,
        }

    def events(self) -> list[Event]:
        """What has happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def submit(self, order: Order) -> None:
        """Takes an order in.

        Raises: ConfigError for what cannot be drawn, or an id that is here; BusyError when a quota is used up.
        """
        if order.id in self._visits:
            raise ConfigError(f"there is an order {order.id!r} already", "give every order an id of its own")
        order = _checked(replace(order, request=order.request.resolved(self.base)))
        visit = _Visit(order, self._most_rows(order))
        num_ahead = self._queue.num_queued
        self._queue = self._queue.push(_waiting(visit, self._clock()), self._pace.cost_per_s)
        self._visits[order.id] = visit
        self._events.append(Queued(order.id, num_ahead))

    def cancel(self, order_id: str) -> None:
        """Ends an order now, wherever it is: `failed` with Cancelled. One that is not here is left alone."""
        if order_id in self._visits:
            self._fail(order_id, Cancelled("the order was cancelled"))

    @torch.no_grad()
    def step(self) -> bool:
        """One turn. False when no picture is underway: nothing to do, or all seals are still on their way."""
        began_s = self._clock()
        self._expire()
        self._fetch_ahead()
        self._admit()
        drawings = self._passes.choose(self._underway)
        if not drawings:
            self._passes.rest()
            return False
        self._turn += 1
        for drawing, prediction in self._passes.run(drawings):
            self._advance(drawing, prediction)
        self._finish([drawing for drawing in drawings if drawing.is_finished])
        work = sum(_cost_of_step(drawing) for drawing in drawings)
        self._pace = self._pace.after(work, self._clock() - began_s)
        if not self._underway:
            self._passes.rest()
        return True

    def check_integrity(self) -> None:
        """Proves that queue and pool are whole."""
        self._queue.check_integrity()
        self._passes.check_integrity()

    def close(self) -> None:
        """Cancels what is here and leaves the base as it was."""
        for order_id in [*self._visits]:
            self.cancel(order_id)
        self._passes.close()

    def _expire(self) -> None:
        self._queue, expired = self._queue.expire(self._clock())
        for waiting in expired:
            again_s = retry_after_s(self._queue, waiting.tenant, self._pace.cost_per_s)
            self._fail(waiting.request_id, expired_error(waiting, again_s))

    def _fetch_ahead(self) -> None:
        """Sends for the seals of every tenant's next orders; one tenant's late ones keep no other's from coming."""
        is_short, is_drawing = self._source.is_short, bool(self._underway)
        if is_short and not is_drawing:
            self._make_way()
        elif is_drawing and not is_short:
            self._favoured = ""
        favoured = self._visits.get(self._favoured)
        if favoured is not None and not favoured.is_taken and not favoured.is_here:
            return
        for account in self._queue.accounts.values():
            for waiting in account.waiting[: self.settings.fetch_ahead]:
                self._fetch(self._visits[waiting.request_id])

    def _make_way(self) -> None:
        """Has waiting orders give back what they hold of their seals, all but the next one.

        Where nobody draws and there is no room, each of them may hold what another lacks, for ever.
        """
        _, chosen = self._queue.take()
        if chosen is None:
            return
        self._favoured = chosen.request_id
        for waiting in self._queue.waiting():
            visit = self._visits[waiting.request_id]
            if waiting is not chosen and visit.is_fetched and not visit.is_here:
                self._give_back(visit)
        self._fetch(self._visits[self._favoured])

    def _fetch(self, visit: _Visit) -> None:
        if visit.is_fetched:
            return
        visit.fetching = [self._source.acquire(key) for key, _ in visit.order.seals]
        visit.is_fetched = True
        if not visit.is_told:
            visit.is_told = True
            self._events.append(Loading(visit.order.id))

    def _give_back(self, visit: _Visit) -> None:
        for key, _ in visit.order.seals if visit.is_fetched else ():
            self._source.release(key)
        visit.fetching, visit.is_fetched = [], False

    def _admit(self) -> None:
        """Begins pictures in the queue's order, as long as there is room; a seal that is late holds nobody up.

        One of many rows, for which there is no room yet, holds up the others, or it would never have any.
        """
        while True:
            queue, chosen = self._queue.take(lambda each: self._visits[each.request_id].is_here)
            if chosen is None:
                return
            visit = self._visits[chosen.request_id]
            if not self._passes.has_room(self._underway, visit.num_rows):
                return
            self._queue, visit.is_taken = queue, True
            try:
                drawing = self._begin(visit)
                drawing.turn = self._turn  # it has not waited longer than whoever was here before it
                self._passes.enter(drawing)
                visit.drawing = drawing
            except SealsmithError as error:
                self._fail(chosen.request_id, error)
            except OUT_OF_MEMORY as error:
                if not is_out_of_memory(error):
                    raise
                self._fail(chosen.request_id, too_large("to begin it"))

    def _begin(self, visit: _Visit) -> Drawing:
        """The picture before its first step. Raises: whatever is wrong with its seals or its prompt."""
        fetched = [future.result() for future in visit.fetching]
        wished = [strength for _, strength in visit.order.seals]
        seals = [
            at_strength(self.base, seal, strength) for seal, strength in zip(fetched, wished, strict=True)
        ]
        with _own_faults("begun"):
            whole = [(seal.seal, strength) for seal, strength in zip(fetched, wished, strict=True)]
            order = replace(visit.order, request=settled(self.base, visit.order.request, whole))
            return Drawing(self.base, order, seals, self._prompts.read(order.request, seals))

    def _advance(self, drawing: Drawing, prediction: Tensor | SealsmithError) -> None:
        """One step of one picture; what goes wrong with it is its own."""
        try:
            if isinstance(prediction, SealsmithError):
                raise prediction
            with _own_faults("gone on with"):
                drawing.take(prediction)
            check_latents(self.base, drawing.latents)
        except SealsmithError as error:
            self._fail(drawing.order.id, error)
            return
        drawing.turn = self._turn
        order, step = drawing.order, drawing.step
        self._events.append(Stepped(order.id, step, drawing.num_steps, self._passes.path_of(drawing)))
        if order.preview_every and step % order.preview_every == 0 and not drawing.is_finished:
            self._preview_map = self._preview_map or fit_preview_map(self.base)
            self._events.append(Previewed(order.id, step, self._preview_map.preview(drawing.clean)))

    def _finish(self, drawings: Sequence[Drawing]) -> None:
        """Decodes the finished pictures and hands them over."""
        drawings = [drawing for drawing in drawings if drawing.order.id in self._visits]
        for drawing, picture in self._passes.decode(drawings):
            if isinstance(picture, SealsmithError):
                self._fail(drawing.order.id, picture)
            else:
                self._leave(drawing.order.id)
                self._events.append(Done(drawing.order.id, picture))

    def _fail(self, order_id: str, error: SealsmithError) -> None:
        self._leave(order_id)
        self._events.append(Failed(order_id, error))

    def _leave(self, order_id: str) -> None:
        """Forgets an order: out of the queue, what it did not use not charged, its seals given back."""
        visit = self._visits.pop(order_id)
        self._give_back(visit)
        if visit.is_taken:
            if visit.drawing is not None:
                self._passes.leave(visit.drawing)
            self._queue = self._queue.finish(order_id, visit.charged - visit.spent)
        elif any(waiting.request_id == order_id for waiting in self._queue.waiting()):
            self._queue = self._queue.cancel(order_id)

    def _most_rows(self, order: Order) -> int:
        """How many rows of a pass each step of an order with a resolved request takes at most."""
        request = order.request
        assert request.guidance is not None
        is_guided = self.base.family.workings.is_guided_by_two(self.base, request.guidance)
        return (2 if is_guided else 1) * most_passes(self.base, request, len(order.seals))

    @property
    def _underway(self) -> list[Drawing]:
        return [visit.drawing for visit in self._visits.values() if visit.drawing is not None]


@contextmanager
def _own_faults(what: str) -> Iterator[None]:
    """A context in which an error of a scheduler or a tokenizer is its own picture's, not the engine's end."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        log.exception("a picture cannot be %s", what)
        raise DrawingError(
            f"the picture cannot be {what}: {type(error).__name__}",
            "see the engine's log; try another sampler",
        ) from error


def _checked(order: Order) -> Order:
    """The order itself. Raises: ConfigError."""
    if order.request.num_pictures != 1:
        raise ConfigError(
            f"an order is for one picture, this one for {order.request.num_pictures}",
            "split it by `orders_of`",
        )
    if order.preview_every < 0:
        raise ConfigError(
            f"a preview is wanted every {order.preview_every} steps", "give 1 or more, or 0 for none"
        )
    for key, strength in order.seals:
        if isinstance(strength, int | float) and not math.isfinite(strength):
            raise ConfigError(f"the strength of {key!r} is {strength}", "give a finite number, mostly 0 to 1")
    return order


def _cost(request: Request, num_rows: int) -> float:
    """What a resolved request is charged: steps times pixels, for each row of a pass that a step takes."""
    assert request.num_steps is not None
    width, height = request.size_px
    return float(request.num_steps * width * height * num_rows)


def _cost_of_step(drawing: Drawing) -> float:
    return _cost(drawing.order.request, drawing.num_rows) / drawing.num_steps


def _waiting(visit: _Visit, now_s: float) -> Waiting:
    order = visit.order
    deadline_s = math.inf if order.deadline_s is None else order.deadline_s
    return Waiting(order.id, order.tenant, visit.charged, now_s, deadline_s)
