"""Workers beside the server, for long work: started again when they die, and given time to save when it ends.

Not for: what a worker does (jobs/worker.py); more of them, on this machine or others, may be started by themselves.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from ..catalog.places import Places
from .log import Log

PAUSE_S, MAX_PAUSE_S = 1.0, 60.0
"""Before a worker that died is started again: at first, and at most, when it dies again and again."""
STEADY_S: Final = 60.0
"""A worker that lived so long has not died of how it was started."""
DRAIN_WITHIN_S: Final = 75.0
"""For a worker to save its job: more than its own patience with the job's process."""
STDERR: Final = 2

log = Log("sealsmith.workers")


@dataclass(frozen=True)
class WorkerLaunch:
    """How a worker's process is started."""

    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    """Beside the environment of this process."""


def worker_launch(
    where: Places, base: str, device: str = "cpu", otel_endpoint: str | None = None
) -> WorkerLaunch:
    """`sealsmith worker` on this catalog, base and device.

    The database's address, in which a password may be, is in the environment, which other users cannot read.
    """
    command = (sys.executable, "-P", "-m", "sealsmith", "worker", "--base", base, "--device", device)
    environ = {
        "SEALSMITH_DATA": str(where.work.parent),
        "SEALSMITH_DATABASE": where.database.get_secret_value(),
        "SEALSMITH_STORE": where.store,
    }
    if otel_endpoint is not None:
        environ["SEALSMITH_OTEL_ENDPOINT"] = otel_endpoint
    return WorkerLaunch(command, environ)


@dataclass
class Worker:
    """One worker's place, to be looked at: its process, and how often there was another."""

    pid: int | None = None
    """None: it died, or could not be started, and another is started soon."""
    num_restarts: int = 0

    @property
    def state(self) -> Literal["running", "waiting"]:
        return "waiting" if self.pid is None else "running"


@asynccontextmanager
async def working(launch: WorkerLaunch, num_workers: int = 1) -> AsyncIterator[Sequence[Worker]]:
    """So many workers at work within the context; at its end they save what they are at, and end."""
    crew = [Worker() for _ in range(num_workers)]
    keeping = [asyncio.create_task(_keep_working(launch, worker)) for worker in crew]
    try:
        yield crew
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)


async def _keep_working(launch: WorkerLaunch, worker: Worker) -> None:
    """One worker after another, until this is cancelled."""
    pause_s, num_started, loop = PAUSE_S, 0, asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            process = await _started(launch)
        except OSError as error:  # no memory, no process or no file more just now
            log.warning("worker not started", reason=str(error), again_in_s=pause_s)
        else:
            worker.pid, worker.num_restarts = process.pid, num_started
            num_started += 1
            try:
                status = await process.wait()
            finally:
                await _end(process)
                worker.pid = None
            if loop.time() - began >= STEADY_S:
                pause_s = PAUSE_S
            log.warning("worker ended", pid=process.pid, status=status, again_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)


async def _started(launch: WorkerLaunch) -> asyncio.subprocess.Process:
    """A worker's process. Raises: OSError where the system has no room for it."""
    return await asyncio.create_subprocess_exec(
        *launch.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=STDERR,  # stdout is the server's own
        env={**os.environ, **launch.environ},
        process_group=0,  # Ctrl-C is the server's matter, which tells the worker in its turn
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Has a worker that lives save its job and end; one that does not in time is killed."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), DRAIN_WITHIN_S)
    except TimeoutError:
        log.warning("worker killed", pid=process.pid)
        process.kill()
        await process.wait()
