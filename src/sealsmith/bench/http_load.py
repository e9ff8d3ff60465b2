"""Customers who order pictures over HTTP and take them, and the same pictures asked of an engine without HTTP.

A customer takes the picture in the answer to their order; or places the order, listens to its events to the end,
fetches the picture and forgets the order.
"""

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..engine.messages import Draw, SealAt
from ..errors import DrawingError
from ..server.limits import STEP_PAUSE_S
from .http_caller import Answer, Caller
from .http_server import Stage, Tenant
from .rounds import in_turn, timed

SCENES = ("a red wax seal on wood", "a gold coin on sand", "a blue ink stamp on paper", "a mark on leather")
SPREAD = 2
"""Steps that a picture may have more or fewer than the average."""


@dataclass(frozen=True)
class Wanted:
    """One picture."""

    tenant: Tenant
    seal: int
    """Number among the tenant's."""
    prompt: str
    seed: int
    num_steps: int

    @property
    def body(self) -> dict[str, Any]:
        """As `POST /v1/images` takes it."""
        tag = f" <lora:mark-{self.seal}:1>"
        return {"prompt": self.prompt + tag, "seed": self.seed, "steps": self.num_steps}

    def draw(self, name: str) -> Draw:
        """As the engine takes it, and as the service asks for it."""
        return Draw(
            name,
            self.prompt,
            self.tenant.id,
            seals=(SealAt(self.tenant.seals[self.seal]),),
            seed=self.seed,
            num_steps=self.num_steps,
            step_pause_s=STEP_PAUSE_S,
        )


@dataclass(frozen=True)
class Orders:
    """What is ordered: by all tenants in turn, with all their seals."""

    stage: Stage
    num_steps: int
    """Of a picture, on average: `steps_of` has them end one by one, whoever they began with."""

    @property
    def further(self) -> "Orders":
        """Those of the others alone."""
        return replace(self, stage=self.stage.further)

    def starting(self, first: int = 0) -> Iterator[Wanted]:
        """Without end, from a certain one on."""
        return map(self._wanted, itertools.count(first))

    def _wanted(self, number: int) -> Wanted:
        tenant = self.stage.tenants[number % len(self.stage.tenants)]
        turn = number // len(self.stage.tenants)
        scene = SCENES[number % len(SCENES)]
        return Wanted(tenant, turn % len(tenant.seals), scene, number, steps_of(number, self.num_steps))


def steps_of(number: int, average: int) -> int:
    """Of the order of this number."""
    return max(1, average + number % (2 * SPREAD + 1) - SPREAD)


Way = Callable[[Caller, Wanted], Awaitable[bytes]]
"""How a customer comes to a PNG."""


async def answered(caller: Caller, wanted: Wanted) -> bytes:
    """The PNG in the answer to its order. Raises: DrawingError; OSError and EOFError when the connection breaks."""
    body = json.dumps(wanted.body).encode()
    return (await _asked(caller, 200, "POST", "/v1/images", wanted.tenant.key, body, "image/png")).body


async def ordered(caller: Caller, wanted: Wanted) -> bytes:
    """The PNG of an order that was followed to its end. Raises: as `answered`."""
    key = wanted.tenant.key
    placed = await _asked(caller, 202, "POST", "/v1/images", key, json.dumps(wanted.body).encode())
    url = placed.headers["location"]
    await _asked(caller, 200, "GET", f"{url}/events", key)
    picture = await _asked(caller, 200, "GET", f"{url}/pictures/0", key)
    await _asked(caller, 204, "DELETE", url, key)
    return picture.body


async def _asked(
    caller: Caller, status: int, method: str, path: str, key: str, body: bytes = b"", accept: str = "*/*"
) -> Answer:
    """Raises: DrawingError for an answer of another status."""
    answer = await caller.ask(method, path, key, body, accept)
    if answer.status != status:
        said = answer.body[:300].decode(errors="replace")
        raise DrawingError(f"the service answered {answer.status} instead of {status}: {said}")
    return answer


async def round_over_http(url: str, asked: Sequence[Wanted], num_customers: int, way: Way) -> float:
    """Seconds until so many customers, each with one order at a time, have had all these pictures."""
    return await timed(keep_ordering(url, iter(asked), num_customers, way))


async def keep_ordering(url: str, coming: Iterator[Wanted], num_customers: int, way: Way = ordered) -> int:
    """So many customers at once, each ordering again when it has its picture; how many were drawn."""
    async with AsyncExitStack() as opened:
        callers = [await opened.enter_async_context(Caller(url)) for _ in range(num_customers)]
        return await in_turn(coming, [partial(way, caller) for caller in callers])
