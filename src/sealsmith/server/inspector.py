"""Opens strangers' files in a process of its own, one after the other, with bounds on time and memory.

    facts = await inspector.run(inspect_seal, path, "mark")

A file that kills that process, or takes too long, costs its own request; the next one finds a new process. One that
dies while it has nothing to do, as by a system that runs out of memory, costs none. Not for: what is looked at
(inspection.py).
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

import psutil

from ..errors import BusyError, InputError
from .limits import INSPECT_BYTES, INSPECT_WITHIN_S, MAX_INSPECTIONS

INSPECTIONS_NEED = ("..adapters.convert", "..adapters.thumbnail", "..jobs.training", "..train.pictures")
"""Modules that take seconds to import, tens of them on a busy machine."""

T = TypeVar("T")
Inspection = Callable[[Path, str], T]


class Inspector:
    """Runs inspections. Belongs to one event loop."""

    def __init__(self, within_s: int = INSPECT_WITHIN_S, max_bytes: int = INSPECT_BYTES):
        self._within_s, self._max_bytes = within_s, max_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._num_waiting = 0

    async def run(self, inspect: Inspection[T], file: Path, name: str) -> T:
        """What `inspect` says of a file, which errors call `name`.

        Raises: its errors; InputError for a file that cost the process its life; BusyError.
        """
        return await self.ask(partial(inspect, file, name), name)

    async def ask(self, look: Callable[[], T], name: str) -> T:
        """What `look` says in the process; errors call what it looks at `name`. Raises: as `run`."""
        if self._num_waiting >= MAX_INSPECTIONS:
            raise BusyError(f"{self._num_waiting} files are waiting to be looked at", "send it again")
        self._num_waiting += 1
        try:
            async with self._turn:
                return await self._ask(look, name)
        finally:
            self._num_waiting -= 1

    async def _ask(self, look: Callable[[], T], name: str) -> T:
        try:
            return await asyncio.wrap_future(self._begun(look))
        except BrokenProcessPool as error:
            self._pool = None
            raise InputError(
                f"{name!r} could not be looked at within {self._within_s} s and {self._max_bytes >> 20} MiB",
                "send a smaller or simpler file",
            ) from error
        except MemoryError as error:
            raise InputError(
                f"{name!r} takes more than {self._max_bytes >> 20} MiB to be looked at", "send a smaller file"
            ) from error

    def _begun(self, look: Callable[[], T]) -> Future[T]:
        """What `look` will say, once its process has come to it; one that died with nothing to do is replaced."""
        try:
            return self._submitted(look)
        except BrokenProcessPool:
            self._pool = None
            return self._submitted(look)

    def _submitted(self, look: Callable[[], T]) -> Future[T]:
        if self._pool is None:
            spawning = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawning, initializer=_begin)
        return self._pool.submit(_bounded, look, self._within_s, self._max_bytes)

    async def close(self) -> None:
        """Ends the process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)


def _begin() -> None:
    """In the process: imports what inspections need, which takes no time and no memory from the first file's."""
    _end_with_parent()
    for name in INSPECTIONS_NEED:
        import_module(name, __package__)


def _end_with_parent() -> None:
    """In the process: sees to it that it ends when the server does, however that ends, and whatever it is at."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _bounded(look: Callable[[], T], within_s: int, max_bytes: int) -> T:
    """In the process: the inspection, with a timer that ends it and a ceiling over its memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's matter
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    signal.alarm(within_s)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + max_bytes, hard))
        return look()
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
