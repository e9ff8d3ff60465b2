"""Seals added into the base's own weights, and taken out again to the last bit.

A fused base draws as fast as a bare one: nothing runs beside its layers. Taking the change off by subtraction
would leave rounding behind, so the weights from before are kept and put back.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakSet

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .algebra import sum_in_any_order
from .attaching import match_seals
from .beside import Schedule, weight_of
from .changes import moved
from .fit import Fit
from .match import AttachableBase, AttachReport, Weighted
from .seal import Seal


@dataclass(frozen=True, eq=False)
class _Use:
    """One seal in the weights."""

    seal: Seal
    strength: float | Schedule
    fit: Fit
    report: AttachReport

    def part(self, path: str, pristine: Tensor) -> Tensor:
        """What it adds to the layer at `path`, float32, where the weight is."""
        change = moved(self.fit.changes[path], pristine.device)
        return change.delta(pristine) * _factor(self.strength, path)

    def is_same(self, other: "_Use") -> bool:
        return self.seal is other.seal and self.strength == other.strength


@dataclass(frozen=True, eq=False)
class _Kept:
    """A layer some seal was or is in, and its weight from before."""

    module: nn.Module
    pristine: Tensor

    def expected(self, parts: Sequence[Tensor]) -> Tensor:
        """The weight with these changes in it: summed in float32 in an order of no account, rounded once."""
        if not parts:
            return self.pristine
        changed = self.pristine.float() + sum_in_any_order(parts)
        return changed.to(self.pristine.dtype)


_FUSED: WeakSet[nn.Module] = WeakSet()
"""Components of bases that have seals in their weights."""


class Fusion:
    """Which seals are in the weights of a base, over any history of putting them in and taking them out.

    At any time every weight is `pristine + sum of strength * delta`, rounded once, whatever came before and in
    whatever order; without seals it is the pristine one, bit for bit. `verify` proves it. DoRA's share is reckoned
    from the pristine weight, as if each seal were alone. Layers once touched are kept in a second copy until
    `close`. Not for several threads.
    """

    def __init__(self, base: AttachableBase):
        """Raises: ConfigError for a base that carries seals already, beside its layers or in its weights."""
        match_seals(base, [])
        if is_fused(base):
            raise ConfigError(
                "the base already has seals in its weights", "use the fusion it has, or close that first"
            )
        self._base = base
        self._uses: list[_Use] = []
        self._kept: dict[str, _Kept] = {}

    @property
    def seals(self) -> tuple[tuple[Seal, float | Schedule], ...]:
        """What is in the weights now."""
        return tuple((use.seal, use.strength) for use in self._uses)

    @property
    def reports(self) -> tuple[AttachReport, ...]:
        """How much of each of them found its place."""
        return tuple(use.report for use in self._uses)

    def fuse(self, seal: Seal, strength: float | Schedule = 1.0) -> AttachReport:
        """Puts one more seal in; one that is in already gets the new strength. Raises: as `switch` does."""
        others = [(other, its) for other, its in self.seals if other is not seal]
        self.switch([*others, (seal, strength)])
        return self._uses[-1].report

    def unfuse(self, seal: Seal) -> None:
        """Takes one seal out. Raises: ConfigError when it is not in."""
        rest = [(other, strength) for other, strength in self.seals if other is not seal]
        if len(rest) == len(self._uses):
            raise ConfigError(
                f"the seal {seal.name!r} is not in the weights",
                f"in them are: {', '.join(repr(other.name) for other, _ in self.seals) or 'none'}",
            )
        self.switch(rest)

    def clear(self) -> None:
        """Takes all seals out; also after an interruption left the weights half changed."""
        self._uses = []
        for path in self._kept:
            self._write(path)
        for component in self._base.components.values():
            _FUSED.discard(component)

    def switch(self, seals: Weighted) -> tuple[AttachReport, ...]:
        """Has just these seals in the weights; one report a seal. Layers that stay as they are are not touched.

        All are checked before the first weight is touched: after an error the weights are as they were.
        Raises: ConfigError for a strength that changes over the steps, or a quantised base; else as `attach` does.
        """
        uses = self._planned(seals)
        changed = dict.fromkeys(path for use in _difference(self._uses, uses) for path in use.fit.changes)
        self._uses = uses
        if not uses:
            self.clear()
            return ()
        _FUSED.update(self._base.components.values())
        for path in changed:
            self._write(path)
        return self.reports

    def close(self) -> None:
        """Takes all seals out and forgets the pristine copies."""
        self.clear()
        self._kept.clear()

    def verify(self) -> None:
        """Proves anew that every layer ever touched has the weight it should have, bit for bit.

        Raises: AssertionError naming the first that has not.
        """
        for path, kept in self._kept.items():
            expected = kept.expected(self._parts(path))
            now = weight_of(kept.module).to(expected.device)
            assert torch.equal(now, expected), f"{path} is not what was fused into it"

    def _planned(self, seals: Weighted) -> list[_Use]:
        fits = match_seals(self._base, seals)
        uses = [
            _Use(seal, strength, fit, report)
            for (seal, strength), (fit, report) in zip(seals, fits, strict=True)
        ]
        for use in uses:
            check_weights_alone(use.seal)
            for path, module in use.fit.modules.items():
                _factor(use.strength, path)
                check_fusible(path, module)
                if path not in self._kept:
                    self._kept[path] = _Kept(module, weight_of(module).clone())
        return uses

    def _parts(self, path: str) -> list[Tensor]:
        pristine = self._kept[path].pristine
        return [use.part(path, pristine) for use in self._uses if path in use.fit.changes]

    @torch.no_grad()
    def _write(self, path: str) -> None:
        kept = self._kept[path]
        weight_of(kept.module).copy_(kept.expected(self._parts(path)))


@contextmanager
def fused(base: AttachableBase, seals: Weighted) -> Iterator[tuple[AttachReport, ...]]:
    """A context in which the base's weights are `weight + sum of strength * delta`; one report a seal.

    Afterwards, however the block ended, every weight is bit for bit what it was. Needs memory for a second copy
    of the changed layers. Without seals the base is left alone.
    Raises: as `Fusion.switch` does, before any weight is touched.
    """
    if not seals:
        yield ()
        return
    fusion = Fusion(base)
    try:
        yield fusion.switch(seals)
    finally:
        fusion.close()


def is_fused(base: AttachableBase) -> bool:
    """Whether a `Fusion` has seals in the base's weights."""
    return any(component in _FUSED for component in base.components.values())


