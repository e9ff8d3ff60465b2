"""The engine from another process: draws pictures, and keeps an engine running to draw them.

    async with EngineClient(Launch("sealsmith.engine.core:open_core", config)) as engine:
        async for event in engine.draw(request):
            ...

When the engine dies, another is started. A request that had not come to its first step is run again, once; one
that had, or that sees a second death, fails with an EngineError, which is retryable. None is lost silently. Belongs
to one event loop. Not for: how an engine is spoken to (connection.py), or what runs in the process (process.py).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import msgspec
import zmq.asyncio

from ..errors import Cancelled, DeadlineError, EngineError, SealsmithError
from .connection import Connection
from .messages import (
    Cancel,
    Done,
    Drain,
    Draw,
    Event,
    Failed,
    Loading,
    Message,
    Ping,
    Pong,
    Queued,
    Welcome,
    check_draw,
    failure,
    is_last,
)
from .outbox import Outbox
from .supervisor import EngineProcess, Launch

MAX_RUNS = 2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 30.0
"""Between a failed start and the next; doubled each time."""
MAX_FAILED_STARTS = 3
"""After so many in a row nothing waits for the next any more."""
COUNT_WITHIN_S = 1.0
"""For an engine to say how full it is: it answers between two steps."""

log = logging.getLogger(__name__)


def pauses_s() -> Iterator[float]:
    """How long to wait after each failed start, without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


@dataclass(eq=False)
class _Flight:
    """One picture on its way."""

    request: Draw
    begin_by: float | None
    """By the event loop's clock."""
    outbox: Outbox = field(default_factory=Outbox)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    num_runs: int = 0
    has_begun: bool = False
    """Whether a step of it was seen."""
    is_cancelled: bool = False
    """Whether the engine was told to end it, which it may not live to hear."""
    expiring: asyncio.TimerHandle | None = None

    def end(self) -> None:
        """Nothing will happen to it by itself any more."""
        if self.expiring is not None:
            self.expiring.cancel()

    def put(self, event: Event) -> None:
        self.has_begun |= not isinstance(event, Queued | Loading)
        self.outbox.put(event)
        self.has_news.set()

    async def events(self) -> AsyncIterator[Event]:
        while True:
            await self.has_news.wait()
            while len(self.outbox):
                event = self.outbox.pop()
                yield event
                if is_last(event):
                    return
            self.has_news.clear()


