"""Work that so many at once share: each takes the next piece when it has done with one. Knows no pictures."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")


async def in_turn(coming: Iterator[_T], takers: Iterable[Callable[[_T], Awaitable[Any]]]) -> int:
    """Whoever is free takes the next one, until there are no more; how many there were."""

    async def work(take: Callable[[_T], Awaitable[Any]]) -> int:
        num_done = 0
        for each in coming:
            await take(each)
            num_done += 1
        return num_done

    return sum(await asyncio.gather(*map(work, takers)))


async def timed(work: Awaitable[Any]) -> float:
    """Seconds until it is done."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began
