"""Work shared out over processes, and what each of them opens once: bases and the judge."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from typing import Any

import torch

from sealsmith.bases import Base, open_base
from sealsmith.score import LoadedJudge, load_judge
from sealsmith.train import TrainConfig

opened_base: Callable[[str], Base] = cache(open_base)
"""The base, opened once a process."""
opened_judge: Callable[[], LoadedJudge] = cache(load_judge)
"""The judge, opened once a process."""


def taught_digest(base: Base) -> str:
    """Changes with the base and with how it is taught when nobody asks for anything."""
    family = base.family
    defaults = TrainConfig().to_dict() | {
        "targets": family.default_targets,
        "learning_rate": family.learning_rate,
        "attention_weight": family.attention_weight,
    }
    return hashlib.sha256(json.dumps([base.digest, defaults], sort_keys=True).encode()).hexdigest()


def one_of(jobs: int) -> None:
    """This process shares the machine with `jobs - 1` others."""
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))


def spread(
    jobs: int, work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each task's arguments with what `work` makes of them, as they are done by `jobs` processes.

    Raises: what a task raises, at once.
    """
    with ProcessPoolExecutor(jobs, get_context("spawn"), one_of, (jobs,)) as pool:
        futures = {pool.submit(work, *task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
