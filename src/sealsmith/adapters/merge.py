"""Several seals' changes as one, layer by layer: exactly, or approximately and with the error stated.

Pure functions of changes. Not for: files and headers (merged_seals.py), or mixing at the time of drawing, which
needs no merging (attaching.py).

A method combines the weighted changes of one layer; what it gives is then cut down to a rank if one is asked for,
so that every method can be had at every size and says by how much it missed what it aimed at.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ConfigError, SealShapeError
from .algebra import sum_in_any_order
from .changes import Change, Full, LowRank, reshaped
from .truncate import Truncated, truncate

Part = tuple[Mapping[str, Change], float]
"""One seal's layers by path, and its weight."""
OnLayer = Callable[[int, int], None]
"""Called after every layer with the layers done and the layers in all."""


@dataclass(frozen=True)
class MergeSettings:
    """How to merge. Raises ConfigError for values that make no sense."""

    method: str = "concat"
    """One of METHODS."""
    rank: int | None = None
    """Largest rank of a layer of the result; None: as large as it takes to lose nothing."""
    energy: float | None = None
    """Smallest share of every layer's squared norm to keep, by as low a rank as does it; None: no such cut."""
    density: float = 0.5
    """ties: the share of every layer's entries that is kept, 0 to 1."""
    drop: float = 0.5
    """dare: the probability that an entry is dropped, 0 to 1."""
    seed: int = 0
    """dare: of the entries dropped."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"unknown method {self.method!r}", f"choose one of {', '.join(METHODS)}")
        if self.rank is not None and self.rank < 1:
            raise ConfigError(f"the rank is {self.rank}", "give 1 or more")
        if self.energy is not None and not 0 < self.energy <= 1:
            raise ConfigError(f"the energy to keep is {self.energy}", "give a share above 0, at most 1")
        if not 0 < self.density <= 1:
            raise ConfigError(f"the density is {self.density}", "give a share above 0, at most 1")
        if not 0 <= self.drop < 1:
            raise ConfigError(f"the share to drop is {self.drop}", "give 0 or more, but less than 1")
        if self.method == "svd" and self.rank is None and self.energy is None:
            raise ConfigError("svd needs to know how far to go", "give a rank, or the energy to keep")
        if self.method == "concat" and (self.rank is not None or self.energy is not None):
            raise ConfigError("concat is exact and cuts nothing", "leave rank and energy out, or choose svd")


class Loss(NamedTuple):
    """What cutting to a rank lost of one layer. Units: Frobenius norms at strength 1."""

    lost: float
    norm: float
    """Of what the method aimed at."""

    @property
    def relative(self) -> float:
        return self.lost / self.norm if self.norm else 0.0


@dataclass(frozen=True)
class Merged:
    """One seal's worth of layers, and what each of them lost against what the method aimed at."""

    layers: dict[str, LowRank]
    losses: dict[str, Loss]

    @property
    def loss(self) -> Loss:
        """Of all layers together: square roots of the summed squares."""
        return Loss(*(math.hypot(*column) for column in zip(*self.losses.values(), strict=True)))


def merge(parts: Sequence[Part], settings: MergeSettings, on_layer: OnLayer | None = None) -> Merged:
    """The weighted changes of all parts as one; layers that only some parts have are merged from those.

    Weights may be negative. The order of the parts moves nothing but the rounding.
    Raises: ConfigError for no parts or a weight that is no finite number; SealShapeError naming the layer when
    two parts change weights of different shapes, or a layer is "dora".
    """
    if not parts or not all(math.isfinite(weight) for _, weight in parts):
        raise ConfigError(
            f"seals with the weights {[weight for _, weight in parts]} cannot be merged",
            "give at least one seal, each with a finite weight",
        )
    paths = dict.fromkeys(path for layers, _ in parts for path in layers)
    cut: dict[str, Truncated] = {}
    for path in paths:
        cut[path] = _merge_layer(path, parts, settings)
        if on_layer is not None:
            on_layer(len(cut), len(paths))
    return Merged(
        {path: done.change for path, done in cut.items()},
        {path: Loss(done.lost, done.norm) for path, done in cut.items()},
    )


def concat(parts: Sequence[Part]) -> dict[str, LowRank]:
    """The weighted sum of all changes, exact up to float32's rounding: the ranks add up. Raises: as `merge`."""
    return merge(parts, MergeSettings("concat")).layers


def shrink(layers: Mapping[str, Change], rank: int | None = None, energy: float | None = None) -> Merged:
    """One seal at a smaller rank, nearest to what it was (Eckart & Young 1936). Raises: as `merge`."""
    return merge([(layers, 1.0)], MergeSettings("svd", rank=rank, energy=energy))


