"""Processes that inherit nothing."""

import os
import select
import subprocess
import sys
import threading
from importlib.util import find_spec

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


@pytest.mark.skipif(find_spec("torchao") is None, reason="nobody there who talks")
def test_libraries_say_nothing_when_they_are_imported() -> None:
    program = (
        "from sealsmith.processes import clean_processes\n"
        "process = clean_processes(['diffusers.quantizers', 'torchao']).Process(target=print)\n"
        "process.start(); process.join()"
    )
    quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
    begun = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=quiet, check=True
    )
    assert (begun.stdout, begun.stderr) == ("\n", "")


def test_a_lock_that_is_held_here_is_free_there() -> None:
    with SECOND, clean_processes([__name__]).Pool(1) as pool:
        assert pool.apply(is_free)
