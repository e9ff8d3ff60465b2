"""How much a seal changes a base, from its weights alone. Not for: what that does to pictures (score/)."""

from collections.abc import Mapping

import torch
from torch import nn

from .attach import weight_of
from .changes import norm
from .fit import fit_seal
from .seal import Seal


def largest_change(components: Mapping[str, nn.Module], seal: Seal) -> float:
    """The largest `|change| / |weight|` (Frobenius norms) of any layer; nan if one is not finite.

    `components` are a base's, by their names; layers they lack don't count, and 0 is returned when they lack
    all.
    """
    fit = fit_seal(components, seal.header.family, seal)
    changes = [torch.zeros((), dtype=torch.float64)]
    for path, change in fit.changes.items():
        weight = weight_of(fit.modules[path])
        changes.append(norm(change, weight) / weight.double().norm().cpu())
    return float(torch.stack(changes).amax())
