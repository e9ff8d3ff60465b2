"""How much a seal changes a base, from its weights alone. Not for: what that does to pictures (score/)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .formats import DIFFUSERS
from .seal import Seal


def largest_change(weights: Mapping[str, Tensor], seal: Seal) -> float:
    """The largest `|scale * up @ down| / |weight|` (Frobenius norms) of any layer; nan if one is not finite.

    `weights` are the U-Net's parameters by name; layers it lacks don't count, and 0 is returned when it lacks
    all. The product is never formed: |up @ down|^2 = sum of (up^T up) * (down down^T), both [rank, rank].
    """
    changes = [torch.zeros((), dtype=torch.float64)]
    for path, layer in DIFFUSERS.layers(seal.state).items():
        weight = weights.get(path.removeprefix("unet.") + ".weight")
        if weight is None:
            continue
        down, up = layer.down.double().flatten(1), layer.up.double().flatten(1)
        square = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0)
        changes.append(seal.header.scale * square.sqrt() / weight.double().norm().cpu())
    return float(torch.stack(changes).amax())
