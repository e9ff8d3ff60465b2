"""Serving requests as they come, by anything that can serve some, and how long each waits.

Nobody sleeps: where a server has nothing to do, the clock is put to the next request's coming. Not for: servers
themselves (stock_servers.py, engine_server.py).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from .workload import Wish

Finished = tuple[str, Image.Image]
"""A request's id and its picture."""


class Server(Protocol):
    """Draws what was submitted, in an order of its own."""

    def submit(self, wish: Wish) -> None: ...

    def turn(self) -> Sequence[Finished]:
        """Does some of the work that is there, and says what is finished by it."""
        ...

    @property
    def is_idle(self) -> bool: ...


@dataclass(frozen=True)
class Stretch:
    """Some requests served in a row."""

    num_pictures: int
    seconds: float
    """That the server was at work."""

    @property
    def images_per_s(self) -> float:
        return self.num_pictures / self.seconds


class Session:
    """Requests coming to a server at their times, by a clock that runs only while `advance` does.

    So sessions of several servers can take turns, and each sees the time as if it were alone.
    """

    def __init__(self, server: Server, asked: Sequence[Wish], arrivals: Sequence[float]):
        self._server = server
        self._coming = list(zip(arrivals, asked, strict=True))
        self._arrived = {wish.id: at for at, wish in self._coming}
        self._now = 0.0
        self.latencies: dict[str, float] = {}
        """Seconds from each finished request's coming to its picture."""
        self.pictures: dict[str, Image.Image] = {}

    @property
    def is_over(self) -> bool:
        return len(self.latencies) == len(self._arrived)

    def advance(self, num_pictures: int) -> Stretch:
        """Goes on until so many more pictures are finished, or all are."""
        goal = min(len(self.latencies) + num_pictures, len(self._arrived))
        before, worked = len(self.latencies), 0.0
        while len(self.latencies) < goal:
            if self._server.is_idle and self._coming:
                self._now = max(self._now, self._coming[0][0])
            while self._coming and self._coming[0][0] <= self._now:
                self._server.submit(self._coming.pop(0)[1])
            started = time.perf_counter()
            finished = self._server.turn()
            took = time.perf_counter() - started
            self._now += took
            worked += took
            for id, picture in finished:
                self.latencies[id] = self._now - self._arrived[id]
                self.pictures[id] = picture
        return Stretch(len(self.latencies) - before, worked)
