"""The C library's allocator, told to keep what one pass frees for the next, and to have one heap.

A pass takes and frees tens of megabytes. Where glibc happens to have these at the end of its heap, it gives them
back to the system each time, and the next pass has every page given to it anew: up to 20,000 faults, a tenth of it.
And glibc gives each thread that asks a heap of its own: seals that one thread reads and another lets go leave holes
in several, a fifth of the engine's memory after two thousand (docs/log.md).
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_BYTES = 256 << 20
"""At the end of the heap; what is more goes back."""
MAPPED_BYTES = 32 << 20
"""Tensors of that size and more are the system's own affair, as ever: the most glibc lets one choose."""


def keep_freed_memory() -> bool:
    """Has glibc's allocator keep freed memory in one heap, in this process and for good; whether it was told all.

    Threads that have a heap of their own already keep it. An environment that has a trim threshold or a number of
    heaps of its own (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_ARENA_MAX`) keeps it.
    """
    wanted = {
        "MALLOC_TRIM_THRESHOLD_": ((M_TRIM_THRESHOLD, KEPT_BYTES), (M_MMAP_THRESHOLD, MAPPED_BYTES)),
        "MALLOC_ARENA_MAX": ((M_ARENA_MAX, 1),),
    }
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    was_told = [name not in os.environ and all(tell(*each) for each in told) for name, told in wanted.items()]
    return all(was_told)
