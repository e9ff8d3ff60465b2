"""An engine with real seal files behind it, in this process, where its floats, its pool and its clock can be seen.

What the engine's own process puts together (`engine/core.py`) is the same, less the socket: the step loop, the fair
queue, the exchange and a folder as the store.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..bases import Base
from ..engine.core import Waking
from ..engine.disk_cache import DiskCache
from ..engine.exchange import Exchange
from ..engine.fitted import FittedSeal
from ..engine.loop import Engine
from ..engine.preparing import preparing
from ..engine.queue import FairQueue
from ..engine.request import Event
from ..engine.settings import EngineSettings
from ..engine.store import SealStore, open_store

LATE_S = 0.05
"""How long a turn without a picture waits for a seal; so late an order may notice that its deadline is over."""


class Rig:
    """One engine on one base; a context that ends both."""

    def __init__(
        self,
        base: Base,
        store: Path,
        settings: EngineSettings,
        memory_bytes: int,
        disk: DiskCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`clock`: the engine's and its queue's; what deadlines and arrivals are compared by."""
        self._news = threading.Event()
        self.exchange: Exchange[FittedSeal] = Exchange(
            SealStore(open_store(store.as_uri())), preparing(base), memory_bytes, disk
        )
        self.engine = Engine(base, Waking(self.exchange, self._news.set), settings, FairQueue(), clock)

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self.exchange.close()

    def turn(self) -> list[Event]:
        """What happened in one turn. While all that is here waits for seals, one of them is waited for."""
        self._news.clear()
        if not self.engine.step() and not self.engine.is_idle:
            self._news.wait(LATE_S)
        return self.engine.events()

    def finish(self) -> list[Event]:
        """What happens until nothing is left to be done."""
        events: list[Event] = []
        while not self.engine.is_idle:
            events += self.turn()
        return events

    def check_at_rest(self) -> None:
        """Proves, with nothing to do, that no page was lost or given twice, and that everything was given back.

        Raises: AssertionError.
        """
        assert self.engine.is_idle, "an order is still here"
        self.engine.step()  # the first turn without work lets go of the last pass's seals
        self.engine.check_integrity()
        self.exchange.check_integrity()
        pinned = [lease.key[:12] for lease in self.engine.pool.resident() if lease.pins]
        assert not pinned, f"nobody draws, and seals are pinned in the pool: {', '.join(pinned)}"
        assert not self.exchange.pinned_bytes, (
            f"{self.exchange.pinned_bytes} bytes of seals were not released"
        )
