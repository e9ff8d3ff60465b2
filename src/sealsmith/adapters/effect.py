"""How much a seal changes a base, from its weights alone. Not for: what that does to pictures (score/)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .beside import weight_of
from .changes import norm
from .embeddings import lookup_of
from .fit import fit_seal
from .networks import Network
from .seal import Seal


def largest_change(components: Mapping[str, nn.Module], seal: Seal) -> float:
    """The largest `|change| / |weight|` (Frobenius norms) of any layer; nan if one is not finite.

    Of a hypernetwork, what it adds relative to what it reads; of vectors, how far the remotest is from every word
    of the vocabulary, relative to its length. `components` are a base's, by their names; parts they lack don't
    count, and 0 is returned when they lack all.
    """
    fit = fit_seal(components, seal.header.family, seal)
    changes = [torch.zeros((), dtype=torch.float64)]
    for path, change in fit.changes.items():
        weight = weight_of(fit.modules[path])
        changes.append(norm(change, weight) / weight.double().norm().cpu())
    changes += [_added(network) for network in fit.networks.values()]
    changes += [
        _remoteness(vectors, components[name])
        for word in fit.embeddings.values()
        for name, vectors in word.items()
    ]
    return float(torch.stack(changes).amax())


def _added(network: Network) -> Tensor:
    """Size of what a network adds to an input with entries of size 1, as if its activation let all pass.

    With layer norms the size of its weights says nothing: 1 unless it adds nothing.
    """
    if network.norms:
        return torch.tensor(float(network.has_effect), dtype=torch.float64)
    product = network.weights[0].double()
    for weight in network.weights[1:]:
        product = weight.double() @ product
    return (product.norm() + network.biases[-1].double().norm()) / network.width**0.5


def _remoteness(vectors: Tensor, text_encoder: nn.Module) -> Tensor:
    table = lookup_of(text_encoder).weight
    assert isinstance(table, Tensor)
    known = table.detach().cpu().double()
    own = vectors.cpu().double()
    nearest = torch.stack([(known - vector).norm(dim=1).amin() for vector in own])
    return (nearest / own.norm(dim=1).clamp(min=1e-30)).amax()
