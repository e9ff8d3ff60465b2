"""Seals added into the base's own weights, and taken out again to the last bit.

A fused base draws as fast as a bare one: nothing runs beside its layers. Taking the change off by subtraction
would leave rounding behind, so the weights from before are kept and put back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .algebra import delta
from .attach import AttachableBase, AttachReport, match_seals
from .seal import Seal


@contextmanager
def fused(base: AttachableBase, seals: Sequence[tuple[Seal, float]]) -> Iterator[list[AttachReport]]:
    """A context in which the U-Net's weights are `weight + sum of strength * delta`; one report a seal.

    The sums are made in float32 and rounded once. Afterwards, however the block ended, every weight is bit for
    bit what it was. Needs memory for a second copy of the changed layers. Without seals the base is left alone.
    Raises: as `attach` does, before any weight is touched.
    """
    if not seals:
        yield []
        return
    plans = match_seals(base, seals)
    changes: dict[nn.Parameter, Tensor] = {}
    for (seal, strength), (layers, _) in zip(seals, plans, strict=True):
        for path, layer in layers.items():
            weight = base.unet.get_parameter(f"{path.removeprefix('unet.')}.weight")
            down, up = (half.to(weight.device, torch.float32) for half in layer)
            change = delta(down, up, strength * seal.header.scale)
            changes[weight] = changes[weight] + change if weight in changes else change
    kept = {weight: weight.detach().clone() for weight in changes}
    try:
        with torch.no_grad():
            for weight, change in changes.items():
                weight.copy_(weight.float() + change)
        yield [report for _, report in plans]
    finally:
        with torch.no_grad():
            for weight, before in kept.items():
                weight.copy_(before)
