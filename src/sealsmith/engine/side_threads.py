"""Threads that compute beside the passes, each by itself.

OpenMP gives every thread that computes helpers of its own, and keeps them. Once all of them are more than the
cores, GCC's lets idle ones no longer wait awake: between any two products of a pass a thread then sleeps and is
woken, and on two cores a lone picture takes twice the time, eight together a quarter more (docs/log.md).
"""

import torch
from threadpoolctl import threadpool_limits


def own_threads(number: int | None) -> threadpool_limits:
    """Has the calling thread compute with so many threads, for good or until this context ends; None: as it does.

    MKL follows, where its number was not set; torch's own way to set one sets MKL's for every thread.
    """
    torch.get_num_threads()  # torch sets a thread's number when it is first asked for
    return threadpool_limits(number, user_api="openmp")


def compute_alone() -> None:
    """Has the calling thread take no helpers for what it computes."""
    own_threads(1)
