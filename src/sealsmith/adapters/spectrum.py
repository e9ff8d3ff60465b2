"""How large each layer's change is and over how many directions it spreads: norms, singular values, ranks.

A low-rank change is never multiplied out: the squares of its singular values are the eigenvalues of a product of
two [R, R] Gram matrices. These are made in float64, so that values down to 1e-7 of the largest are right; smaller
ones come back as noise of that size or as 0.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .changes import Change, LowRank


class _Grams(NamedTuple):
    """`up^T up` and `down down^T` of one change, both [R, R] float64, the file's own scale in the first."""

    up: Tensor
    down: Tensor


@dataclass(frozen=True)
class Spectrum:
    """What one layer's change is like as a matrix [O, I * kh * kw]."""

    singular_values: Tensor
    """Descending, float64."""
    norm: float
    """Frobenius norm of the change, strength 1."""
    share: float
    """Of the seal's energy, the sum of all layers' squared norms: 0 to 1."""

    @property
    def effective_rank(self) -> float:
        return effective_rank(self.singular_values)

    @property
    def stable_rank(self) -> float:
        return stable_rank(self.singular_values)


def spectra(layers: Mapping[str, Change], weights: Mapping[str, Tensor] | None = None) -> dict[str, Spectrum]:
    """The spectrum of every layer, in the order of `layers`.

    `weights` are the base's, by the same paths; only "dora" layers need theirs.
    Raises: SealShapeError for a "dora" layer without its weight.
    """
    values = _all_values(layers, weights or {})
    norms = {path: float(values[path].norm()) for path in layers}
    energy = sum(norm**2 for norm in norms.values())
    return {
        path: Spectrum(values[path], norm, norm**2 / energy if energy else 0.0)
        for path, norm in norms.items()
    }


def singular_values(change: Change, weight: Tensor | None = None) -> Tensor:
    """Of the change as a matrix [O, I * kh * kw], descending, float64."""
    return _all_values({"": change}, {} if weight is None else {"": weight})[""]


def effective_rank(singular_values: Tensor) -> float:
    """The exponential of the entropy of the values' shares: 1 for one direction, n for n equal ones, 0 for none.

    Source: Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    total = singular_values.sum()
    if not total > 0:
        return 0.0
    return float(torch.special.entr(singular_values / total).sum().exp())


def stable_rank(singular_values: Tensor) -> float:
    """The squared Frobenius norm over the squared largest value: never above the rank; 0 for a zero change.

    Source: Rudelson & Vershynin 2007, arXiv:math/0503442.
    """
    if not bool((singular_values > 0).any()):
        return 0.0
    return float((singular_values / singular_values.max()).square().sum())


def rank_for_energy(singular_values: Tensor, energy: float) -> int:
    """How many of the largest values it takes to hold the share `energy` of the sum of squares; at least 1."""
    held = singular_values.double().square().cumsum(0)
    if not (held.numel() and held[-1] > 0):
        return 1
    return int((held < energy * held[-1]).sum().clamp(max=held.numel() - 1)) + 1


def _all_values(layers: Mapping[str, Change], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Singular values by path; changes of equal rank share one batched decomposition."""
    values: dict[str, Tensor] = {}
    batches: dict[int, dict[str, _Grams]] = defaultdict(dict)
    for path, change in layers.items():
        grams = _grams(change)
        if grams is None:
            values[path] = _values_of_matrix(change.delta(weights.get(path)).flatten(1))
        else:
            batches[len(grams.up)][path] = grams
    for batch in batches.values():
        ups, downs = (torch.stack(halves) for halves in zip(*batch.values(), strict=True))
        values |= zip(batch, _values_of_grams(ups, downs), strict=True)
    return values


def _grams(change: Change) -> _Grams | None:
    """The Gram matrices of a change whose rank makes them smaller than the change itself, else None."""
    if change.kind not in ("lora", "loha"):
        return None
    low: LowRank = change.as_low_rank()
    up, down = low.up.double().flatten(1), low.down.double().flatten(1)
    if low.rank >= min(len(up), down.shape[1]):
        return None
    return _Grams(up.T @ up * low.scale**2, down @ down.T)


def _values_of_grams(ups: Tensor, downs: Tensor) -> Tensor:
    """Singular values [N, R] of N products from their Gram matrices [N, R, R]."""
    eigenvalues, vectors = torch.linalg.eigh(ups)
    root = vectors * eigenvalues.clamp(min=0).sqrt().unsqueeze(-2)
    return _roots(torch.linalg.eigvalsh(root.mT @ downs @ root))


def _values_of_matrix(matrix: Tensor) -> Tensor:
    whole = matrix.double()
    small = whole if whole.shape[0] <= whole.shape[1] else whole.T
    return _roots(torch.linalg.eigvalsh(small @ small.T))


def _roots(ascending: Tensor) -> Tensor:
    return ascending.flip(-1).clamp(min=0).sqrt()
