"""What a resident seal costs, and whether memory grows while thousands of seals go through a pool for a few.

Orders of one step and one seal each, no seal twice, four underway at a time. The seals are made as they are wanted,
in batches whose files are then deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

from ..bases import Base
from ..engine.request import Done, Failed, Order
from ..engine.settings import EngineSettings
from ..generate import Request
from .made_seals import MadeSeal, make_seals
from .memory import growth_mib, resident_mib
from .soak_rig import Rig

MAX_SEAL_COST = 1.05
"""Bytes of a resident seal over those of its tensors."""
MAX_GROWTH = 0.01
"""Of resident memory over the last half, as a share of it."""
UNDERWAY = 4
CACHE_BYTES = 8 << 20
"""Of weights with seals in them, and of prompts: so little that both are full long before the last half begins."""


@dataclass(frozen=True)
class Cycle:
    """How many seals go through a pool for how many."""

    num_seals: int = 2000
    pool_seals: int = 64
    ranks: tuple[int, ...] = (4, 8, 16, 32, 64)
    seals_a_batch: int = 100
    sample_every: int = 20


@dataclass
class Memory:
    """What was measured."""

    pool_seals: int
    num_seals: int = 0
    """That were drawn with."""
    num_resident: int = 0
    """In the pool at the end."""
    pool_cost: float | None = None
    """Bytes of the pages of the seals resident at the end, over those of their tensors."""
    worst_pool_cost: float | None = None
    """The same of the costliest seal."""
    pool_bytes: int = 0
    mean_seal_bytes: float = 0.0
    samples_mib: list[float] = field(default_factory=list)
    """Resident memory of the process, every so many seals; empty where the system does not tell."""

    @property
    def growth_mib(self) -> float | None:
        """Over the last half, by the straight line through its samples."""
        return growth_mib(self.samples_mib)

    @property
    def is_flat(self) -> bool | None:
        return None if self.growth_mib is None else self.growth_mib <= MAX_GROWTH * self.samples_mib[-1]

    @property
    def is_small(self) -> bool:
        return self.worst_pool_cost is not None and self.worst_pool_cost <= MAX_SEAL_COST

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "growth_mib": self.growth_mib}


def soak_memory(
    base: Base, folder: Path, cycle: Cycle, seed: int, is_over: Callable[[], bool] = lambda: False
) -> Memory:
    """Cycles the seals through; stops early when `is_over`. Raises: what an order failed with; AssertionError."""
    tensor_bytes: dict[str, int] = {}
    one_each = make_seals(base, folder / "sizes", cycle.ranks, len(cycle.ranks))
    mean_bytes = sum(seal.tensor_bytes for seal in one_each) // len(one_each)
    found = Memory(cycle.pool_seals, pool_bytes=cycle.pool_seals * mean_bytes, mean_seal_bytes=mean_bytes)
    settings = EngineSettings(
        max_rows=2 * UNDERWAY,
        max_underway_rows=2 * UNDERWAY,
        pool_bytes=found.pool_bytes,
        fold_bytes=CACHE_BYTES,
        prompt_bytes=CACHE_BYTES,
    )
    store = folder / "store"
    with Rig(base, store, settings, cycle.pool_seals * mean_bytes) as rig:
        for number in range(-(-cycle.num_seals // cycle.seals_a_batch)):
            if number and is_over():
                break
            seals = _batch(base, store, cycle, seed, number)
            tensor_bytes |= {seal.digest: seal.tensor_bytes for seal in seals}
            _draw_with(rig, seals, cycle, found)
            rmtree(store / "seals")
        rig.check_at_rest()
        pool = rig.engine.pool
        page_bytes = pool.storage[0].nbytes
        pages = {lease.key: len(lease.pages) * page_bytes for lease in pool.resident()}
    found.num_resident = len(pages)
    found.pool_cost = sum(pages.values()) / sum(tensor_bytes[key] for key in pages)
    found.worst_pool_cost = max(size / tensor_bytes[key] for key, size in pages.items())
    return found


def _batch(base: Base, store: Path, cycle: Cycle, seed: int, number: int) -> list[MadeSeal]:
    count = min(cycle.seals_a_batch, cycle.num_seals - number * cycle.seals_a_batch)
    return make_seals(base, store, cycle.ranks, count, seed=seed + number)


def _draw_with(rig: Rig, seals: list[MadeSeal], cycle: Cycle, found: Memory) -> None:
    """A step with every seal. Raises: what the first order failed with."""
    wanted, underway = list(seals), 0
    while wanted or underway:
        while wanted and underway < UNDERWAY:
            digest = wanted.pop().digest
            rig.engine.submit(Order(digest, Request("a mark", num_steps=1, guidance=1.0), ((digest, 1.0),)))
            underway += 1
        for event in rig.turn():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                underway -= 1
                found.num_seals += 1
                if found.num_seals % cycle.sample_every == 0 and (now := resident_mib()) is not None:
                    found.samples_mib.append(now)
