"""One change at a smaller rank: the nearest there is, and how far away it is."""

from typing import NamedTuple

import torch
from torch import Tensor

from .changes import Change, LowRank
from .effect import norm
from .spectrum import rank_for_energy


class Truncated(NamedTuple):
    change: LowRank
    lost: float
    """Frobenius norm of what was cut off."""
    norm: float
    """Frobenius norm of the change before."""


def truncate(change: Change, rank: int | None = None, energy: float | None = None) -> Truncated:
    """The change of at most `rank` nearest to `change`, or of the lowest rank that holds the share `energy` of its
    squared norm, whichever is less; with neither, or where nothing is to be cut, the change as it is.

    Its two factors share the singular values evenly and its scale is 1, so that half precision holds them well.
    Raises: SealShapeError for "dora".
    Source: Eckart & Young 1936.
    """
    low = change.as_low_rank()
    if energy is None and (rank is None or rank >= low.rank):
        return Truncated(low, 0.0, float(norm(low)))
    left, values, right = decompose(low)
    wanted = len(values) if rank is None else min(rank, len(values))
    if energy is not None:
        wanted = min(wanted, rank_for_energy(values, energy))
    root = values[:wanted].sqrt()
    ones = (1,) * (len(change.shape) - 2)
    up = (left[:, :wanted] * root).float().reshape(-1, wanted, *ones)
    down = (root.unsqueeze(1) * right[:wanted]).float().reshape(wanted, *change.shape[1:])
    lost, whole = float(values[wanted:].norm()), float(values.norm())
    return Truncated(LowRank(down, up, float(wanted)), lost, whole)


def decompose(low: LowRank) -> tuple[Tensor, Tensor, Tensor]:
    """Singular vectors and values of a low-rank change, in float64, without the change itself if that is larger.

    Shapes: left [O, K], values [K] descending, right [K, I * kh * kw]; K = min(R, O, I * kh * kw).
    """
    up, down = low.up.double().flatten(1) * low.scale, low.down.double().flatten(1)
    if low.rank >= min(len(up), down.shape[1]):
        return _decompose_matrix(up @ down)
    left, left_core = torch.linalg.qr(up)
    right, right_core = torch.linalg.qr(down.T)
    inner_left, values, inner_right = torch.linalg.svd(left_core @ right_core.T, full_matrices=False)
    return left @ inner_left, values, inner_right @ right.T


def _decompose_matrix(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """By the smaller Gram matrix's eigenvalues: a third of an SVD's time, right to 1e-7 of the largest."""
    if matrix.shape[0] > matrix.shape[1]:
        left, values, right = _decompose_matrix(matrix.T)
        return right.T, values, left.T
    eigenvalues, vectors = torch.linalg.eigh(matrix @ matrix.T)
    values, left = eigenvalues.flip(0).clamp(min=0).sqrt(), vectors.flip(1)
    inverse = torch.where(values > 1e-8 * values[0], 1 / values, 0.0)
    return left, values, inverse.unsqueeze(1) * (left.T @ matrix)
