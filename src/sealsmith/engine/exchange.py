"""Where the engine gets seals from: store -> disk -> memory, ahead of need and out of everyone's way.

    acquire -> in memory?  a finished future
               on its way? a future of the load that all who want it share
               else        disk, or store -> proved, and prepared meanwhile, in threads -> memory; then disk
    release -> it may go when room is needed, the least recently used first

What goes wrong with a seal is its own requests' matter: its futures fail, and the next who asks tries again. All
of it runs on a thread of its own; acquire and release return at once. Not for: what preparing is, which is handed
in, or which prepared seals lie in the pool (residents.py).
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..errors import BusyError, EngineError, SealFormatError, SealSizeError, SealsmithError, StoreError
from .disk_cache import DiskCache
from .ledger import Ledger
from .side_threads import compute_alone
from .store import SealStore

T = TypeVar("T")

Prepare = Callable[[str, bytearray], tuple[T, int]]
"""From a digest and the file's bytes, which it may keep: the seal made ready, and the bytes it takes in memory."""

FETCHES_AT_ONCE = 8
READS_AT_ONCE = 4
"""Files of the store and of the disk that are here beside the seals that are counted: each until its seal has its
place in memory, and a new one until it is on the disk, too."""
PREPARED_AT_ONCE = 2
"""Each holds a seal beside those that are counted."""
THREADS = 4
SAVES_AT_ONCE = 2
"""A disk that is slow to write leaves threads to what only has to be prepared."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Load(Generic[T]):
    """One seal on its way, and who waits for it."""

    waiting: list["Future[T]"] = field(default_factory=list)
    holders: int = 0
    task: "Future[None] | None" = None


@dataclass
class Counts:
    """How often each tier had what was wanted."""

    memory: int = 0
    shared: int = 0
    """Was on its way for another request."""
    disk: int = 0
    store: int = 0
    failed: int = 0


class Exchange(Generic[T]):
    """Prepared seals by the SHA-256 of their files. Any thread may acquire and release."""

    def __init__(
        self,
        store: SealStore,
        prepare: Prepare[T],
        memory_bytes: int,
        disk: DiskCache | None = None,
        fetch_within_s: float = 30.0,
        room_within_s: float = 30.0,
    ):
        """`memory_bytes`: of all that is prepared. `fetch_within_s`: what the store has for one seal.

        `room_within_s`: how long a seal waits when all the memory is taken by seals in use.
        """
        self._store, self._prepare, self._disk = store, prepare, disk
        self._fetch_within_s, self._room_within_s = fetch_within_s, room_within_s
        self._ledger = Ledger(memory_bytes)
        self._seals: dict[str, T] = {}
        self._loads: dict[str, _Load[T]] = {}
        self._unreleased: dict[str, int] = {}
        """Key -> how often it was acquired in vain and not released since."""
        self._lock = threading.Lock()
        self.counts = Counts()
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, "sealsmith-exchange", compute_alone))
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._reading = asyncio.Semaphore(READS_AT_ONCE)
        self._preparing = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._door = asyncio.Lock()
        self._has_room = asyncio.Event()
        self.is_short = False
        """Whether a seal that has come finds no room, because those that are held take all of it."""
        self._writing = asyncio.Semaphore(SAVES_AT_ONCE)
        self._saving: set[asyncio.Task[None]] = set()
        """Loads that have handed their seal over and are writing it to the disk, or wait to."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="sealsmith-exchange", daemon=True)
        self._thread.start()

    def acquire(self, key: str) -> "Future[T]":
        """The seal of that digest, now or later; it stays in memory until it is released as often.

        At once, and without raising: the future has the errors. A failed one is to be released, too.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # it cannot be cancelled; released is what is no longer wanted
        with self._lock:
            if self._is_closed:
                self._unreleased[key] = self._unreleased.get(key, 0) + 1
                future.set_exception(EngineError("the engine is ending", "start another"))
            elif key in self._seals:
                self._ledger.pin(key)
                self.counts.memory += 1
                future.set_result(self._seals[key])
            else:
                load = self._loads.get(key)
                if load is None:
                    load = self._loads[key] = _Load()
                    load.task = asyncio.run_coroutine_threadsafe(self._load(key, load), self._loop)
                else:
                    self.counts.shared += 1
                load.holders += 1
                load.waiting.append(future)
        return future

    def release(self, key: str) -> None:
        """Takes one `acquire` back; what nobody wants any more is not loaded. Raises: ValueError for one more."""
        unwanted: list[Future[T]] = []
        with self._lock:
            if self._unreleased.get(key):
                self._unreleased[key] -= 1
                if not self._unreleased[key]:
                    del self._unreleased[key]
            elif (load := self._loads.get(key)) is not None:
                load.holders -= 1
                if load.holders == 0:
                    del self._loads[key]
                    unwanted = load.waiting
                    if load.task is not None:
                        load.task.cancel()
            elif key in self._seals:
                self._ledger.unpin(key)
                if not self._is_closed:
                    self._loop.call_soon_threadsafe(self._has_room.set)
            else:
                raise ValueError(f"seal {key!r} was not acquired")
        for future in unwanted:
            future.set_exception(EngineError(f"seal {key[:12]} is no longer wanted", "ask for it again"))

    @asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[T]:
        """The seal, for as long as the block runs; for any event loop. Raises: what its load failed with."""
        future = self.acquire(key)
        try:
            yield await asyncio.wrap_future(future)
        finally:
            self.release(key)

    def check_integrity(self) -> None:
        """Proves that memory holds what the ledger says, within the limit, and the disk what its own says."""
        with self._lock:
            self._ledger.check_integrity()
            assert set(self._ledger.keys()) == self._seals.keys()
            assert not self._loads.keys() & self._seals.keys()
            assert all(0 < load.holders <= len(load.waiting) for load in self._loads.values())
            assert all(count > 0 for count in self._unreleased.values())
        if self._disk is not None:
            self._disk.check_integrity()

    @property
    def num_bytes(self) -> int:
        """What the prepared seals take."""
        return self._ledger.num_bytes

    @property
    def pinned_bytes(self) -> int:
        """What those of them take that somebody acquired and has not released."""
        return self._ledger.pinned_bytes

    @property
    def gauges(self) -> dict[str, float]:
        """How full memory and disk are, and how often each tier had what was wanted."""
        found = {f"{name}_found": float(count) for name, count in vars(self.counts).items()}
        memory = {
            "ram_seals": len(self._seals),
            "ram_used_bytes": self.num_bytes,
            "ram_pinned_bytes": self.pinned_bytes,
            "ram_total_bytes": self._ledger.limit_bytes,
        }
        disk = {} if self._disk is None else self._disk.gauges
        return found | memory | disk

    def close(self) -> None:
        """Ends the thread and the loads on their way, whose futures fail; what has come is still kept on disk."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others - self._saving:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        with self._lock:
            unfinished = dict(self._loads)
        for key, load in unfinished.items():
            self._fail(key, load, EngineError("the engine is ending", "start another"))
        await self._loop.shutdown_default_executor()

    async def _load(self, key: str, load: _Load[T]) -> None:
        try:
            if not await self._loaded_from_disk(key, load):
                await self._load_from_store(key, load)
        except SealsmithError as error:
            self._fail(key, load, error)
        except MemoryError:
            what = f"there is no memory left for seal {key[:12]}"
            self._fail(key, load, BusyError(what, "try again later", self._room_within_s))
        except Exception as error:
            log.exception("seal %s cannot be prepared", key[:12])
            wrong = f"seal {key[:12]} cannot be prepared: {type(error).__name__}"
            self._fail(key, load, SealFormatError(wrong, "see the engine's log"))

    async def _loaded_from_disk(self, key: str, load: _Load[T]) -> bool:
        """Whether the disk had it."""
        if self._disk is None:
            return False
        async with self._reading:
            data = await asyncio.to_thread(self._disk.read, key)
            if data is None:
                return False
            self.counts.disk += 1
            await self._bring(key, load, data)
        return True

    async def _load_from_store(self, key: str, load: _Load[T]) -> None:
        async with self._fetching:
            data = await self._fetched(key)
            self.counts.store += 1
            await self._bring(key, load, data, is_new=True)
            if self._disk is not None:
                await self._save(self._disk, key, data)

    async def _bring(self, key: str, load: _Load[T], data: bytearray, is_new: bool = False) -> None:
        """A file, prepared, to all who wait for it."""
        async with self._preparing:
            seal, num_bytes = await self._prepared(key, data, is_new)
            await self._admit(key, load, seal, num_bytes)

    async def _prepared(self, key: str, data: bytearray, is_new: bool) -> tuple[T, int]:
        """What the store gave is proved meanwhile: if it is not what was asked for, that is what is said of it."""
        proving = asyncio.create_task(self._store.prove(key, data)) if is_new else None
        try:
            return await asyncio.to_thread(self._prepare, key, data)
        finally:
            if proving is not None:
                await proving

    async def _save(self, disk: DiskCache, key: str, data: bytearray) -> None:
        """Onto the disk, which also the end of the exchange waits for."""
        task = asyncio.current_task()
        assert task is not None
        self._saving.add(task)
        try:
            async with self._writing:
                await asyncio.to_thread(disk.write, key, data)
        finally:
            self._saving.discard(task)

    async def _fetched(self, key: str) -> bytearray:
        """From the store, which has so long for it."""
        try:
            async with asyncio.timeout(self._fetch_within_s):
                return await self._store.take(key)
        except TimeoutError as error:
            raise StoreError(
                f"the store did not give seal {key[:12]} within {self._fetch_within_s:g} s",
                "try again; if it stays so, see whether the store is well",
            ) from error

    async def _admit(self, key: str, load: _Load[T], seal: T, num_bytes: int) -> None:
        """Into memory, once there is room, first come, first served; then to all who wait."""
        if num_bytes > self._ledger.limit_bytes:
            raise SealSizeError(
                f"seal {key[:12]} takes {num_bytes} bytes of the {self._ledger.limit_bytes} that all have",
                "shrink it to a lower rank, or give the engine more memory",
            )
        try:
            async with asyncio.timeout(self._room_within_s), self._door:
                await self._enter(key, load, seal, num_bytes)
        except TimeoutError as error:
            raise BusyError(
                f"the seals in use leave no room for seal {key[:12]} ({num_bytes} bytes)",
                "send the request again later, or give the engine more memory",
                self._room_within_s,
            ) from error

    async def _enter(self, key: str, load: _Load[T], seal: T, num_bytes: int) -> None:
        try:
            while not self._has_entered(key, load, seal, num_bytes):
                self.is_short = True
                await self._has_room.wait()
        finally:
            self.is_short = False

    def _has_entered(self, key: str, load: _Load[T], seal: T, num_bytes: int) -> bool:
        with self._lock:
            self._has_room.clear()
            if self._loads.get(key) is not load:  # nobody wants it any more
                return True
            if not self._ledger.has_room(num_bytes):
                return False
            for gone in self._ledger.admit(key, num_bytes):
                del self._seals[gone]
            self._ledger.pin(key, load.holders)
            self._seals[key] = seal
            del self._loads[key]
        for future in load.waiting:  # outside of the lock: whoever is told may call us
            future.set_result(seal)
        return True

    def _fail(self, key: str, load: _Load[T], error: SealsmithError) -> None:
        with self._lock:
            if self._loads.get(key) is not load:
                return
            del self._loads[key]
            self.counts.failed += 1
            self._unreleased[key] = self._unreleased.get(key, 0) + load.holders
        for future in load.waiting:
            future.set_exception(error)
