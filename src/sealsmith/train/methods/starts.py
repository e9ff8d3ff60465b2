"""Starts that take a part of the weight out of the base and train it: PiSSA and OLoRA.

The base keeps the residual, `weight - scale * up @ down`, while training; a seal file holds the difference between
the factors at the end and at the start, so that it fits the unchanged base, at twice the rank.

Shape letters: O outputs, I inputs, R rank; convolutions have kh and kw behind the inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Factors = Callable[[Tensor, int, float], tuple[Tensor, Tensor]]
"""(weight [O, I, ...], rank, scale) -> down [R, I, ...], up [O, R, ...] with `scale * up @ down` in the weight."""


@dataclass(frozen=True)
class Start:
    factors: Factors
    rate_factor: float
    """Default learning rate, as a multiple of the method's: what is trained is as large as the weight itself."""


def principal(weight: Tensor, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """The `rank` largest singular values with their vectors, shared evenly.

    Source: Meng et al. 2024, arXiv:2404.02948 (PiSSA). Differs: a convolution is taken as the matrix [O, I*kh*kw].
    """
    left, values, right = torch.linalg.svd(weight.detach().float().flatten(1), full_matrices=False)
    root = (values[:rank] / scale).sqrt()
    return _shaped(root.unsqueeze(1) * right[:rank], left[:, :rank] * root, weight)


def orthonormal(weight: Tensor, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """The first `rank` columns of the QR decomposition's Q, and rows of its R.

    Source: Büyükakyüz 2024, arXiv:2406.01775 (OLoRA). Differs: a convolution is taken as the matrix [O, I*kh*kw],
    and R is divided by the scale, so that what is taken out of the weight was in it.
    """
    q, r = torch.linalg.qr(weight.detach().float().flatten(1))
    return _shaped(r[:rank] / scale, q[:, :rank], weight)


def _shaped(down: Tensor, up: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    ones = (1,) * (weight.ndim - 2)
    return down.reshape(-1, *weight.shape[1:]), up.reshape(*up.shape, *ones)


STARTS = {"pissa": Start(principal, 0.5), "olora": Start(orthonormal, 0.5)}
"""By the name that `init` has; the others begin with a change of zero."""
