"""What the number of registered seals and the engine's own process cost our engine. No peers.

    registered   is the pace over 2,000 seals that over 5, in memory or mostly not?
    process      the same burst by the engine's own process, through its client

Not for: a cold seal, or pages of the pool (soak_cold.py, soak_memory.py). Engines live as long as they are
measured: what they keep of seals and prompts, they keep.
"""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from ..bases import Base
from ..engine.client import EngineClient
from ..engine.fitted import SealSource
from ..engine.messages import Done, Draw, Failed, SealAt
from ..engine.supervisor import Launch
from .engine_arms import MEMORY_BYTES, Terms
from .engine_server import EngineServer, bring, exchange_of
from .memory import memory_rise
from .scale_figures import HERE, PROCESS, ScaleFigures
from .serving import Session
from .shelf import Shelf, write_shelf
from .taking_turns import alternate, taking_turns
from .workload import DISTINCT, EQUAL_RANKS, ZIPF, Wish, Workload, burst, wishes


@dataclass(frozen=True)
class ScalePlan:
    """How much of it."""

    registered: tuple[int, ...] = (5, 20, 200, 2000)
    groups: tuple[str, ...] = ("attention",)
    """Target groups of those seals' layers, few, so that thousands fit on a disk."""
    scarce_share: float = 0.1
    """What memory holds of the most registered seals, where it is short."""
    num_requests: int = 16
    """Of a burst."""
    repeats: int = 5
    num_weighed: int = 100
    """Seals whose memory is measured."""


@dataclass(frozen=True)
class Scale:
    """Our engine's costs on a base and on another copy of it, one part after the other."""

    word: str
    """What the base is opened by."""
    base: Base
    other: Base
    terms: Terms
    plan: ScalePlan

    def measure(self) -> ScaleFigures:
        with tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as folder:
            plan = self.plan
            shelf = write_shelf(
                Path(folder), self.base, range(max(plan.registered)), EQUAL_RANKS, plan.groups
            )
            memory_share = self._memory_share(shelf)
            paces = self._paces(shelf)
            files_bytes = shelf.file_bytes
            process_s = self._process_s(shelf)
        return ScaleFigures(paces, files_bytes, process_s, memory_share)

    def _memory_share(self, shelf: Shelf) -> float | None:
        """Peak of this process' memory while seals are brought into it, as a multiple of their tensors."""
        number = min(self.plan.num_weighed, len(shelf.digests))
        with exchange_of(self.base, shelf, MEMORY_BYTES) as exchange:
            bring(exchange, [shelf.digests[0]])
            with memory_rise() as rise:
                bring(exchange, [shelf.digests[other] for other in range(1, number)])
        tensor_bytes = sum(shelf.tensor_bytes[other] for other in range(1, number))
        return None if rise.mib is None or not tensor_bytes else rise.mib * 2**20 / tensor_bytes

    def _paces(self, shelf: Shelf) -> dict[str, tuple[float, ...]]:
        """Pictures a second over the first so many seals, all in memory; and over all with memory for a few."""
        plan, most = self.plan, len(shelf.digests)
        scarce_bytes = 0
        with exchange_of(self.base, shelf, MEMORY_BYTES) as plenty:
            bring(plenty, [*shelf.digests.values()])
            scarce_bytes = round(plenty.num_bytes * plan.scarce_share)
            with (
                self._serving(self.base, plenty, shelf) as rich,
                exchange_of(self.other, shelf, scarce_bytes) as scarce,
                self._serving(self.other, scarce, shelf) as poor,
            ):
                servers = {f"{number:,}, in memory": (rich, number) for number in plan.registered}
                servers[f"{most:,}, {plan.scarce_share:.0%} of them in memory"] = (poor, most)
                seeds = {name: itertools.count() for name in servers}
                runs = {
                    name: partial(self._pace, server, number, seeds[name])
                    for name, (server, number) in servers.items()
                }
                return taking_turns(runs, plan.repeats)

    def _pace(self, server: EngineServer, num_registered: int, seeds: Iterator[int]) -> float:
        """Of a burst that was not drawn before."""
        workload = Workload(ZIPF, num_registered, self.plan.num_requests)
        return _burst(server, wishes(workload, next(seeds)))

    def _process_s(self, shelf: Shelf) -> dict[str, tuple[float, ...]]:
        """Seconds of the same bursts here and in the engine's own process, both with what they kept."""
        number = min(self.plan.num_requests, len(shelf.digests))
        asked = wishes(Workload(DISTINCT, number, number))
        with (
            exchange_of(self.base, shelf, MEMORY_BYTES) as exchange,
            self._serving(self.base, exchange, shelf) as server,
            asyncio.Runner() as runner,
        ):
            threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
            launch = Launch("sealsmith.engine.core:open_core", self._config(shelf), threads)
            client = EngineClient(launch)
            runner.run(client.start())
            counter = itertools.count()
            try:
                return alternate(
                    {
                        HERE: lambda: _burst(server, asked),
                        PROCESS: lambda: runner.run(self._drawn(client, shelf, asked, next(counter))),
                    },
                    self.plan.repeats,
                )
            finally:
                runner.run(client.close())

    def _config(self, shelf: Shelf) -> dict[str, object]:
        """Of the engine's process: what the engine here has."""
        return {
            "base": self.word,
            "device": str(self.base.device),
            "store": shelf.folder.as_uri(),
            "memory_bytes": MEMORY_BYTES,
            "settings": asdict(self.terms.settings),
        }

    async def _drawn(self, client: EngineClient, shelf: Shelf, asked: Sequence[Wish], run: int) -> None:
        """A burst by the engine's process. Raises: why a picture failed."""

        async def draw(wish: Wish) -> None:
            request = self.terms.request(wish)
            seals = tuple(SealAt(key) for key in shelf.keys_of(wish))
            wanted = Draw(
                f"{run}-{wish.id}", wish.prompt, seals=seals, seed=wish.seed, num_steps=request.num_steps,
                guidance=request.guidance, use_trigger=request.use_trigger,
            )  # fmt: skip
            async for event in client.draw(wanted):
                if isinstance(event, Failed):
                    raise event.error
                assert not isinstance(event, Done) or event.picture.data

        await asyncio.gather(*map(draw, asked))

    @contextmanager
    def _serving(self, base: Base, source: SealSource, shelf: Shelf) -> Iterator[EngineServer]:
        server = EngineServer(base, source, self.terms.settings, self.terms.request, shelf.keys_of)
        try:
            yield server
        finally:
            server.close()


def _burst(server: EngineServer, asked: Sequence[Wish]) -> float:
    """Pictures a second of requests that come at once."""
    return Session(server, asked, burst(len(asked))).advance(len(asked)).images_per_s
