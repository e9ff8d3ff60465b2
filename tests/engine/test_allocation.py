"""The allocator keeps what was freed, and an environment that says otherwise has its way."""

import resource
import subprocess
import sys
import textwrap

import pytest

from sealsmith.engine.allocation import keep_freed_memory

TAKE_AND_FREE = textwrap.dedent(
    """
    import ctypes, resource, sys
    from sealsmith.engine.allocation import keep_freed_memory
    if sys.argv[1] == "kept":
        assert keep_freed_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    for turn in range(12):
        if turn == 2:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [libc.malloc(ctypes.c_size_t(8 << 20)) for _ in range(8)]
        for block in blocks:
            ctypes.memset(block, 1, 8 << 20)
        for block in blocks[::-1]:
            libc.free(block)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
)


THREADS_TAKE = textwrap.dedent(
    """
    import ctypes, sys, threading
    from sealsmith.engine.allocation import keep_freed_memory
    if sys.argv[1] == "kept":
        assert keep_freed_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
    together = threading.Barrier(6)
    def take():
        together.wait()
        libc.malloc(ctypes.c_size_t(1 << 20))
        together.wait()
    threads = [threading.Thread(target=take) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    out = libc.fopen(b"/dev/stdout", b"w")
    libc.malloc_info(0, ctypes.c_void_p(out))
    libc.fflush(ctypes.c_void_p(out))
    """
)


def run(script: str, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, how], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def faults(how: str) -> int:
    """Pages given anew while 64 MiB are taken and freed ten times, as a pass does, after two such turns."""
    return int(run(TAKE_AND_FREE, how))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_was_freed_is_not_given_anew() -> None:
    pages = 10 * (64 << 20) // resource.getpagesize()
    assert faults("kept") < pages / 100
    assert faults("as it is") > pages / 2


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_all_threads_take_from_one_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(THREADS_TAKE, "kept").count("<heap nr") == 1
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert run(THREADS_TAKE, "as it is").count("<heap nr") == 3


@pytest.mark.parametrize(("name", "value"), [("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "2")])
def test_an_environment_with_a_choice_of_its_own_keeps_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()
