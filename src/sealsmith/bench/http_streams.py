"""A thousand people, each of whom has ordered a picture and listens to it, while the pictures are drawn.

Who has theirs orders again, so that so many streams stay open.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any

from .http_caller import Caller
from .http_server import Tenant

AT_ONCE = 32
"""Requests that open streams at the same time: it is about streams that are open."""
OPEN_WITHIN_S = 300.0
MARGIN = 1.05
"""Listeners for one stream that is wanted: who has a picture is not there until they have ordered again."""


@dataclass
class Streams:
    """What was found while they were held."""

    num_wanted: int = 0
    num_open: int = 0
    """Now."""
    most_open: int = 0
    fewest_open: int = 0
    """From the moment when so many were to the end."""
    num_events: int = 0
    num_ended: int = 0
    """Streams that came to their picture's end, and were followed by another."""
    num_broken: int = 0
    """Those that ended without."""


class Audience:
    """Everybody who listens."""

    def __init__(self, url: str, num_wanted: int):
        self.found = Streams(num_wanted)
        self._url = url
        self._door = asyncio.Semaphore(AT_ONCE)
        self._is_full = asyncio.Event()
        self._is_over = False

    async def hold(
        self, listeners: Sequence["Listener"], hold_s: float, watched: AbstractAsyncContextManager[object]
    ) -> Streams:
        """Has as many listen as are wanted, and then for so long; where it does not come to that, it ends.

        `watched` is entered when all listen; the time begins when it has been.
        """
        tasks = [asyncio.create_task(self._listen(listener)) for listener in listeners]
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_full.wait(), OPEN_WITHIN_S)
            if self._is_full.is_set():
                async with watched:
                    self.found.fewest_open, self.found.num_events = self.found.num_open, 0
                    await asyncio.sleep(hold_s)
        finally:
            self._is_over = True  # what closes now was held
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.found

    async def _listen(self, listener: "Listener") -> None:
        while True:
            async with Caller(self._url) as caller:
                async with self._door:
                    reader = await caller.send("GET", await listener.place(caller), listener.tenant.key)
                    status = await reader.readuntil(b"\r\n")
                self._count(1)
                try:
                    is_whole = b" 200 " in status and await self._to_the_end(reader)
                finally:
                    self._count(-1)
            self.found.num_ended += is_whole
            self.found.num_broken += not is_whole

    async def _to_the_end(self, reader: asyncio.StreamReader) -> bool:
        """Whether a stream said that it ends."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                line = await reader.readuntil(b"\n")
                self.found.num_events += line.startswith(b"event: ")
                if line.startswith(b"event: end"):
                    return True
        return False

    def _count(self, change: int) -> None:
        found = self.found
        if self._is_over:
            return
        found.num_open += change
        found.most_open = max(found.most_open, found.num_open)
        if found.num_open >= found.num_wanted:
            self._is_full.set()
        if self._is_full.is_set():
            found.fewest_open = min(found.fewest_open, found.num_open)


@dataclass(frozen=True)
class Listener:
    """One of them: of a picture that is ordered first, or of a training that is there."""

    tenant: Tenant
    body: dict[str, Any] | None = None
    training: str = ""

    async def place(self, caller: Caller) -> str:
        """The path of the events to listen to."""
        if self.body is None:
            return f"/v1/trainings/{self.training}/events"
        order = json.dumps(self.body).encode()
        answer = await caller.ask("POST", "/v1/images", self.tenant.key, order)
        assert answer.status == 202, answer.body[:500]
        return str(json.loads(answer.body)["events_url"])
