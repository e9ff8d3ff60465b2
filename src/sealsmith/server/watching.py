"""Watching many things for many listeners: one question a while for all of them, however many listen.

    with watch.of(job) as watched:
        while not watched.is_gone:
            news = watched.news
            ...  # tell what watched.value says
            await news.wait()

A watch asks for as long as anybody listens: it begins with the first and ends with the last. Not for: what is
asked, which is its `look`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

Look = Callable[[Mapping[K, V | None]], Awaitable[Mapping[K, V]]]
"""What has become of things, by what was known of each, None at first; what is left out is gone."""


@dataclass(eq=False)
class Watched(Generic[V]):
    """One thing, as all who listen to it see it. Changed by its watch alone."""

    value: V | None = None
    """None: it was not looked at yet."""
    is_gone: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the value is another or it is gone; then there is another one to wait for."""
    num_listeners: int = 0
    _waits: set[asyncio.Timeout] = field(default_factory=set)
    """Of those who wait for something else, until it is gone."""

    async def unless_gone(self, coming: Awaitable[T]) -> T | None:
        """What is awaited, in this task; None when the thing is gone before, which cancels what was awaited."""
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                found = await coming
        except TimeoutError:
            if not wait.expired():
                raise
        finally:
            self._waits.discard(wait)
        return None if self.is_gone else found

    def tell(self, value: V | None) -> None:
        """What was found, None where it is gone; wakes those who listen, where that is news."""
        if value is None or value != self.value:
            self.value, self.is_gone = value, value is None
            self.news.set()
            self.news = asyncio.Event()
        if self.is_gone:
            while self._waits:
                self._waits.pop().reschedule(0)


class Watch(Generic[K, V]):
    """Looks after things of one kind. Belongs to one event loop."""

    def __init__(self, look: "Look[K, V]", every_s: float):
        """`look`: is handed everything that is listened to. What it raises ends all that is listened to."""
        self._look, self._every_s = look, every_s
        self._watched: dict[K, Watched[V]] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is asked: whether anybody listens."""
        return self._looking is not None

    @contextmanager
    def of(self, key: K) -> Iterator[Watched[V]]:
        """The thing of this key, looked after within the context."""
        watched = self._watched.setdefault(key, Watched())
        watched.num_listeners += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            yield watched
        finally:
            watched.num_listeners -= 1
            if not watched.num_listeners and self._watched.get(key) is watched:
                del self._watched[key]
            if not self._watched and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _keep_looking(self) -> None:
        try:
            while True:
                await self._look_once()
                await asyncio.sleep(self._every_s)
        except Exception:  # of which nobody can say anything any more is gone: better than to go on unwatched
            for watched in self._watched.values():
                watched.tell(None)
            self._watched.clear()
            self._looking = None
            raise

    async def _look_once(self) -> None:
        known = dict(self._watched)
        found = await self._look({key: watched.value for key, watched in known.items()})
        for key, watched in known.items():
            watched.tell(found.get(key))
            if watched.is_gone and self._watched.get(key) is watched:
                del self._watched[key]  # who comes now asks anew
