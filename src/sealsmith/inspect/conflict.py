"""How two seals' weights meet on one base: layer by layer, block by block, and what damage that predicts.

Not for: the arithmetic (adapters/overlap.py) or what the pictures say (score/conflicts.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from torch import Tensor

from ..adapters import Change, Seal, check_base, fit_seal
from ..adapters.beside import weight_of
from ..adapters.blocks import Layout, find_layout
from ..adapters.fit import adaptable
from ..adapters.overlap import Overlap, damage, overlaps, plain
from ..bases import Base


@dataclass(frozen=True)
class Shared:
    """How much of the smaller of two spaces lies in the larger: the mean squared cosine of their angles, 0..1."""

    value: float
    chance: float
    """What two random spaces of these ranks would have in common."""
    smallest_deg: float
    """The smallest principal angle."""


@dataclass(frozen=True)
class LayerConflict:
    """One layer that both seals change."""

    path: str
    block: str
    written: Shared
    read: Shared
    cosine: float
    """Of the two changes: below 0 they oppose each other."""
    damage: tuple[float, float]
    """Predicted: to the first by the second, to the second by the first; see adapters/overlap.py."""
    crossed: float
    """Its share of all that the two answer of each other's, 0..1."""
    carried: tuple[float, float]
    """Its share of each seal's squared norm, over the layers that both change."""


@dataclass(frozen=True)
class WeightConflict:
    """Two seals' weights on one base."""

    seals: tuple[str, str]
    num_layers: tuple[int, int]
    damage: tuple[float, float]
    """Over all layers both change; to the first by the second, to the second by the first."""
    cosine: float
    """Of the two seals as a whole, over those layers."""
    blocks: Mapping[str, float]
    """Block -> its share of all that the two answer of each other's; the largest first."""
    layers: tuple[LayerConflict, ...]

    @property
    def num_opposed(self) -> int:
        return sum(layer.cosine < 0 for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def weight_conflicts(base: Base, seals: Sequence[Seal]) -> list[WeightConflict]:
    """How every two of the seals meet on the base.

    Raises: BaseMismatchError, SealShapeError for a seal that is not for this base; ConfigError for a base without
    blocks.
    """
    for seal in seals:
        check_base(base, seal)
    layout = find_layout(adaptable(base.denoiser))
    placed = [_placed(base, seal) for seal in seals]
    return [
        weight_conflict((seals[i].name, seals[j].name), placed[i], placed[j], layout)
        for i, j in combinations(range(len(seals)), 2)
    ]


def weight_conflict(
    names: tuple[str, str], a: Mapping[str, Change], b: Mapping[str, Change], layout: Layout
) -> WeightConflict:
    """How the layers of two seals meet; `layout` says which block each belongs to."""
    met = overlaps(a, b)
    whole = _Whole(
        sum(one.crossed**2 for one in met.values()) or 1.0,
        (_squares(met, 0) or 1.0, _squares(met, 1) or 1.0),
    )
    layers = tuple(_layer(path, layout.block(path), a[path].shape, one, whole) for path, one in met.items())
    return WeightConflict(
        names, (len(a), len(b)), damage(list(met.values())), _cosine(met), _by_block(layers), layers
    )


def crossed_by_block(conflicts: Sequence[WeightConflict]) -> dict[str, float]:
    """The mean of several pairs' `blocks`."""
    names = dict.fromkeys(block for conflict in conflicts for block in conflict.blocks)
    return {
        block: sum(conflict.blocks.get(block, 0.0) for conflict in conflicts) / len(conflicts)
        for block in names
    }


def spare_blocks(conflicts: Sequence[WeightConflict], num_seals: int) -> tuple[dict[str, float], ...]:
    """Of each seal, block -> the block's share of all that it and the others answer of each other's, less its own.

    Above 0 the seal disturbs more there than it carries. `conflicts` are those of every two, as `weight_conflicts`
    has them; a seal's are averaged.
    """
    found: tuple[dict[str, float], ...] = tuple({} for _ in range(num_seals))
    for pair, conflict in zip(combinations(range(num_seals), 2), conflicts, strict=True):
        for layer in conflict.layers:
            for seal, carried in zip(pair, layer.carried, strict=True):
                surplus = (layer.crossed - carried) / (num_seals - 1)
                found[seal][layer.block] = found[seal].get(layer.block, 0.0) + surplus
    return found


def _placed(base: Base, seal: Seal) -> dict[str, Change]:
    fit = fit_seal(base.components, base.family.name, seal)
    weights: dict[str, Tensor] = {path: weight_of(module) for path, module in fit.modules.items()}
    return plain(fit.changes, weights)


@dataclass(frozen=True)
class _Whole:
    """What a layer's part is a share of."""

    crossed: float
    norms: tuple[float, float]
    """Squared."""


def _layer(path: str, block: str, shape: tuple[int, ...], met: Overlap, whole: _Whole) -> LayerConflict:
    num_inputs = 1
    for side in shape[1:]:
        num_inputs *= side
    return LayerConflict(
        path,
        block,
        _shared(met.written, met.ranks, shape[0]),
        _shared(met.read, met.ranks, num_inputs),
        met.cosine,
        met.damage,
        met.crossed**2 / whole.crossed,
        (met.norms[0] ** 2 / whole.norms[0], met.norms[1] ** 2 / whole.norms[1]),
    )


def _shared(angles: Tensor, ranks: tuple[int, int], size: int) -> Shared:
    if not len(angles):
        return Shared(0.0, 0.0, 90.0)
    value = float(angles.deg2rad().cos().square().mean())
    return Shared(value, max(ranks) / size, float(angles[0]))


def _cosine(met: Mapping[str, Overlap]) -> float:
    inner = sum(one.cosine * one.norms[0] * one.norms[1] for one in met.values())
    squares = [_squares(met, side) for side in (0, 1)]
    return float(inner / (squares[0] * squares[1]) ** 0.5) if all(squares) else 0.0


def _squares(met: Mapping[str, Overlap], side: int) -> float:
    return sum(one.norms[side] ** 2 for one in met.values())


def _by_block(layers: Sequence[LayerConflict]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for layer in layers:
        shares[layer.block] = shares.get(layer.block, 0.0) + layer.crossed
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
