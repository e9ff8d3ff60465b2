"""Which way a seal takes through the engine: beside others in one batch, or merged into the weights.

Only the denoiser counts: text encoders run once a request, with that request's seals alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..adapters.changes import Change, Hadamard, Kronecker, LowRank, has_fewer_numbers
from ..adapters.fit import Fit
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


def path_of(base: Base, fit: Fit) -> Batched | Merged:
    """The path of a seal, by what of it has its place in the base."""
    prefix = f"{base.family.denoiser}."
    if any(path.startswith(prefix) for path in fit.networks):
        return Merged("a hypernetwork changes what layers read, not their weights")
    layers: dict[str, LowRank] = {}
    for path, change in fit.changes.items():
        if not path.startswith(prefix):
            continue
        low = _low_rank(change)
        if low is None:
            return Merged(f"{path} is changed by a {change.kind} of no low rank")
        layers[path] = low
    return Batched(layers)


def _low_rank(change: Change) -> LowRank | None:
    """The change as up and down, without loss, if that is fewer numbers than the weight."""
    if not isinstance(change, LowRank | Hadamard | Kronecker):
        return None
    low = change.as_low_rank()
    return low if low is change or has_fewer_numbers(low) else None
