"""An engine with real seal files behind it, where its floats, its pool and its clock can be seen."""

import time
from collections.abc import Callable
from pathlib import Path

from ..bases import Base
from ..engine.disk_cache import DiskCache
from ..engine.exchange import Exchange
from ..engine.fitted import FittedSeal
from ..engine.preparing import preparing
from ..engine.request import Event
from ..engine.settings import EngineSettings
from ..engine.store import SealStore, open_store
from .local_engine import LocalEngine

LATE_S = 0.05


class Rig(LocalEngine):
    """One engine and its exchange, a folder as the store; a context that ends both."""

    def __init__(
        self,
        base: Base,
        store: Path,
        settings: EngineSettings,
        memory_bytes: int,
        disk: DiskCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.exchange: Exchange[FittedSeal] = Exchange(
            SealStore(open_store(store.as_uri())), preparing(base), memory_bytes, disk
        )
        super().__init__(base, self.exchange, settings, LATE_S, clock)

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self.exchange.close()

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
