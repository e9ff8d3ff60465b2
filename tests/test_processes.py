"""Processes that inherit nothing."""

import os
import select
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from sealsmith.processes import clean_processes

SECOND = threading.Lock()


def is_free() -> bool:
    """Whether the lock is, in the process that is asked."""
    return not SECOND.locked()


def test_a_pipe_ends_with_its_owner_whatever_processes_were_begun_meanwhile() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        with clean_processes([__name__]).Pool(1) as pool:
            assert pool.apply(abs, (-1,)) == 1
            os.close(write)
            readable, _, _ = select.select([read], [], [], 30)
            assert readable
            assert os.read(read, 1) == b""
    finally:
        os.close(read)


FORKED = """
from sealsmith.processes import clean_processes
process = clean_processes(["diffusers.quantizers", "torchao"]).Process(target=int)
process.start()
process.join()
"""
ENGINE = """
import asyncio
from sealsmith.engine.client import EngineClient
from sealsmith.engine.supervisor import Launch

async def begin():
    async with EngineClient(Launch("sealsmith.engine.core:open_core", {{"base": {base!r}, "store": {store!r}}})):
        pass

asyncio.run(begin())
"""


@pytest.mark.skipif(find_spec("torchao") is None, reason="nobody there who talks")
@pytest.mark.parametrize("program", [FORKED, ENGINE], ids=["forked", "engine"])
@pytest.mark.parametrize("verbosity", ["error", "warning"])
def test_processes_are_as_quiet_as_whoever_began_them(
    program: str, verbosity: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    if program == ENGINE:
        program = program.format(base=str(tiny_base_folder), store=f"file://{tmp_path}")
    told = {"TRANSFORMERS_VERBOSITY": verbosity, "DIFFUSERS_VERBOSITY": verbosity, "TQDM_DISABLE": "1"}
    begun = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | told, check=True
    )
    assert begun.stdout == ""
    assert (begun.stderr == "") == (verbosity == "error"), begun.stderr


def test_a_lock_that_is_held_here_is_free_there() -> None:
    with SECOND, clean_processes([__name__]).Pool(1) as pool:
        assert pool.apply(is_free)
