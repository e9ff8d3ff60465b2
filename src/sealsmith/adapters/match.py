"""Whether a seal may go onto a base: refused with the reason, or accepted with an account of every layer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ..errors import BaseMismatchError, ConfigError, SealEffectError, SealShapeError
from .beside import Schedule
from .checks import check_finite
from .embeddings import check_embeddings
from .fit import NO_EFFECT, OTHER_FAMILY, ComponentFit, Fit, fit_seal
from .networks import check_networks
from .seal import Seal


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class AttachableBase(Protocol):
    """What attaching needs to know about a base (`sealsmith.bases.Base` is one)."""

    @property
    def components(self) -> Mapping[str, nn.Module]: ...
    @property
    def pipeline(self) -> Any: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def family(self) -> _Named: ...


Weighted = Sequence[tuple[Seal, float | Schedule]]
"""Seals and how strongly each acts."""


@dataclass(frozen=True)
class AttachReport:
    """How much of one seal found its place in the base. Counts are layers."""

    seal: str
    components: tuple[ComponentFit, ...]
    unmatched: tuple[str, ...]
    """Paths of the layers the base does not have."""
    unknown: tuple[str, ...]
    """Tensors of the seal's file that nobody could read."""
    other_base: str = ""
    """What it was trained on, as a sentence names it: another base of the family, or other weights of this one."""

    @property
    def matched(self) -> int:
        return sum(part.matched for part in self.components)

    @property
    def total(self) -> int:
        return sum(part.total for part in self.components)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one sentence each; empty when everything fits."""
        said = []
        if self.matched < self.total:
            parts = ", ".join(f"{part.component} {part.matched} of {part.total}" for part in self.components)
            said.append(
                f"seal {self.seal!r}: only {self.matched} of {self.total} layers found their place ({parts})"
            )
        if self.unknown:
            said.append(
                f"seal {self.seal!r}: {len(self.unknown)} tensors of its file are of no known kind and are "
                f"not used, {self.unknown[0]!r} first"
            )
        if self.other_base:
            said.append(f"seal {self.seal!r} was trained on {self.other_base}: it may look different here")
        return tuple(said)


def check_base(base: AttachableBase, seal: Seal) -> None:
    """Refuses a seal that this base cannot take. Raises: BaseMismatchError, SealShapeError."""
    _check_fit(base, seal, fit_seal(base.components, base.family.name, seal))


def match_seal(
    base: AttachableBase, seal: Seal, strength: float | Schedule = 1.0
) -> tuple[Fit, AttachReport]:
    """One seal's layers that the base has, and the account of all, whatever is on the base. Raises: as `attach`."""
    if isinstance(strength, int | float) and not math.isfinite(strength):
        raise ConfigError(
            f"the strength of {seal.name!r} is {strength}", "give a finite number, mostly 0 to 1"
        )
    check_finite(seal.layers)
    check_networks(seal.networks)
    check_embeddings(seal.embeddings)
    fit = fit_seal(base.components, base.family.name, seal)
    _check_fit(base, seal, fit)
    if fit.verdict == NO_EFFECT:
        raise SealEffectError(
            f"seal {seal.name!r} does nothing: every change in it is zero",
            "it was saved before it was trained; use a later checkpoint",
        )
    other = ""
    if seal.header.base_digest not in ("", base.digest):
        is_namesake = seal.header.base == base.name
        other = f"other weights of {base.name!r}" if is_namesake else repr(seal.header.base)
    return fit, AttachReport(seal.name, fit.components, fit.unmatched, seal.unknown, other)


def _check_fit(base: AttachableBase, seal: Seal, fit: Fit) -> None:
    wanted = seal.header
    if fit.verdict == OTHER_FAMILY and fit.matched and not fit.misshapen:
        raise BaseMismatchError(
            f"seal {seal.name!r} was made for {wanted.family}, this base, {base.name!r}, is {base.family.name}",
            f"open the base it was trained on ({wanted.base or wanted.family}), or train it again on this one",
        )
    if fit.verdict == OTHER_FAMILY and not fit.misshapen:
        raise BaseMismatchError(
            f"none of the {fit.total} layers of seal {seal.name!r} exist in {base.name!r}",
            "the seal was made for another architecture; open the base it was trained on",
        )
    if fit.misshapen:
        path, (found, shape) = next(iter(fit.misshapen.items()))
        if len(shape) == 1:
            raise SealShapeError(
                f"{path!r}: the seal's part is for a width of {found[0]}, the base {base.name!r} has {shape[0]}",
                "the seal was made for another base; open that one",
            )
        raise SealShapeError(
            f"layer {path!r}: the seal changes weights of shape {found}, the base has {shape} "
            f"({len(fit.misshapen)} of {fit.total} layers differ)",
            "the seal was made for another base, or the file is damaged",
        )
