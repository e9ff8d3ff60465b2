"""Our engine as a server of the benchmark: the step loop in this process, its seals from files by the exchange.

Not for: the engine's own process, whose messages cost extra (engine_scale.py).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from ..bases import Base
from ..engine.exchange import Exchange
from ..engine.fitted import FittedSeal, SealSource
from ..engine.preparing import preparing
from ..engine.request import Done, Failed, Order
from ..engine.settings import EngineSettings
from ..engine.store import SealStore, open_store
from ..generate import Picture, Request
from .local_engine import LocalEngine
from .serving import Finished
from .shelf import Shelf
from .workload import Wish

LONGEST_WAIT_S = 60.0

RequestOf = Callable[[Wish], Request]
KeysOf = Callable[[Wish], tuple[str, ...]]
"""The content hashes of the seals a wish is drawn with."""


class EngineServer:
    """An engine with nothing in its pool, until `close`. It keeps the pictures as it drew them."""

    def __init__(
        self,
        base: Base,
        source: SealSource,
        settings: EngineSettings,
        request_of: RequestOf,
        keys_of: KeysOf,
    ):
        self._local = LocalEngine(base, source, settings, LONGEST_WAIT_S)
        self._request_of, self._keys_of = request_of, keys_of
        self.drawn: dict[str, Picture] = {}

    def submit(self, wish: Wish) -> None:
        seals = tuple((key, 1.0) for key in self._keys_of(wish))
        self._local.engine.submit(Order(wish.id, self._request_of(wish), seals))

    @property
    def is_idle(self) -> bool:
        return self._local.engine.is_idle

    def turn(self) -> Sequence[Finished]:
        """One pass, or waiting for a seal where there is nothing else to do. Raises: why a picture failed."""
        finished = []
        for event in self._local.turn():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                self.drawn[event.order_id] = event.picture
                finished.append((event.order_id, event.picture.image))
        return finished

    def close(self) -> None:
        self._local.engine.close()


@contextmanager
def exchange_of(base: Base, shelf: Shelf, memory_bytes: int) -> Iterator["Exchange[FittedSeal]"]:
    """The exchange for a shelf's seals, with so much memory, and no copies on the disk it lies on anyway."""
    exchange = Exchange(SealStore(open_store(shelf.folder.as_uri())), preparing(base), memory_bytes)
    try:
        yield exchange
    finally:
        exchange.close()


def bring(source: SealSource, keys: Sequence[str]) -> None:
    """Has these seals come into memory, one after the other; the last ones stay. Raises: why one does not come."""
    for key in keys:
        future: Future[FittedSeal] = source.acquire(key)
        try:
            future.result()
        finally:
            source.release(key)
