"""What is computed beside the passes is computed by the thread that was given it, and by no helpers."""

import subprocess
import sys
import textwrap

import pytest

COMPUTES = textwrap.dedent(
    """
    import os, sys
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    import torch
    from sealsmith.bench.made_seals import make_seals
    from sealsmith.bench.tiny_bases import write_sealworld
    from sealsmith.bases import open_base
    from sealsmith.engine.preparing import preparing
    from sealsmith.engine.side_threads import compute_alone
    from sealsmith.engine.store import digest_of, path_of

    def threads():
        return len(os.listdir("/proc/self/task"))

    def large():
        torch.ones(1 << 20).mul(2).sum()

    folder = Path(sys.argv[2])
    base = open_base(str(write_sealworld(folder / "tiny")))
    [seal] = make_seals(base, folder, (64,), 1)
    data = bytearray((folder / path_of(seal.digest)).read_bytes())
    if sys.argv[3] == "told":
        torch.set_num_threads(2)
    large()
    before = threads()
    with ThreadPoolExecutor(1, initializer=compute_alone if sys.argv[1] == "alone" else None) as beside:
        beside.submit(large).result()
        beside.submit(preparing(base), digest_of(data), data).result()
        print(threads() - before, torch.get_num_threads())
    """
)


def num_threads_of(how: str, told: str, folder: object) -> tuple[int, int]:
    """How many threads came for what was computed beside; how many a pass has."""
    done = subprocess.run(
        [sys.executable, "-c", COMPUTES, how, str(folder), told],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"OMP_NUM_THREADS": "2"},
    )
    more, own = done.stdout.split()
    return int(more), int(own)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the system's threads")
@pytest.mark.parametrize("told", ["told", "untold"])
def test_preparing_brings_one_thread_and_leaves_the_passes_theirs(told: str, tmp_path: object) -> None:
    assert num_threads_of("alone", told, tmp_path) == (1, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the system's threads")
def test_without_it_helpers_come(tmp_path: object) -> None:
    assert num_threads_of("as it is", "untold", tmp_path) == (2, 2)
