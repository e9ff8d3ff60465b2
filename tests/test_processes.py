"""Processes that inherit nothing."""

import os
import select
import threading

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


def test_a_lock_that_is_held_here_is_free_there() -> None:
    with SECOND, clean_processes([__name__]).Pool(1) as pool:
        assert pool.apply(is_free)
