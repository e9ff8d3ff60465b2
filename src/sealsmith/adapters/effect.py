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

    A hypernetwork counts as 1 unless it adds nothing, and so do vectors. `components` are a base's, by their names;
    parts they lack don't count, and 0 is returned when they lack all.
    """
    fit = fit_seal(components, seal.header.family, seal)
    changes = [torch.zeros((), dtype=torch.float64)]
    for path, change in fit.changes.items():
        weight = weight_of(fit.modules[path])
        changes.append(norm(change, weight) / weight.double().norm().cpu())
    for network in fit.networks.values():
        finite = all(bool(torch.isfinite(tensor).all()) for tensor in network.tensors.values())
        changes.append(torch.tensor(float(network.has_effect) if finite else torch.nan).double())
    for vectors in fit.embeddings.values():
        finite = all(bool(torch.isfinite(each).all()) for each in vectors.values())
        changes.append(torch.tensor(1.0 if finite else torch.nan).double())
    return float(torch.stack(changes).amax())
