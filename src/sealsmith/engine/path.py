"""Which way a seal takes through the engine: beside others in one batch, or merged into the weights.

Only the denoiser counts: text encoders run once a request, with that request's seals alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..adapters.changes import Change, Hadamard, Kronecker, LowRank, reshaped
from ..adapters.fit import fit_seal
from ..adapters.seal import Seal
from ..bases import Base


@dataclass(frozen=True, eq=False)
class Batched:
    """The seal shares forward passes with any others."""

    layers: Mapping[str, LowRank]
    """What it does to the denoiser, by canonical path, each in the shape of its layer's weight."""


@dataclass(frozen=True)
class Merged:
    """The seal is put into the weights, for requests of its own."""

    reason: str


def path_of(base: Base, seal: Seal) -> Batched | Merged:
    """The path of a seal that `adapters.check_base` has let pass. Layers without a place in the base are left out."""
    prefix = f"{base.family.denoiser}."
    if any(path.startswith(prefix) for path in seal.networks):
        return Merged("a hypernetwork changes what layers read, not their weights")
    fit = fit_seal(base.components, base.family.name, seal)
    layers: dict[str, LowRank] = {}
    for path, change in fit.changes.items():
        if not path.startswith(prefix):
            continue
        low = _low_rank(seal.layers[path], change.shape)
        if low is None:
            return Merged(f"{path} is changed by a {change.kind} of no low rank")
        layers[path] = low
    return Batched(layers)


def _low_rank(change: Change, shape: tuple[int, ...]) -> LowRank | None:
    """The change as up and down for a weight of `shape`, without loss, if that is fewer numbers than the weight."""
    if not isinstance(change, LowRank | Hadamard | Kronecker):
        return None
    low = reshaped(change.as_low_rank(), shape)
    assert isinstance(low, LowRank)
    outputs, inputs = shape[0], math.prod(shape[1:])
    is_smaller = low.rank * (outputs + inputs) < outputs * inputs
    return low if is_smaller or isinstance(change, LowRank) else None
