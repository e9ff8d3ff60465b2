"""Customers who order pictures over HTTP and take them, and the same pictures asked of an engine without HTTP.

A customer places an order, listens to its events to the end, fetches the picture and forgets the order.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from ..engine.client import EngineClient
from ..engine.messages import Draw, SealAt
from ..errors import DrawingError
from .http_server import Stage, Tenant

PATIENCE_S = 600.0
SCENES = ("a red wax seal on wood", "a gold coin on sand", "a blue ink stamp on paper", "a mark on leather")


@dataclass(frozen=True)
class Wanted:
    """One picture."""

    tenant: Tenant
    seal: int
    """Number among the tenant's."""
    prompt: str
    seed: int
    num_steps: int | None
    """None: as the base has it."""

    @property
    def body(self) -> dict[str, Any]:
        """As `POST /v1/images` takes it."""
        steps = {} if self.num_steps is None else {"steps": self.num_steps}
        return {"prompt": f"{self.prompt} <lora:mark-{self.seal}:1>", "seed": self.seed, **steps}

    def draw(self, name: str) -> Draw:
        """As the engine takes it."""
        seals = (SealAt(self.tenant.seals[self.seal]),)
        return Draw(name, self.prompt, self.tenant.id, seals=seals, seed=self.seed, num_steps=self.num_steps)


def wanted_of(stage: Stage, num_steps: int | None, first: int = 0) -> "itertools.chain[Wanted]":
    """Pictures without end, of all tenants in turn, with all their seals."""
    return itertools.chain.from_iterable(
        (_wanted(stage, number, num_steps),) for number in itertools.count(first)
    )


@asynccontextmanager
async def customers(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of them all."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as client:
        yield client


async def ordered(client: httpx2.AsyncClient, wanted: Wanted) -> bytes:
    """The PNG, in the customer's way. Raises: DrawingError."""
    headers = {"authorization": f"Bearer {wanted.tenant.key}"}
    placed = await client.post("/v1/images", json=wanted.body, headers=headers)
    check(placed, 202)
    url = placed.headers["location"]
    async with client.stream("GET", f"{url}/events", headers=headers) as events:
        check(events, 200)
        async for _ in events.aiter_raw():
            pass
    picture = await client.get(f"{url}/pictures/0", headers=headers)
    check(picture, 200)
    check(await client.delete(url, headers=headers), 204)
    return picture.content


def check(answer: httpx2.Response, status: int) -> None:
    """Raises: DrawingError for an answer of another status."""
    if answer.status_code != status:
        what = answer.text[:300] if answer.is_closed else "see the server's log"
        raise DrawingError(f"the service answered {answer.status_code} instead of {status}: {what}")


async def round_over_http(client: httpx2.AsyncClient, asked: Sequence[Wanted], num_customers: int) -> float:
    """Seconds until so many customers, each with one order at a time, have had all these pictures."""
    return await _timed(keep_ordering(client, iter(asked), num_customers))


async def round_by_engine(
    engine: EngineClient, asked: Sequence[Wanted], num_customers: int, name: str
) -> float:
    """The same of an engine without HTTP."""

    async def drawn(index: int, wanted: Wanted) -> None:
        await engine.picture(wanted.draw(f"{name}-{index}"))

    coming = (drawn(index, wanted) for index, wanted in enumerate(asked))
    return await _timed(_in_turn(coming, num_customers))


async def keep_ordering(client: httpx2.AsyncClient, coming: Iterator[Wanted], num_customers: int) -> int:
    """So many customers at once, each ordering again when it has its picture; how many were drawn."""
    return await _in_turn((ordered(client, wanted) for wanted in coming), num_customers)


async def _in_turn(works: Iterator[Awaitable[Any]], num_at_once: int) -> int:
    """Does all of them, at most so many at once; how many there were."""
    num_done = 0

    async def worker() -> None:
        nonlocal num_done
        for work in works:
            await work
            num_done += 1

    await asyncio.gather(*(worker() for _ in range(num_at_once)))
    return num_done


async def _timed(work: Awaitable[Any]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began


def _wanted(stage: Stage, number: int, num_steps: int | None) -> Wanted:
    tenant = stage.tenants[number % len(stage.tenants)]
    turn = number // len(stage.tenants)
    return Wanted(tenant, turn % len(tenant.seals), SCENES[number % len(SCENES)], number, num_steps)
