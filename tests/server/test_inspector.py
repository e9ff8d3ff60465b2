"""A stranger's file may kill, hang or fill the process that looks at it; that is all it can do."""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from sealsmith.errors import BusyError, InputError, PictureError
from sealsmith.server.inspection import inspect_texts
from sealsmith.server.inspector import Inspector
from sealsmith.server.limits import MAX_INSPECTIONS

GIB = 1 << 30


def dies(file: Path, name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(file: Path, name: str) -> None:
    while True:
        time.sleep(1)


def grows(file: Path, name: str) -> int:
    return len(bytearray(8 * GIB))


def process_id(file: Path, name: str) -> int:
    return os.getpid()


def raises(file: Path, name: str) -> None:
    raise PictureError(f"{name} is odd", "do something")


def inspected(work: "Coroutine[Any, Any, Any]") -> Any:
    return asyncio.run(work)


@pytest.mark.parametrize(
    ("inspect", "said"),
    [(dies, "within 1 s and 1024 MiB"), (hangs, "within 1 s and 1024 MiB"), (grows, "more than 1024 MiB")],
)
def test_what_a_file_does_to_the_process_ends_with_it(inspect: Any, said: str, tmp_path: Path) -> None:
    async def use() -> None:
        inspector = Inspector(within_s=1, max_bytes=GIB)
        try:
            with pytest.raises(InputError, match=f"'mark' .*{said}"):
                await inspector.run(inspect, tmp_path, "mark")
            assert await inspector.run(process_id, tmp_path, "mark") != os.getpid()
        finally:
            await inspector.close()

    inspected(use())


def test_a_process_that_dies_with_nothing_to_do_costs_no_file_anything(tmp_path: Path) -> None:
    async def use() -> None:
        inspector = Inspector()
        try:
            first = await inspector.run(process_id, tmp_path, "mark")
            os.kill(first, signal.SIGKILL)
            async with asyncio.timeout(60):
                while psutil.pid_exists(first):  # it is known to be dead when it is gone
                    await asyncio.sleep(0.02)
            assert await inspector.run(process_id, tmp_path, "mark") not in (first, os.getpid())
        finally:
            await inspector.close()

    inspected(use())


def test_an_error_comes_back_whole_and_the_process_stays(tmp_path: Path) -> None:
    async def use() -> None:
        inspector = Inspector()
        try:
            first = await inspector.run(process_id, tmp_path, "mark")
            with pytest.raises(PictureError, match="mark is odd") as raised:
                await inspector.run(raises, tmp_path, "mark")
            assert raised.value.remedy == "do something"
            assert await inspector.run(process_id, tmp_path, "mark") == first
        finally:
            await inspector.close()

    inspected(use())


def test_more_files_than_may_wait_are_refused(tmp_path: Path) -> None:
    async def use() -> None:
        inspector = Inspector()
        try:
            runs = [inspector.run(process_id, tmp_path, "mark") for _ in range(MAX_INSPECTIONS + 3)]
            answers = await asyncio.gather(*runs, return_exceptions=True)
        finally:
            await inspector.close()
        assert sum(isinstance(answer, BusyError) for answer in answers) == 3
        assert sum(isinstance(answer, int) for answer in answers) == MAX_INSPECTIONS

    inspected(use())


def test_only_a_png_is_asked_for_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    with pytest.raises(PictureError, match="is no PNG"):
        inspect_texts(tmp_path / "a.png", "it")
