"""Workers in processes of their own, to be killed: forked from one that has the imports, to begin at once.

Their leases are long, for machines that are slow; each worker's clock is a lease ahead of the last one's, so that
what the dead one held is free.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

LEASE_S = 600.0


class Workers:
    """One worker after another."""

    def __init__(
        self,
        database: str,
        store: str,
        folder: Path,
        handlers: Mapping[str, str],
        bases: tuple[str, ...] = (),
    ):
        given = json.dumps([database, store, str(folder), dict(handlers), list(bases)])
        self._source = subprocess.Popen(
            [sys.executable, str(Path(__file__)), given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._pid: int | None = None
        assert self._told.readline() == "ready\n"

    @property
    def _told(self) -> IO[str]:
        assert self._source.stdout is not None
        return self._source.stdout

    def start(self) -> None:
        assert self._source.stdin is not None
        self._source.stdin.write("next\n")
        self._source.stdin.flush()
        self._pid = int(self._told.readline())

    def kill(self) -> None:
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        self._pid = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid is not None:
            self.kill()
        self._source.communicate()


def main(database: str, store: str, folder: str, handlers: dict[str, str], bases: list[str]) -> None:
    """Forks a worker for every line, and says which process it is."""
    import importlib

    from sealsmith.jobs import process, worker  # noqa: F401 - for those that are forked

    for handler in handlers.values():
        importlib.import_module(handler.partition(":")[0])
    print("ready", flush=True)
    for number, _ in enumerate(sys.stdin):
        pid = os.fork()
        if pid == 0:
            live(database, store, Path(folder), handlers, tuple(bases), number * LEASE_S)
        print(pid, flush=True)


def live(
    database: str, store: str, folder: Path, handlers: dict[str, str], bases: tuple[str, ...], ahead_s: float
) -> None:
    from pydantic import SecretStr

    from sealsmith.catalog import open_catalog
    from sealsmith.catalog.database import utc_now
    from sealsmith.jobs.worker import Worker, WorkerSettings

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=ahead_s)

    settings = WorkerSettings(folder, bases, lease_s=LEASE_S, poll_s=0.05, beat_s=0.1, progress_s=0.02)
    catalog = open_catalog(database, store, clock)
    Worker(catalog, SecretStr(database), store, settings, handlers, multiprocessing.get_context("fork")).run()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
