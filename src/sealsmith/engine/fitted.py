"""A seal made ready for the engine's base, once, when it is loaded: matched, checked, and taken apart.

What it does to text encoders acts when a prompt is read, what it does to the denoiser acts in every step, on the
rows of its own pictures. Not for: where seals come from; a `SealSource` says that.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from torch import nn

from ..adapters import AttachReport, Fit, Seal
from ..adapters.changes import has_effect
from ..adapters.fuse import check_fusible
from ..adapters.match import match_seal
from ..adapters.strength import Strength
from ..bases import Base
from ..errors import ConfigError, SealMissingError
from ..generate.mixing import placed
from ..generate.recipe import SealUse, seal_use, strength_text
from .packing import Packed, packed
from .path import Batched, path_of
from .request import Path


@dataclass(frozen=True, eq=False)
class FittedSeal:
    """A seal that has its place in the base."""

    key: str
    """Hash of its content."""
    seal: Seal
    report: AttachReport
    text: Seal | None
    """The part of it that changes how prompts are read."""
    denoiser: Seal | None
    """The part of it that changes the denoiser."""
    fit: Fit
    """That part, held against the base."""
    use: SealUse
    """What recipes say of it, at strength 1."""
    packed: Packed | None
    """That part as changes of low rank, ready for the bank's pool; None where it has others, or more."""
    can_merge: bool
    """Whether the denoiser's weights can take it in: no hypernetworks, and no quantised layers."""

    def used(self, strength: float | Strength) -> SealUse:
        """What a recipe says of it at a strength."""
        return replace(self.use, strength=float(strength), how=strength_text(strength))


class SealSource(Protocol):
    """Where the engine gets seals from. What was acquired stays in memory until it is released as often."""

    def acquire(self, key: str) -> "Future[FittedSeal]":
        """The seal of that content hash, now or later; at once, and without raising: errors are the future's."""
        ...

    def release(self, key: str) -> None: ...

    @property
    def is_short(self) -> bool:
        """Whether a seal waits for room, and comes no sooner than another is released."""
        ...


class HeldSeals:
    """A source of seals that are all in memory, for good."""

    is_short = False

    def __init__(self, base: Base, seals: Mapping[str, Seal]):
        """Raises: as `fitted` does."""
        self._seals = {key: fitted(base, key, seal) for key, seal in seals.items()}

    def acquire(self, key: str) -> "Future[FittedSeal]":
        future: Future[FittedSeal] = Future()
        if key in self._seals:
            future.set_result(self._seals[key])
        else:
            future.set_exception(SealMissingError(f"there is no seal {key!r}", "name one that was stored"))
        return future

    def release(self, key: str) -> None:
        """Nothing: they stay."""


def fitted(base: Base, key: str, seal: Seal, use: SealUse | None = None) -> FittedSeal:
    """The seal, ready for the base. Changes nothing of the base, and may run beside its passes in another thread.

    Without `use`, the hashes for recipes are taken from the file the seal was read from, if any.
    Raises: as `sealsmith.adapters.attach` does.
    """
    fit, report = match_seal(base, seal)
    changes = {path: change for path, change in fit.changes.items() if has_effect(change)}
    networks = {path: network for path, network in fit.networks.items() if network.has_effect}
    ours = f"{base.family.denoiser}."
    layers = {path: change for path, change in changes.items() if path.startswith(ours)}
    texts = {path: change for path, change in changes.items() if not path.startswith(ours)}
    text = replace(seal, layers=texts, networks={}, embeddings=fit.embeddings)
    denoiser = replace(seal, layers=layers, networks=networks, embeddings={})
    own_fit = replace(fit, changes=layers, networks=networks, embeddings={})
    way = path_of(base, own_fit)
    return FittedSeal(
        key,
        seal,
        report,
        text=text if text.components else None,
        denoiser=denoiser if denoiser.components else None,
        fit=own_fit,
        use=use or seal_use(seal, 1.0),
        packed=packed(way.layers, base.dtype) if isinstance(way, Batched) else None,
        can_merge=not networks and _are_fusible({path: fit.modules[path] for path in layers}),
    )


def at_strength(
    base: Base, seal: FittedSeal, strength: float | Strength
) -> tuple[FittedSeal, float | Strength]:
    """The seal as a request wants it: block weights read for this base, a DyLoRA cut to the rows asked for.

    Raises: ConfigError, as `placed` does.
    """
    ((cut, ready),) = placed(base, [(seal.seal, strength)])
    assert isinstance(ready, int | float | Strength)  # nothing else where all seals act together
    if cut is seal.seal:
        return seal, ready
    assert isinstance(strength, Strength)
    return fitted(base, f"{seal.key}:{strength.dyn}", cut, seal.use), ready


def wanted_path(seals: Sequence[tuple[FittedSeal, float | Strength]], mix: str = "sum") -> Path:
    """The way in which seals at their strengths are served, decided by what they are and how they are mixed.

    What is of low rank is the bank's. Other changes, which need as much memory and work as the layers themselves,
    go into the weights. What can do neither acts picture by picture: hypernetworks, and changes of full size whose
    strength changes over the steps, or of which not all act in every pass.
    """
    acting = [(seal, strength) for seal, strength in seals if seal.denoiser is not None]
    if not acting:
        return Path.PLAIN
    if all(seal.packed is not None for seal, _ in acting):
        return Path.BANK
    return Path.MERGED if mix == "sum" and can_merge(acting) else Path.BESIDE


def can_merge(seals: Sequence[tuple[FittedSeal, float | Strength]]) -> bool:
    """Whether the seals can be put into the weights at these strengths, which must not change over the steps."""
    return all(
        seal.can_merge and not (isinstance(strength, Strength) and not strength.is_constant)
        for seal, strength in seals
    )


def _are_fusible(modules: Mapping[str, nn.Module]) -> bool:
    try:
        for path, module in modules.items():
            check_fusible(path, module)
    except ConfigError:
        return False
    return True
