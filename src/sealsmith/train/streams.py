"""Random numbers of a training, without state: each draw is a function of the seed and of what it is for.

So a resumed training draws what the uninterrupted one would have drawn, and nothing else that uses random
numbers in the process (previews, other libraries) can disturb it.
"""

import hashlib

import torch
from torch import Tensor


def stream(seed: int, *purpose: str | int) -> torch.Generator:
    """A fresh CPU generator for one purpose, such as `stream(seed, "step", 17)`."""
    key = "/".join(str(part) for part in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    generator = torch.Generator()
    generator.manual_seed(number & 0x7FFF_FFFF_FFFF_FFFF)
    return generator


def pick(count: int, batch: int, size: int, seed: int, purpose: str) -> Tensor:
    """Indices `[size]` below `count` for the batch with this number.

    The batches, laid end to end, are one random permutation of all indices after the other.
    """
    first = batch * size
    epochs = range(first // count, (first + size - 1) // count + 1)
    orders = [torch.randperm(count, generator=stream(seed, purpose, epoch)) for epoch in epochs]
    start = first - epochs[0] * count
    return torch.cat(orders)[start : start + size]
