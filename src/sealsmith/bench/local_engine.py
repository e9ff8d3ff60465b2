"""An engine in this process, as `engine/core.py` puts one together in its own, less the socket."""

import threading
import time
from collections.abc import Callable

from ..bases import Base
from ..engine.allocation import keep_freed_memory
from ..engine.core import Waking
from ..engine.fitted import SealSource
from ..engine.loop import Engine
from ..engine.request import Event
from ..engine.settings import EngineSettings


class LocalEngine:
    """One step loop that is turned by its caller; the caller closes `engine`."""

    def __init__(
        self,
        base: Base,
        source: SealSource,
        settings: EngineSettings,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`patience_s`: how long a turn without a picture waits for a seal; a deadline may be noticed so late.

        `clock`: the engine's and its queue's; what deadlines and arrivals are compared by.
        """
        keep_freed_memory()
        self._news = threading.Event()
        self._patience_s = patience_s
        self.engine = Engine(base, Waking(source, self._news.set), settings, clock=clock)

    def turn(self) -> list[Event]:
        """What happened in one turn. While all that is here waits for seals, one of them is waited for."""
        self._news.clear()
        if not self.engine.step() and not self.engine.is_idle:
            self._news.wait(self._patience_s)
        return self.engine.events()