def check_weights_alone(seal: Seal) -> None:
    """Refuses a seal that is not, or not only, a change of weights. Raises: ConfigError."""
    if not seal.is_weights_alone:
        what = "vectors of a word" if seal.embeddings else "hypernetworks"
        raise ConfigError(
            f"seal {seal.name!r} holds {what}, which no weights of the base can take in",
            "put the seal beside the layers; that is how pictures are drawn unless fusing is asked for",
        )


def check_fusible(path: str, module: nn.Module) -> None:
    """Refuses a layer whose weight is no plain tensor of floats: what is added to rounded weights is rounded too.

    Raises: ConfigError.
    """
    weight = module.weight
    if type(weight) is not nn.Parameter or not weight.is_floating_point():
        raise ConfigError(
            f"the base is quantised ({path!r} holds {type(weight).__name__}): no seal can be fused into it",
            "fuse first, quantise after; or put the seal beside the layers",
        )


def _difference(before: Sequence[_Use], after: Sequence[_Use]) -> list[_Use]:
    """What is in only one of the two, as often as it is more in one."""
    gone, new = list(before), []
    for use in after:
        match = next((old for old in gone if old.is_same(use)), None)
        if match is None:
            new.append(use)
        else:
            gone.remove(match)
    return gone + new


def _factor(strength: float | Schedule, path: str) -> float:
    """The one number for this layer. Raises: ConfigError for a strength that is none, or changes with the steps."""
    if isinstance(strength, int | float):
        return float(strength)
    if not strength.is_constant:
        raise ConfigError(
            "a strength that changes over the steps cannot be fused into the weights",
            "give one number, or put the seal beside the layers",
        )
    factor = strength.factor(path, 0, 1)
    assert math.isfinite(factor)
    return factor
