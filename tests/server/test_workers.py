"""Workers beside the server: another when one dies, and time to save when the server ends."""

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from sealsmith.catalog.places import places
from sealsmith.server import workers
from sealsmith.server.workers import WorkerLaunch, worker_launch, working

LIVING = """
import os, signal, sys
def told(line):
    with open(sys.argv[1], "a") as file:
        file.write(line + chr(10))
def save(number, frame):
    told("saved")
    sys.exit()
signal.signal(signal.SIGTERM, save)
told(str(os.getpid()))
while True:
    signal.pause()
"""


async def lines_of(path: Path, number: int) -> list[str]:
    """The lines of a file as soon as there are so many."""
    async with asyncio.timeout(120):
        while True:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) >= number:
                return lines
            await asyncio.sleep(0.02)


def test_a_worker_that_dies_is_followed_by_another_which_saves_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PAUSE_S", 0.01)
    path = tmp_path / "told"

    async def live() -> None:
        async with working(WorkerLaunch((sys.executable, "-c", LIVING, str(path)))) as (worker,):
            (first,) = await lines_of(path, 1)
            assert (str(worker.pid), worker.state, worker.num_restarts) == (first, "running", 0)
            os.kill(int(first), signal.SIGKILL)
            _, second = await lines_of(path, 2)
            assert second != first
            assert (str(worker.pid), worker.num_restarts) == (second, 1)
        assert (worker.pid, worker.state) == (None, "waiting")

    asyncio.run(live())
    assert path.read_text().splitlines()[2:] == ["saved"]


def test_a_system_without_room_for_a_worker_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, path = asyncio.create_subprocess_exec, tmp_path / "told"
    failures = [OSError(errno.ENOMEM, "no memory"), OSError(errno.EMFILE, "too many open files")]

    async def stingy(*command: str, **options: Any) -> asyncio.subprocess.Process:
        if path.exists() and failures:
            raise failures.pop()
        return await start(*command, **options)

    async def live() -> None:
        async with working(WorkerLaunch((sys.executable, "-c", LIVING, str(path)))) as (worker,):
            (first,) = await lines_of(path, 1)
            os.kill(int(first), signal.SIGKILL)
            _, second = await lines_of(path, 2)
            assert (str(worker.pid), worker.state, worker.num_restarts) == (second, "running", 1)

    monkeypatch.setattr(workers, "PAUSE_S", 0.01)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", stingy)
    with capture_logs() as told:
        asyncio.run(live())
    assert failures == []
    assert [line["event"] for line in told] == ["worker ended", *["worker not started"] * 2]
    assert [line["again_in_s"] for line in told] == [0.01, 0.02, 0.04]


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "DRAIN_WITHIN_S", 0.1)
    path = tmp_path / "told"
    deaf = LIVING.replace("sys.exit()", "pass")

    async def live() -> int:
        async with working(WorkerLaunch((sys.executable, "-c", deaf, str(path)))):
            return int((await lines_of(path, 1))[0])

    pid = asyncio.run(live())
    assert path.read_text().splitlines()[1:] == ["saved"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_workers_compute_where_their_server_does(tmp_path: Path) -> None:
    command = [*worker_launch(places(tmp_path), "sealworld", "cuda:1").command]
    assert command[command.index("--device") + 1] == "cuda:1"


def test_no_password_is_on_the_command_line(tmp_path: Path) -> None:
    where = places(tmp_path, SecretStr("postgresql://me:secret@host/name"))
    launch = worker_launch(where, "sealworld")
    assert "secret" not in " ".join(launch.command)
    assert launch.environ["SEALSMITH_DATABASE"] == "postgresql://me:secret@host/name"
    assert launch.environ["SEALSMITH_DATA"] == str(tmp_path)