def weighted_sum(changes: Sequence[Change], weights: Sequence[float]) -> LowRank:
    """The sum as one low-rank change of scale 1; of the layer's full rank where that is less than the sum of ranks.

    Raises: SealShapeError for "dora".
    """
    lows = [change.as_low_rank() for change in changes]
    rank = sum(low.rank for low in lows)
    if rank >= _full_rank(changes[0]):
        total = sum(weight * change.delta() for change, weight in zip(changes, weights, strict=True))
        assert isinstance(total, Tensor)
        return Full(total).as_low_rank()
    down = torch.cat([low.down.float() for low in lows])
    ups = [low.up.float() * (weight * low.scale) for low, weight in zip(lows, weights, strict=True)]
    return LowRank(down, torch.cat(ups, dim=1), float(rank))


def trim(delta: Tensor, density: float) -> Tensor:
    """`delta` with its largest entries alone, a share `density` of them; ties at the edge are kept.

    Differs: Yadav et al. trim a model's whole change at once; here each layer is trimmed by itself.
    """
    kept = math.ceil(density * delta.numel())
    magnitudes = delta.abs()
    edge = magnitudes.flatten().kthvalue(delta.numel() - kept + 1).values
    return torch.where(magnitudes >= edge, delta, 0.0)


def disjoint_mean(deltas: Tensor) -> Tensor:
    """Per entry the mean of those deltas that are not 0 and agree with the sign of the sum.

    Shapes: deltas [N, ...] -> [...].
    Source: Yadav et al. 2023, arXiv:2306.01708, steps "elect" and "disjoint merge".
    """
    elected = sum_in_any_order(tuple(deltas)).sign()  # the order of the seals must not turn a sign
    agreeing = (deltas.sign() == elected) & (deltas != 0)
    return (deltas * agreeing).sum(0) / agreeing.sum(0).clamp(min=1)


def thin(delta: Tensor, drop: float, seed: int, path: str = "") -> Tensor:
    """`delta` with entries dropped at random and the rest scaled up, so that its expectation stays what it is.

    Which ones depends on the seed, the layer's path and the delta itself: a seal is thinned alike in any company.
    Source: Yu et al. 2023, arXiv:2311.03099.
    """
    digest = hashlib.sha256(f"{seed}\0{path}\0".encode())
    digest.update(memoryview(delta.contiguous().cpu().numpy()))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(int.from_bytes(digest.digest()[:8], "little", signed=True))
    kept = torch.rand(delta.shape, generator=generator) >= drop
    return delta * kept / (1 - drop)


def _ties(path: str, changes: Sequence[Change], weights: Sequence[float], settings: MergeSettings) -> Change:
    deltas = [
        weight * trim(change.delta(), settings.density)
        for change, weight in zip(changes, weights, strict=True)
    ]
    return Full(disjoint_mean(torch.stack(deltas)))


def _dare_linear(
    path: str, changes: Sequence[Change], weights: Sequence[float], settings: MergeSettings
) -> Change:
    return Full(_thinned(path, changes, weights, settings).sum(0))


def _dare_ties(
    path: str, changes: Sequence[Change], weights: Sequence[float], settings: MergeSettings
) -> Change:
    return Full(disjoint_mean(_thinned(path, changes, weights, settings)))


def _thinned(
    path: str, changes: Sequence[Change], weights: Sequence[float], settings: MergeSettings
) -> Tensor:
    return torch.stack(
        [
            weight * thin(change.delta(), settings.drop, settings.seed, path)
            for change, weight in zip(changes, weights, strict=True)
        ]
    )


def _sum(path: str, changes: Sequence[Change], weights: Sequence[float], settings: MergeSettings) -> Change:
    return weighted_sum(changes, weights)


METHODS: dict[str, Callable[[str, Sequence[Change], Sequence[float], MergeSettings], Change]] = {
    "concat": _sum,
    "svd": _sum,
    "ties": _ties,
    "dare": _dare_linear,
    "dare-ties": _dare_ties,
}
"""How the weighted changes of one layer, at `path`, become one. Cutting to a rank comes afterwards."""


def _merge_layer(path: str, parts: Sequence[Part], settings: MergeSettings) -> Truncated:
    changes = _aligned(path, [layers[path] for layers, _ in parts if path in layers])
    weights = [weight for layers, weight in parts if path in layers]
    if any(change.kind == "dora" for change in changes):
        raise SealShapeError(
            f"layer {path!r} is DoRA, which depends on the base's weights and cannot be merged without them",
            "fuse that seal into its base instead, or merge seals without DoRA",
        )
    combined = METHODS[settings.method](path, changes, weights, settings)
    return truncate(combined, settings.rank, settings.energy)


def _aligned(path: str, changes: Sequence[Change]) -> list[Change]:
    """The changes in one shape: some files keep a convolution's kernel flat."""
    shapes = sorted({change.shape for change in changes}, key=len)
    found = [reshaped(change, shapes[-1]) for change in changes]
    fitting = [change for change in found if change is not None]
    if len(fitting) < len(changes):
        raise SealShapeError(
            f"layer {path!r}: the seals change weights of the shapes {' and '.join(map(str, shapes))}",
            "merge seals of one base",
        )
    return fitting


def _full_rank(change: Change) -> int:
    return min(change.shape[0], math.prod(change.shape[1:]))
