"""The C library's allocator, told to keep what one pass frees for the next.

A pass takes and frees tens of megabytes. Where glibc happens to have these at the end of its heap, it gives them
back to the system each time, and the next pass has every page given to it anew: up to 20,000 faults, a tenth of it
(docs/log.md).
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 256 << 20
"""At the end of the heap; what is more goes back."""
MAPPED_BYTES = 32 << 20
"""Tensors of that size and more are the system's own affair, as ever: the most glibc lets one choose."""


def keep_freed_memory() -> bool:
    """Has glibc's allocator keep freed memory, in this process and for good; whether there was one to tell.

    An environment that has a trim threshold of its own (`MALLOC_TRIM_THRESHOLD_`) keeps it.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(tell(M_TRIM_THRESHOLD, KEPT_BYTES) and tell(M_MMAP_THRESHOLD, MAPPED_BYTES))
