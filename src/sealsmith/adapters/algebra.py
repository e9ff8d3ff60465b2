"""Arithmetic on low-rank changes: pure functions of tensors, without models or files."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import SealShapeError


def delta(down: Tensor, up: Tensor, scale: float) -> Tensor:
    """Weight change of one layer, `scale * up @ down`.

    Shapes: down [R, I], up [O, R] -> [O, I], in the dtype of `up`; for convolutions
    down [R, I, kh, kw], up [O, R, 1, 1] -> [O, I, kh, kw].
    Units: `scale` is alpha / rank; a request's strength is not in it.
    Raises: SealShapeError when the two ranks differ, or `up` is a convolution wider than 1x1.
    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1; for convolutions LoCon (LyCORIS, arXiv:2309.14859).
    """
    rank = down.shape[0]
    if up.ndim != down.ndim or up.shape[1] != rank or up[0, 0].numel() != 1:
        raise SealShapeError(
            f"down {tuple(down.shape)} and up {tuple(up.shape)} do not make one low-rank change",
            "down is [rank, in, ...] and up is [out, rank] with the same rank",
        )
    product = up.reshape(-1, rank) @ down.to(up.dtype).reshape(rank, -1)
    return torch.mul(product, scale).reshape(up.shape[0], *down.shape[1:])


def sum_in_any_order(terms: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape, the same to the last bit in whatever order they come."""
    stacked = torch.stack(tuple(terms))
    return (stacked.sort(dim=0).values if len(terms) > 2 else stacked).sum(0)
