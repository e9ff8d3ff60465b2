"""Whether every picture is its owner's, while seals are loaded, evicted, shared, taken back, removed and brought.

Tenants have seals that others ask for too. Each seal's picture is first drawn alone, for its owner. Then all
ask at random, in a deterministic service whose engine has room for few seals, while grants come and go and owners
remove their seals and bring them again. What an answer must be is known from what held from before the request to
after it: allowed throughout, the owner's bytes; never, no such seal; else it was asked while that changed, and must
be one of the two.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from ..adapters import dump_seal
from ..bases import Base, open_base
from ..catalog import Catalog, SealFacts, open_catalog
from ..catalog.places import places
from ..server.app import create_app
from ..server.catalog_service import catalog_service
from ..server.drawing_service import EngineSettings
from ..server.listening import listening
from .http_server import Tenant, set_stage
from .made_seals import made_seal

PROMPT = "a red wax seal on wood"
REMOVALS = 0.2
"""Share of changes that remove a seal; what is gone comes back with the next one."""
TARGETS = ("attention", "feed-forward")
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Storm:
    """How much of it."""

    num_requests: int = 2000
    num_tenants: int = 8
    seals_each: int = 3
    num_at_once: int = 16
    num_steps: tuple[int, ...] = (1, 2, 3)
    change_every: int = 8
    """Requests for one change of who may use what, or of what is there."""
    resident: int = 3
    """So many seals fit into the engine's pool, and into its memory."""
    seed: int = 0


@dataclass
class Isolation:
    """What was found."""

    num_tenants: int = 0
    num_seals: int = 0
    num_resident: int = 0
    """So many of them fit into the engine."""
    num_requests: int = 0
    num_equal: int = 0
    num_refused: int = 0
    num_either: int = 0
    """Requests while what they asked for changed: drawn, to the owner's bytes, or refused."""
    num_changes: int = 0
    wrong: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class Truth:
    """Who may use a seal now, and how often that has begun or ceased to be so."""

    owner: int
    data: bytes
    record: SealFacts
    digest: str
    is_there: bool = True
    granted: set[int] = field(default_factory=set)
    num_changes: int = 0
    num_changing: int = 0
    """Changes under way."""

    def allows(self, tenant: int) -> bool:
        return self.is_there and (tenant == self.owner or tenant in self.granted)


async def isolation(folder: Path, base: str, storm: Storm, say: Callable[[str], None]) -> Isolation:
    """All requests of a storm. Raises: what keeps the service from starting."""
    opened = open_base(base)
    stage = set_stage(folder, opened, storm.num_tenants, 0)
    where = places(folder)
    with open_catalog(where.database, where.store) as catalog:
        owners = [*range(storm.num_tenants)] * storm.seals_each
        seals = [_seal(catalog, opened, stage.tenants, owner, number) for number, owner in enumerate(owners)]
        largest = max(len(truth.data) for truth in seals)
        room = {"pool_bytes": storm.resident * largest, "max_rows": 8, "max_underway_rows": 8}
        settings = EngineSettings(
            base, deterministic=True, engine=room, memory_bytes=storm.resident * largest
        )
        async with (
            _listening(settings, catalog, where.store) as url,
            httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S) as client,
        ):
            run = _Run(client, catalog, stage.tenants, seals, storm, say)
            await run.draw_alone()
            await run.share_some()
            await run.storm()
        return run.found


