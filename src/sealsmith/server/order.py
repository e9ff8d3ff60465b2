"""One order of pictures: what has become of each, and what is worth telling of it, from any point on.

Events are numbered from 1. One that a later one makes worthless (a step by the next step, a preview by the next
preview) is forgotten, so an order's story never grows beyond a few events a picture. Not for: drawing (orders.py).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import SealsmithError
from .tracing import NO_SPAN, Span
from .wishes import Wish

State = Literal["waiting", "loading", "drawing", "done", "failed"]
SUPERSEDED = frozenset({"queued", "loading", "step", "preview"})


GiveBack = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class OrderEvent:
    """Something that happened to picture `index` of an order; `index` is None when it happened to all of it."""

    number: int
    kind: str
    """queued, loading, step, preview, done, failed; end is the last one."""
    index: int | None
    data: dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A finished picture."""

    png: bytes
    recipe: str
    """JSON."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureState:
    """Where one picture stands."""

    index: int
    seed: int
    state: State = "waiting"
    step: int = 0
    num_steps: int | None = None
    drawn: Drawn | None = None
    preview: bytes | None = None
    """PNG."""
    error: SealsmithError | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed")


@dataclass(eq=False)
class Order:
    """Pictures on their way. Changed by the order book alone."""

    id: str
    wish: Wish
    created: float = field(default_factory=time.time)
    """Seconds since 1970."""
    number: int = 0
    """Grows from each order of a book to the next: its place in lists."""
    request_id: str = ""
    give_back: GiveBack | None = None
    """Uncounts so many of its pictures, which were not drawn."""
    span: Span = NO_SPAN
    pictures: list[PictureState] = field(default_factory=list)
    _events: list[OrderEvent] = field(default_factory=list)
    _num_events: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _more_than_steps: asyncio.Event = field(default_factory=asyncio.Event)
    """News that nobody is to wait for: all but a step."""
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        seed = self.wish.first.seed
        self.pictures = [PictureState(index, seed + index) for index in range(self.wish.num_pictures)]

    @property
    def is_over(self) -> bool:
        return all(picture.is_over for picture in self.pictures)

    @property
    def num_unfinished(self) -> int:
        """Pictures that have not ended."""
        return sum(not picture.is_over for picture in self.pictures)

    @property
    def state(self) -> State:
        """Of the whole: that of its last picture to end; failed as soon as all has ended and one failed."""
        states = [picture.state for picture in self.pictures]
        if self.is_over:
            return "failed" if "failed" in states else "done"
        return next((state for state in ("drawing", "loading") if state in states), "waiting")

    @property
    def error(self) -> SealsmithError | None:
        """What the first picture that failed failed with."""
        return next((picture.error for picture in self.pictures if picture.error is not None), None)

    @property
    def kept_bytes(self) -> int:
        return sum(len(picture.drawn.png) for picture in self.pictures if picture.drawn is not None)

    def tell(self, kind: str, index: int, data: dict[str, Any], **changes: Any) -> None:
        """Changes a picture's state and says so. Its last event ends the order when it was the last picture's."""
        self.pictures[index] = replace(self.pictures[index], **changes)
        self._say(kind, index, data)
        if self.is_over:
            self._say("end", None, {"state": self.state})
            self._end.set()

    def _say(self, kind: str, index: int | None, data: dict[str, Any]) -> None:
        self._num_events += 1
        self._events = [
            event
            for event in self._events
            if event.index != index or event.kind not in SUPERSEDED or not _replaces(kind, event.kind)
        ]
        self._events.append(OrderEvent(self._num_events, kind, index, data))
        self._news.set()
        self._news = asyncio.Event()
        if kind != "step":
            self._more_than_steps.set()
            self._more_than_steps = asyncio.Event()

    async def events(self, after: int = 0, step_pause_s: float = 0.0) -> AsyncIterator[OrderEvent]:
        """All that is worth telling from event `after` + 1 on, to the end.

        `step_pause_s`: how long after a step no further one is told; everything else is told at once.
        """
        while True:
            news, more_than_steps = self._news, self._more_than_steps
            fresh = [event for event in self._events if event.number > after]
            for event in fresh:
                after = event.number
                yield event
                if event.kind == "end":
                    return
            if self.is_over and not fresh:
                return
            if step_pause_s and fresh and fresh[-1].kind == "step":
                with suppress(TimeoutError):
                    async with asyncio.timeout(step_pause_s):
                        await more_than_steps.wait()
            if news is self._news:
                await news.wait()

    async def wait(self) -> None:
        """Until all its pictures have ended."""
        await self._end.wait()


def _replaces(kind: str, earlier: str) -> bool:
    """Whether what is said now makes what was said before of the same picture worthless."""
    if kind == earlier or kind in ("done", "failed"):
        return True
    return earlier in ("queued", "loading") and kind in ("loading", "step")
