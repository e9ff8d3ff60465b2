"""Pools with seals in them and batches over those, for the engine's tests."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from sealsmith.adapters import LowRank, Seal
from sealsmith.adapters.fit import weight_shape
from sealsmith.engine.packing import packed
from sealsmith.engine.pool import Lease, Pool

POPULARITIES = ("identical", "distinct", "uniform", "zipf")


def random_low_rank(shape: Sequence[int], rank: int, seed: int, alpha: float = 2.0) -> LowRank:
    """A change of a weight of `shape` that is about as large as what the weight does."""
    generator = torch.Generator().manual_seed(seed)
    outputs, *inputs = shape
    size = 1 / math.sqrt(math.prod(inputs))
    down = torch.randn(rank, *inputs, generator=generator) * size
    up = torch.randn(outputs, rank, *(1,) * (len(inputs) - 1), generator=generator)
    return LowRank(down, up, alpha * math.sqrt(rank))


def layers_for(modules: dict[str, nn.Module], rank: int, seed: int) -> dict[str, LowRank]:
    return {
        path: random_low_rank(weight_shape(module), rank, seed * 1000 + number)
        for number, (path, module) in enumerate(modules.items())
    }


def lease_of(pool: Pool, key: str, layers: dict[str, LowRank]) -> Lease:
    """A lease in a pool that is known to have room."""
    lease = pool.reserve(key, packed(layers, pool.dtype))
    assert isinstance(lease, Lease)
    return lease


def resident(pool: Pool, seal: Seal, key: str = "") -> Lease:
    """The lease of a seal that has low-rank changes alone."""
    layers = {path: change for path, change in seal.layers.items() if isinstance(change, LowRank)}
    assert len(layers) == len(seal.layers)
    return lease_of(pool, key or seal.name, layers)


def drawn(popularity: str, num_requests: int, num_seals: int, seed: int) -> list[int]:
    """Which seal each request asks for."""
    generator = torch.Generator().manual_seed(seed)
    if popularity == "identical":
        return [0] * num_requests
    if popularity == "distinct":
        return [i % num_seals for i in range(num_requests)]
    weights = torch.ones(num_seals) if popularity == "uniform" else torch.arange(1, num_seals + 1).pow(-0.8)
    return torch.multinomial(weights, num_requests, replacement=True, generator=generator).tolist()
