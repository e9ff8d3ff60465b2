"""Seals added into the base's own weights, and taken out again to the last bit.

A fused base draws as fast as a bare one: nothing runs beside its layers. Taking the change off by subtraction
would leave rounding behind, so the weights from before are kept and put back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .attach import AttachableBase, AttachReport, match_seals, weight_of
from .seal import Seal


@contextmanager
def fused(base: AttachableBase, seals: Sequence[tuple[Seal, float]]) -> Iterator[tuple[AttachReport, ...]]:
    """A context in which the base's weights are `weight + sum of strength * delta`; one report a seal.

    The sums are made in float32 and rounded once. Afterwards, however the block ended, every weight is bit for
    bit what it was. Needs memory for a second copy of the changed layers. Without seals the base is left alone.
    Raises: as `attach` does, before any weight is touched.
    """
    if not seals:
        yield ()
        return
    fits = match_seals(base, seals)
    sums: dict[nn.Module, Tensor] = {}
    for (_, strength), (fit, _) in zip(seals, fits, strict=True):
        for path, change in fit.changes.items():
            module = fit.modules[path]
            weight = weight_of(module)
            part = strength * change.delta(weight).to(weight.device)
            sums[module] = sums[module] + part if module in sums else part
    kept = {module: weight_of(module).clone() for module in sums}
    try:
        with torch.no_grad():
            for module, change_sum in sums.items():
                weight = weight_of(module)
                weight.copy_(weight.float() + change_sum)
        yield tuple(report for _, report in fits)
    finally:
        with torch.no_grad():
            for module, before in kept.items():
                weight_of(module).copy_(before)
