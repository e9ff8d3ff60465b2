"""Random changes of every kind, for tests."""

import math

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from sealsmith.adapters import Seal, SealHeader
from sealsmith.adapters.changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank
from sealsmith.adapters.fit import adaptable, weight_shape

SHAPES = ((6, 9), (9, 6), (8, 8), (6, 4, 3, 3))
"""Of the weights changed: wide, tall, square, and a convolution."""
PLAIN_KINDS = ("lora", "loha", "lokr", "full")
KINDS = (*PLAIN_KINDS, "dora")


def random_change(kind: str, shape: tuple[int, ...], seed: int = 0, rank: int = 2) -> Change:
    """A change of that kind for a weight of `shape`: linear for "loha", of even outputs for "lokr"."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator) * 0.3

    outputs, inputs, *kernel = shape
    if kind == "lora":
        return LowRank(draw(rank, inputs, *kernel), draw(outputs, rank, *(1,) * len(kernel)), alpha=1.5)
    if kind == "loha":
        return Hadamard(
            draw(outputs, rank), draw(rank, inputs), draw(outputs, rank), draw(rank, inputs), alpha=1.5
        )
    if kind == "lokr":
        whole = draw(2, 1)
        return Kronecker(alpha=1.5, w1=whole, w2=draw(outputs // 2, inputs, *kernel))
    if kind == "full":
        return Full(draw(*shape))
    return Decomposed(random_change("lora", shape, seed, rank), draw(outputs).abs() + 0.5)


def flat_change(kind: str, shape: tuple[int, ...], rank: int = 2, seed: int = 0) -> Change:
    """A change of a convolution of even outputs and inputs, its kernel flat: "loha", "lokr" or "lokr-whole"."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator) * 0.3

    outputs, flat = shape[0], math.prod(shape[1:])
    if kind == "loha":
        return Hadamard(
            draw(outputs, rank), draw(rank, flat), draw(outputs, rank), draw(rank, flat), alpha=1.5
        )
    if kind == "lokr":
        w2_a, w2_b = draw(outputs // 2, rank), draw(rank, flat // 2)
        return Kronecker(alpha=1.5, w1=draw(2, 2), w2_a=w2_a, w2_b=w2_b)
    return Kronecker(alpha=1.5, w1=draw(2, 2), w2=draw(outputs // 2, flat // 2))


def mixed_seal(components: dict[str, nn.Module], seed: int, kinds: tuple[str, ...] = KINDS) -> Seal:
    """A seal that changes about half of all linear and convolution layers, each in a way drawn from `kinds`."""
    generator = torch.Generator().manual_seed(seed)
    layers: dict[str, Change] = {}
    for component, module in components.items():
        for path, layer in adaptable(module).items():
            half, kind = torch.randint(0, 60, (2,), generator=generator).tolist()
            shape = weight_shape(layer)
            usable = [one for one in kinds if is_possible(one, shape)]
            if half % 2:
                layers[f"{component}.{path}"] = random_change(usable[kind % len(usable)], shape, seed)
    header = SealHeader(
        "sks", "emblem", "", "", "", rank=2, alpha=1.5, targets=(), title=f"seal {seed}", created=""
    )
    return Seal(header, layers)


def is_possible(kind: str, shape: tuple[int, ...]) -> bool:
    """Whether `random_change` makes such a change for a weight of that shape."""
    return (kind != "lokr" or shape[0] % 2 == 0) and (kind != "loha" or len(shape) == 2)


def changes(shape: tuple[int, ...], kinds: tuple[str, ...] = PLAIN_KINDS) -> st.SearchStrategy[Change]:
    """Changes of one weight, of any of `kinds`, of rank 1 to 4."""
    usable = [kind for kind in kinds if is_possible(kind, shape)]
    return st.builds(
        random_change, st.sampled_from(usable), st.just(shape), st.integers(0, 10**6), st.integers(1, 4)
    )
