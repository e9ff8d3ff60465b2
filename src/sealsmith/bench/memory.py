"""How far this process' memory rises while something is done. Linux alone tells; elsewhere nothing is measured."""

import ctypes
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STATUS, PEAK_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
"""Linux' account of a process' memory."""


@dataclass
class MemoryRise:
    """What `memory_rise` finds out; known once its block has ended."""

    mib: float | None = None
    """Peak of resident memory over where it stood before, in MiB; None where the system does not tell."""


@contextmanager
def memory_rise() -> Iterator[MemoryRise]:
    """A context whose block's peak of memory is in the value afterwards, however the block ended."""
    rise = MemoryRise()
    if not PEAK_RESET.exists():
        yield rise
        return
    _give_back()
    PEAK_RESET.write_text("5")  # from now on the kernel's high-water mark starts again
    before = _status_kib("VmRSS")
    try:
        yield rise
    finally:
        rise.mib = (_status_kib("VmHWM") - before) / 1024


def resident_mib() -> float | None:
    """This process' resident memory now, in MiB; None where the system does not tell."""
    return _status_kib("VmRSS") / 1024 if STATUS.exists() else None


def growth_mib(samples_mib: Sequence[float]) -> float | None:
    """Over the last half of samples, by the straight line through them; None: there are too few."""
    half = samples_mib[len(samples_mib) // 2 :]
    if len(half) < 2:
        return None
    return float(np.polyfit(np.arange(len(half)), half, 1)[0] * (len(half) - 1))


def _give_back() -> None:
    """Hands free memory back to the system, where the C library can; else the block would reuse it unseen."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_kib(key: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise KeyError(key)
