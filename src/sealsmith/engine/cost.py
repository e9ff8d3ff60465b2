"""Whether pictures of the same seals are drawn sooner with those in the weights: measured once, then a rule.

Beside the layers a seal costs something in every pass; in the weights it costs a switch before and one behind, and
nothing between. Not for: seals that can only be merged, for whom there is nothing to decide.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from ..adapters import LowRank, Seal, SealHeader, fused
from ..adapters.fit import adaptable, weight_shape
from ..bases import Base, concatenate
from .adapted import Reading
from .bank import Bank, Rows, Use
from .packing import packed
from .pool import PAGE_ELEMENTS, Lease, Pool

MEASURED_RANK = 16
REPEATS = 3
MARGIN = 2.0
"""Merging must promise so many times what it costs, for others may come whose seals are not in the weights."""


@dataclass(frozen=True)
class Costs:
    """Seconds on this machine, of a seal of rank 16 on the family's usual layers."""

    switch_s: float
    """To put it into the weights and take it out again."""
    beside_s: float
    """What it adds to a pass beside the layers, for each row."""

    def is_merging_worth(self, num_rows: int, num_passes: int) -> bool:
        """Whether so many passes of so many rows, all with the same seals, are sooner done with those merged."""
        return num_rows * num_passes * self.beside_s > MARGIN * self.switch_s


@torch.no_grad()
def measure_costs(base: Base, num_rows: int = 4, fold_bytes: int = 0) -> Costs:
    """What the two ways cost on this base here: medians of three, taken in turns. It is the same afterwards.

    `fold_bytes`: as the engine's bank has them.
    """
    seal = _measured_seal(base)
    bank, use = _bank_of(base, seal, fold_bytes)
    row = base.family.workings.encode(base, "")
    text = concatenate([row] * num_rows)
    latents = torch.randn(num_rows, *base.latent_shape).to(base.device, base.dtype)
    t = torch.tensor(500.0, device=base.device)

    def one_pass(context: AbstractContextManager[object]) -> float:
        with context:
            return _seconds(base, lambda: base.family.workings.predict(base, latents, t, text, 1.0))

    def switch() -> None:
        with fused(base, [(seal, 1.0)]):
            pass

    plain, adapted = Rows(num_rows, (), Reading()), Rows(num_rows, (use,), Reading())
    one_pass(bank.composed([plain]))  # first passes are slower, and fill what is kept
    one_pass(bank.composed([adapted]))
    bare, beside, switched = [], [], []
    for _ in range(REPEATS):
        bare.append(one_pass(bank.composed([plain])))
        beside.append(one_pass(bank.composed([adapted])))
        switched.append(_seconds(base, switch))
    added_s = statistics.median(beside) - statistics.median(bare)
    return Costs(statistics.median(switched), max(added_s, 0.0) / num_rows)


def _measured_seal(base: Base) -> Seal:
    """A seal of random numbers for the layers that are adapted unless one chooses others."""
    family, generator = base.family, torch.Generator().manual_seed(0)
    layers = {}
    for path, module in adaptable(base.denoiser).items():
        if path.endswith(tuple(f".{target}" for target in family.targets(family.default_targets))):
            outputs, *inputs = weight_shape(module)
            down = torch.randn(MEASURED_RANK, *inputs, generator=generator)
            up = torch.randn(outputs, MEASURED_RANK, *(1,) * (len(inputs) - 1), generator=generator)
            layers[f"{family.denoiser}.{path}"] = LowRank(down, up, 1.0)
    header = SealHeader(
        trigger="", class_noun="", base=base.name, base_digest="", family=family.name, rank=MEASURED_RANK,
        alpha=1.0, targets=(), title="measured", created="",
    )  # fmt: skip
    return Seal(header, dict(layers))


def _bank_of(base: Base, seal: Seal, fold_bytes: int) -> tuple[Bank, Use]:
    """A bank for one seal, and its use at strength 1."""
    layers = {path: change for path, change in seal.layers.items() if isinstance(change, LowRank)}
    stream = packed(layers, base.dtype)
    pool = Pool(len(stream.stream) // PAGE_ELEMENTS + 1, dtype=base.dtype, device=base.device)
    lease = pool.reserve(seal.name, stream)
    assert isinstance(lease, Lease)
    return Bank(base, pool, fold_bytes=fold_bytes), Use(lease, 1.0)


def _seconds(base: Base, work: Callable[[], object]) -> float:
    _wait(base)
    start = time.perf_counter()
    work()
    _wait(base)
    return time.perf_counter() - start


def _wait(base: Base) -> None:
    """Until the device has done what it was told."""
    if base.device.type == "cuda":
        torch.cuda.synchronize(base.device)