class EngineClient:
    """Draws with an engine in a process of its own, which it starts, and starts again."""

    def __init__(self, launch: Launch, max_silence_s: float = 600.0):
        """`max_silence_s`: an engine that says nothing for so long hangs, and is killed; a step takes less."""
        self._launch, self._max_silence_s = launch, max_silence_s
        self._context = zmq.asyncio.Context()
        self._flights: dict[str, _Flight] = {}
        self._left: Counter[str] = Counter()
        """How often a request was left whose last event the engine has yet to send; until then it is not for us."""
        self._process: EngineProcess | None = None
        self._connection: Connection | None = None
        """None: nobody is there to be spoken to."""
        self._keeping: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_ending = False
        """Whether an engine that ends now is not followed by another."""
        self._down: SealsmithError | None = None
        self._gauges: Mapping[str, float] = {}
        self._counted = asyncio.Event()
        """Set, and replaced, when the engine has said how full it is."""
        self.welcome: Welcome | None = None
        """What the running engine said of itself."""
        self.num_starts = 0

    async def __aenter__(self) -> "EngineClient":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """Of the running engine."""
        return self._process.pid if self._process is not None else None

    async def gauges(self) -> Mapping[str, float]:
        """What the engine counts now (core.py), or last counted, when a step takes long; of no engine, nothing."""
        if self._connection is not None:
            counted = self._counted
            self._tell(Ping())
            with suppress(TimeoutError):
                await asyncio.wait_for(counted.wait(), COUNT_WITHIN_S)
        return self._gauges

    def expect_end(self) -> None:
        """From now on an engine that ends was meant to: it is not followed by another, and nobody is warned."""
        self._is_ending = True

    async def start(self) -> None:
        """Returns when an engine is ready. Raises: what kept it from starting."""
        try:
            await self._launch_one()
        except BaseException:
            await self._end_process()
            self._context.term()
            raise
        self._keeping = asyncio.create_task(self._keep_up())

    async def draw(self, request: Draw) -> AsyncGenerator[Event, None]:
        """What happens to a request, to its Done or Failed. Leaving the loop before that cancels it.

        Who reads slowly misses steps and previews, never the end. Raises: ConfigError for a request that cannot
        be sent; EngineError for an id that is in use. Whatever else is wrong is said by Failed.
        """
        await asyncio.sleep(0)  # who tries again at once, and again, leaves the loop a turn
        flight = self._begin(request)
        try:
            async for event in flight.events():
                yield event
        finally:
            if self._flights.get(request.id) is flight:
                self._leave(flight)

    def _leave(self, flight: _Flight) -> None:
        """Cancels a request that nobody reads any more. Its id is free; what is still said of it goes nowhere."""
        request_id = flight.request.id
        del self._flights[request_id]
        flight.end()
        if self._connection is not None:
            self._left[request_id] += 1
            self._tell(Cancel(request_id))

    async def picture(self, request: Draw) -> Done:
        """The finished picture. Raises: what the request failed with."""
        async with aclosing(self.draw(request)) as events:
            async for event in events:
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Done):
                    return event
        raise AssertionError("the events ended without an answer")

    def cancel(self, request_id: str) -> None:
        """Ends a request, whose events then end with Failed; one that has ended is no error."""
        flight = self._flights.get(request_id)
        if flight is None:
            return
        if self._connection is None:
            self._finish(flight, _cancelled())
        else:
            flight.is_cancelled = True
            self._tell(Cancel(request_id))

    async def close(self, drain_within_s: float = 0.0) -> None:
        """Ends the engine: first lets it finish what it was given for so long. What is unfinished then fails."""
        if drain_within_s and self._process is not None and self._keeping is not None:
            self._is_closing = True
            self._tell(Drain())
            await asyncio.wait([self._keeping], timeout=drain_within_s)
        self._is_closing = True
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        await self._end_process()
        self._fail_all(EngineError("the engine was ended", "start it again"))
        self._context.term()

    def _begin(self, request: Draw) -> _Flight:
        check_draw(request)
        if request.id in self._flights:
            raise EngineError(f"the request {request.id!r} is being drawn already", "give each its own id")
        loop, patience = asyncio.get_running_loop(), request.begin_within_s
        begin_by = None if patience is None else loop.time() + patience
        flight = self._flights[request.id] = _Flight(request, begin_by)
        if begin_by is not None:
            flight.expiring = loop.call_at(begin_by, self._expire, flight)
        if self._down is not None or self._is_closing:
            self._finish(flight, self._down or EngineError("the engine is about to end", "start another"))
        elif self._connection is not None:
            self._send_draw(flight)
        return flight

    def _send_draw(self, flight: _Flight) -> None:
        request = flight.request
        if flight.begin_by is not None:
            left = max(flight.begin_by - asyncio.get_running_loop().time(), 0.0)
            request = msgspec.structs.replace(request, begin_within_s=left)
        flight.num_runs += 1
        self._tell(request)

    def _expire(self, flight: _Flight) -> None:
        """Fails a request whose time is up, where no engine is there to do so."""
        if self._connection is None and self._flights.get(flight.request.id) is flight:
            self._finish(
                flight, DeadlineError("the engine was not there in time", "send it again, or give more time")
            )

    def _tell(self, message: Message) -> None:
        """Sends; to an engine that is not there, nothing. What it does not get is settled when it is found dead."""
        if self._connection is not None:
            self._connection.tell(message)

    def _finish(self, flight: _Flight, error: SealsmithError) -> None:
        self._deliver(failure(flight.request.id, error))

    def _deliver(self, event: Event) -> None:
        flight = self._flights.get(event.id)
        if flight is not None:
            flight.put(event)
            if is_last(event):
                flight.end()
                del self._flights[event.id]

    def _fail_all(self, error: SealsmithError) -> None:
        for flight in list(self._flights.values()):
            self._finish(flight, error)

    async def _keep_up(self) -> None:
        """Listens, and starts the next engine when one has died, until it is closed."""
        while True:
            assert self._connection is not None
            is_drained = await self._connection.listen(self._hear)
            if self._is_closing or self._is_ending:
                self._fail_all(EngineError("the engine was ended", "start it again"))
                return
            status = await self._end_process()
            if is_drained:
                log.warning("the engine was told to end, by none of us; starting another")
            else:
                log.warning("the engine died with status %s; starting another", status)
            self._settle()
            await self._start_again()

    async def _start_again(self) -> None:
        for num_failed, pause_s in enumerate(pauses_s(), start=1):
            try:
                await self._launch_one()
                break
            except SealsmithError as error:
                await self._end_process()
                log.error("the engine does not start: %s", error)
                if num_failed >= MAX_FAILED_STARTS:
                    self._down = EngineError(
                        f"the engine does not start: {error}", error.remedy or "see its log"
                    )
                    self._fail_all(self._down)
            await asyncio.sleep(pause_s)
        self._down = None
        for flight in list(self._flights.values()):
            self._send_draw(flight)

    def _settle(self) -> None:
        """What becomes of the requests of an engine that has died."""
        for flight in list(self._flights.values()):
            if flight.is_cancelled:
                self._finish(flight, _cancelled())
                continue
            if flight.has_begun:
                when = "while it drew this picture"
            elif flight.num_runs >= MAX_RUNS:
                when = f"{flight.num_runs} times before it came to this picture"
            else:
                continue
            self._finish(flight, EngineError(f"the engine died {when}", "send the request again"))

    async def _launch_one(self) -> None:
        """A new process, greeted. Raises: as `EngineProcess.start` and `Connection.open`."""
        self._process = await EngineProcess.start(self._launch)
        self.num_starts += 1
        self._connection = await Connection.open(self._context, self._process, self._max_silence_s)
        self.welcome = self._connection.welcome

    def _hear(self, message: Message) -> None:
        """Takes one message of the engine: an event goes to whoever draws that picture."""
        if isinstance(message, Pong):
            self._gauges = message.gauges
            self._counted.set()
            self._counted = asyncio.Event()
        if isinstance(message, Event) and not self._is_of_one_left(message):
            self._deliver(message)

    def _is_of_one_left(self, event: Event) -> bool:
        """Whether it is said of a request that was left before its end, not of a later one with its id."""
        if event.id not in self._left:
            return False
        if is_last(event):
            self._left[event.id] -= 1
            if not self._left[event.id]:
                del self._left[event.id]
        return True

    async def _end_process(self) -> int | None:
        self._left.clear()
        self._gauges = {}
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        process, self._process = self._process, None
        if process is None:
            return None
        await process.kill()
        return await process.wait()


def _cancelled() -> Cancelled:
    return Cancelled("the request was cancelled")