class _Run:
    """One storm."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        catalog: Catalog,
        tenants: tuple[Tenant, ...],
        seals: list[Truth],
        storm: Storm,
        say: Callable[[str], None],
    ):
        self.found = Isolation(len(tenants), len(seals), storm.resident)
        self._client, self._catalog, self._tenants, self._seals = client, catalog, tenants, seals
        self._storm, self._say = storm, say
        self._chance = random.Random(storm.seed)
        self._alone: dict[tuple[int, int], bytes] = {}
        """The owner's picture, by seal and steps."""

    async def draw_alone(self) -> None:
        """Each seal's pictures, one after the other, with nothing else to do."""
        for number, truth in enumerate(self._seals):
            for steps in self._storm.num_steps:
                status, picture = await self._ask(truth.owner, number, steps)
                assert status == "done", status
                self._alone[number, steps] = picture

    async def share_some(self) -> None:
        """Every seal with half of the others, so that there is something to take back."""
        for truth in self._seals:
            others = [each for each in range(len(self._tenants)) if each != truth.owner]
            for other in self._chance.sample(others, len(others) // 2):
                await self._granting(truth, other)

    async def storm(self) -> None:
        """All requests, so many at once."""
        left = iter(range(self._storm.num_requests))

        async def asker() -> None:
            for number in left:
                if number % self._storm.change_every == 0:
                    await self._change(self._chance.choice(self._seals))
                await self._request()
                if number % 500 == 499:
                    self._say(f"isolation: {number + 1} of {self._storm.num_requests} requests")

        await asyncio.gather(*(asker() for _ in range(self._storm.num_at_once)))

    async def _request(self) -> None:
        chance, found = self._chance, self.found
        tenant, number = chance.randrange(len(self._tenants)), chance.randrange(len(self._seals))
        steps, truth = chance.choice(self._storm.num_steps), self._seals[number]
        before, was_allowed = truth.num_changes, truth.allows(tenant)
        was_changing = truth.num_changing > 0
        status, picture = await self._ask(tenant, number, steps)
        is_settled = before == truth.num_changes and not was_changing
        is_equal = status == "done" and picture == self._alone[number, steps]
        is_refused = status == "seal-missing"
        found.num_requests += 1
        if is_settled and (is_equal if was_allowed else is_refused):
            found.num_equal += is_equal
            found.num_refused += is_refused
        elif not is_settled and (is_equal or is_refused):
            found.num_either += 1
        else:
            held = "changing" if not is_settled else "allowed" if was_allowed else "not allowed"
            found.wrong.append(f"tenant {tenant}, seal of {truth.owner}, {held}: {status}, equal: {is_equal}")

    async def _ask(self, tenant: int, number: int, steps: int) -> tuple[str, bytes]:
        """What became of it, "done" or an error's code; and the picture."""
        headers = {"authorization": f"Bearer {self._tenants[tenant].key}"}
        digest = self._seals[number].digest
        wish = {"prompt": PROMPT, "seals": [{"name": digest}], "seed": number, "steps": steps}
        placed = await self._client.post("/v1/images", json=wish, headers=headers)
        if placed.status_code != 202:
            return str(placed.json()["error"]["code"]), b""
        url = placed.headers["location"]
        await self._client.get(f"{url}/events", headers=headers)
        picture = (await self._client.get(url, headers=headers)).json()["pictures"][0]
        if picture["state"] != "done":
            return str(picture["error"]["code"]), b""
        data = (await self._client.get(f"{url}/pictures/0", headers=headers)).content
        await self._client.delete(url, headers=headers)
        return "done", data

    async def _change(self, truth: Truth) -> None:
        """One grant, one taken back, or the seal removed or brought again; one at a time for each seal."""
        if truth.num_changing:
            return
        other = self._chance.choice([each for each in range(len(self._tenants)) if each != truth.owner])
        change = self._removal if self._chance.random() < REMOVALS or not truth.is_there else self._granting
        truth.num_changing += 1
        truth.num_changes += 1
        try:
            await change(truth, other)
            self.found.num_changes += 1
        finally:
            truth.num_changing -= 1
            truth.num_changes += 1

    async def _granting(self, truth: Truth, other: int) -> None:
        owner, guest = self._tenants[truth.owner].id, self._tenants[other].id
        is_taken_back = other in truth.granted
        act = self._catalog.seals.ungrant if is_taken_back else self._catalog.seals.grant
        await asyncio.to_thread(act, owner, truth.digest, truth.record.base_digest, guest)
        (truth.granted.discard if is_taken_back else truth.granted.add)(other)

    async def _removal(self, truth: Truth, other: int) -> None:
        owner = self._tenants[truth.owner].id
        if truth.is_there:
            await asyncio.to_thread(self._catalog.seals.delete, owner, truth.digest, truth.record.base_digest)
            truth.granted.clear()
        else:
            await asyncio.to_thread(self._catalog.seals.add, owner, truth.data, truth.record)
        truth.is_there = not truth.is_there


def _seal(catalog: Catalog, base: Base, tenants: tuple[Tenant, ...], owner: int, number: int) -> Truth:
    data = dump_seal(made_seal(base, 8, base.family.targets(TARGETS), number))
    facts = SealFacts(f"mark-{number}", base.digest, base.family.name, base=base.name)
    record = catalog.seals.add(tenants[owner].id, data, facts)
    return Truth(owner, data, facts, record.digest)


@asynccontextmanager
async def _listening(settings: EngineSettings, catalog: Catalog, store: str) -> AsyncIterator[str]:
    """The address of a service on a catalog, in this process."""
    async with (
        catalog_service(settings, catalog, store) as service,
        listening(create_app(service), "127.0.0.1", 0) as listener,
    ):
        yield f"http://127.0.0.1:{listener.port}"
