"""One life of an engine's process: started, listened to until it can be spoken to, and ended.

Not for: starting it again (client.py), or what it does (process.py).
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec
import zmq

from ..errors import EngineError
from .messages import Report, Start, new_token

MAX_REPORT_BYTES = 1 << 20
BESIDE_OTHERS = {"GOMP_SPINCOUNT": "20000"}
"""For an engine's process that is not alone: OpenMP's idle threads wait half a millisecond or so for the next
product, and then let go of their core. Fewer turns have them sleep and wake within a pass; more keep the core from
others, who may be those that make the next picture's seal ready (docs/log.md)."""


def beside_others() -> dict[str, str]:
    """The same, where this process' environment says nothing else."""
    return {name: os.environ.get(name, value) for name, value in BESIDE_OTHERS.items()}


@dataclass(frozen=True)
class Launch:
    """How a process is started."""

    core: str
    """`module:function`, which returns an EngineCore (process.py)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What that function is given; JSON."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Beside the environment of this process."""
    start_within_s: float = 600.0
    """A base is read in that time."""


class EngineProcess:
    """A running process that listens at `endpoint` to whoever has `token`."""

    def __init__(self, process: asyncio.subprocess.Process, endpoint: str, token: str, folder: Path):
        self._process, self._folder = process, folder
        self.endpoint, self.token = endpoint, token

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, launch: Launch) -> "EngineProcess":
        """A process that is ready.

        Raises: the core's own error when it cannot be made; EngineError when the process dies, is too slow, or
        cannot be started: the system has no memory, no process, no open file more, or no room for a socket.
        """
        token = new_token()
        try:
            folder = Path(tempfile.mkdtemp(prefix="sealsmith-"))  # nobody else may enter it
            process = await _process_beside(folder, launch.environ)
        except OSError as error:
            raise EngineError(
                f"the engine's process cannot be started: {error}",
                "see that there is memory, room in the folder for temporary files, and enough open files",
            ) from error
        engine = cls(process, "", token, folder)
        try:
            start = Start(launch.core, dict(launch.config), _endpoint_in(folder), token)
            report = await asyncio.wait_for(engine._told(start), launch.start_within_s)
        except TimeoutError as error:
            await engine.kill()
            raise EngineError(
                f"the engine was not ready within {launch.start_within_s:g} s",
                "see what it wrote on standard error; give it more time if the base is large",
            ) from error
        except BaseException:
            await engine.kill()
            raise
        engine.endpoint = report.endpoint
        if report.failed is not None:
            await engine.wait()
            raise report.failed.error
        return engine

    async def _told(self, start: Start) -> Report:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(start) + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is dead already; the report will be missing
        line = await self._process.stdout.readline()
        if line:
            return msgspec.json.decode(line, type=Report)
        status = await self.wait()
        raise EngineError(
            f"the engine ended before it was ready, with status {status}",
            "see what it wrote on standard error",
        )

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Its exit status, once it has ended; negative: the signal that ended it."""
        status = await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        rmtree(self._folder, ignore_errors=True)
        return status

    async def kill(self) -> None:
        """Ends it at once."""
        if self.is_running:
            self._process.kill()
        await self.wait()


async def _process_beside(folder: Path, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    """The process, which is told later what to be; the folder goes if there is none. Raises: OSError."""
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "sealsmith.engine.process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **environ},
            limit=MAX_REPORT_BYTES,
            process_group=0
            if os.name == "posix"
            else None,  # who ends a group means us, and we end the engine
        )
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise


def _endpoint_in(folder: Path) -> str:
    """A socket file that only this user can reach, or, where there are none, a port of this machine alone."""
    return f"ipc://{folder / 'engine'}" if zmq.has("ipc") else "tcp://127.0.0.1:*"
