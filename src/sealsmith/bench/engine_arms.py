"""The arms of the engine's benchmark, ready to draw one workload.

Not for: their turns (engine_rounds.py), or what is measured of our engine alone (engine_scale.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..adapters import Fusion
from ..bases import Base
from ..engine.fitted import HeldSeals, SealSource
from ..engine.settings import EngineSettings
from ..generate import Picture, Request
from .engine_figures import CEILING, DETERMINISTIC, OURS
from .engine_server import EngineServer, bring, exchange_of
from .made_seals import made_seal
from .serving import Server, Session
from .shelf import Shelf, write_shelf
from .stock_servers import STOCK
from .workload import Wish, Workload, burst, seals_of, wishes

ARMS = (*STOCK, OURS, CEILING)
MEMORY_BYTES = 4 << 30
"""For seals in memory, where it is not to be short."""


@dataclass(frozen=True)
class Terms:
    """On what terms all arms draw."""

    num_steps: int
    guidance: float
    settings: EngineSettings

    @property
    def at_once(self) -> int:
        """Pictures of one batch."""
        return max(1, self.settings.max_rows // (2 if self.guidance > 1 else 1))

    def request(self, wish: Wish) -> Request:
        """The wish as the plain path and the engine take it."""
        return Request(
            wish.prompt, seed=wish.seed, num_steps=self.num_steps, guidance=self.guidance, use_trigger=False
        )


@dataclass(frozen=True)
class Arm:
    """One way to serve the requests."""

    name: str
    serve: Callable[[], Server]
    """A server with nothing to do."""

    def session(self, asked: Sequence[Wish], arrivals: Sequence[float] | None = None) -> Session:
        """The requests, served by this arm; without times all come at once."""
        return Session(self.serve(), asked, arrivals or burst(len(asked)))


@dataclass(frozen=True)
class Bench:
    """Everything that stands ready to draw one workload."""

    workload: Workload
    asked: tuple[Wish, ...]
    shelf: Shelf
    source: SealSource
    """Of our engine's seals, which are in memory."""
    terms: Terms
    arms: Mapping[str, Arm]
    engines: "Engines"


@contextmanager
def benched(
    workload: Workload, terms: Terms, ours: Base, ceiling: Base, folder: Path, names: Sequence[str] = ARMS
) -> Iterator[Bench]:
    """Arms that are ready, by name. `ceiling` is another copy of the base; it gets a seal into its weights.

    The seals that will be asked for are written into `folder`, those of them that stock arms keep ready are loaded,
    and all are in our engine's memory.
    """
    asked = wishes(workload)
    shelf = write_shelf(folder, ours, seals_of(asked), workload.ranks, workload.groups)
    with ExitStack() as stack:
        source = stack.enter_context(exchange_of(ours, shelf, MEMORY_BYTES))
        bring(source, [*shelf.digests.values()])
        if CEILING in names:
            targets = ceiling.family.targets(workload.groups)
            seal = made_seal(ceiling, workload.ranks[0], targets, seed=0)
            fusion = stack.enter_context(closing(Fusion(ceiling)))
            fusion.switch([(seal, 1.0)])
        engines = stack.enter_context(
            closing(Engines(terms))
        )  # ends before the ceiling's weights are restored
        exact = replace(terms.settings, deterministic=True)
        nothing = HeldSeals(ceiling, {})
        serve: dict[str, Callable[[], Server]] = {
            OURS: lambda: engines.start(OURS, ours, source, terms.settings, shelf.keys_of),
            DETERMINISTIC: lambda: engines.start(DETERMINISTIC, ours, source, exact, shelf.keys_of),
            CEILING: lambda: engines.start(CEILING, ceiling, nothing, terms.settings, lambda _: ()),
        }
        for name in names:
            if name in STOCK:
                server = STOCK[name](ours, shelf, asked, terms.at_once, terms.num_steps, terms.guidance)
                serve[name] = partial(_same, server)
        yield Bench(
            workload, asked, shelf, source, terms, {name: Arm(name, serve[name]) for name in names}, engines
        )


class Engines:
    """One engine at a time, always a new one: with nothing in its pool."""

    def __init__(self, terms: Terms):
        self._terms = terms
        self._running: EngineServer | None = None
        self.drawn: dict[str, Picture] = {}
        """What our engine drew last."""

    def start(
        self,
        name: str,
        base: Base,
        source: SealSource,
        settings: EngineSettings,
        keys_of: Callable[[Wish], tuple[str, ...]],
    ) -> EngineServer:
        self.close()
        server = EngineServer(base, source, settings, self._terms.request, keys_of)
        if name == OURS:
            self.drawn = server.drawn
        self._running = server
        return server

    def close(self) -> None:
        """Ends the running one: its copy of the base is as it was."""
        if self._running is not None:
            self._running.close()
        self._running = None


def _same(server: Server) -> Server:
    return server
