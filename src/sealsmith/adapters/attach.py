"""Putting seals on a base's U-Net and taking them off again, with an account of every tensor.

Not for: fusing into the weights (fuse.py). The base's own weights are never written to, so detaching restores it
exactly.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ..errors import BaseMismatchError, ConfigError, SealShapeError
from .changes import LowRank
from .checks import check_finite, check_layers
from .formats import DIFFUSERS
from .peft_config import adapter_config
from .seal import Layer, Seal


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class AttachableBase(Protocol):
    """What attaching needs to know about a base (`sealsmith.bases.Base` is one)."""

    @property
    def unet(self) -> Any: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def family(self) -> _Named: ...


@dataclass(frozen=True)
class AttachReport:
    """How much of one seal found its place in one component of the base. Counts are tensors."""

    seal: str
    component: str
    matched: int
    total: int
    unmatched: tuple[str, ...]
    """Paths of the layers the component does not have."""
    strength: float


def attach(base: AttachableBase, seals: Sequence[tuple[Seal, float]]) -> list[AttachReport]:
    """Puts seals on the base's U-Net as PEFT adapters at their strengths; one report a seal, in order.

    All seals are checked before the first is attached: after an error the base is as it was.
    Raises: ConfigError for a strength that is no finite number, or seals already on the base;
    BaseMismatchError for a seal of another base or one with no layer in this one; SealShapeError.
    """
    plans = match_seals(base, seals)
    for index, ((seal, _), (layers, _)) in enumerate(zip(seals, plans, strict=True)):
        _load(base.unet, f"seal_{index}", seal, layers)
    if seals:
        base.unet.set_adapters([f"seal_{i}" for i in range(len(seals))], [strength for _, strength in seals])
    return [report for _, report in plans]


def detach(base: AttachableBase) -> None:
    """Takes every adapter off the base's U-Net: no PEFT layer is left, the weights are those from before."""
    base.unet.unload_lora()


@contextmanager
def attached(base: AttachableBase, seals: Sequence[tuple[Seal, float]]) -> Iterator[list[AttachReport]]:
    """A context in which seals are on the base; without seals it leaves the base entirely alone."""
    if not seals:
        yield []
        return
    reports = attach(base, seals)
    try:
        yield reports
    finally:
        detach(base)


def match_seals(
    base: AttachableBase, seals: Sequence[tuple[Seal, float]]
) -> list[tuple[dict[str, Layer], AttachReport]]:
    """For each seal its layers that the U-Net has, by path, and the account of all; changes nothing.

    Raises: as `attach` does.
    """
    if getattr(base.unet, "peft_config", None):
        raise ConfigError(
            "the base already carries adapters", "detach them first; give all seals in one call"
        )
    return [_match(base, seal, strength) for seal, strength in seals]


def _match(base: AttachableBase, seal: Seal, strength: float) -> tuple[dict[str, Layer], AttachReport]:
    """The layers of `seal` that the U-Net has, and the report that says which it has not."""
    if not math.isfinite(strength):
        raise ConfigError(
            f"the strength of {seal.name!r} is {strength}", "give a finite number, mostly 0 to 1"
        )
    check_base(base, seal)
    check_finite(seal.state)
    layers = DIFFUSERS.layers(seal.state)
    check_layers(layers, seal.header.rank)
    modules = dict(base.unet.named_modules())
    matched = {}
    for path, layer in layers.items():
        module = modules.get(path.removeprefix("unet."))
        if isinstance(module, nn.Linear | nn.Conv2d):
            _check_shape(path, layer, module)
            matched[path] = layer
    if not matched:
        raise BaseMismatchError(
            f"none of the {len(layers)} layers of seal {seal.name!r} exist in {base.name!r}",
            "the seal was made for another architecture; open the base it was trained on",
        )
    unmatched = tuple(path for path in layers if path not in matched)
    return matched, AttachReport(seal.name, "unet", 2 * len(matched), 2 * len(layers), unmatched, strength)


def check_base(base: AttachableBase, seal: Seal) -> None:
    """Refuses a seal of another base. Raises: BaseMismatchError."""
    wanted = seal.header
    if (wanted.family, wanted.base_digest) == (base.family.name, base.digest):
        return
    raise BaseMismatchError(
        f"seal {seal.name!r} was trained on {wanted.base!r} ({wanted.family}, {wanted.base_digest}), "
        f"this base is {base.name!r} ({base.family.name}, {base.digest})",
        f"open the base it was trained on (--base {wanted.base}), or train the seal again on this one",
    )


def _check_shape(path: str, layer: Layer, module: nn.Linear | nn.Conv2d) -> None:
    weight = tuple(module.weight.shape)
    found = (layer.up.shape[0], *layer.down.shape[1:])
    if found != weight:
        raise SealShapeError(
            f"layer {path!r}: the seal changes weights of shape {found}, the base has {weight}",
            "the seal was made for another base, or the file is damaged",
        )


def _load(unet: Any, adapter: str, seal: Seal, layers: dict[str, Layer]) -> None:
    """One adapter into the U-Net by diffusers' own loader, the one stock `load_lora_weights` ends in."""
    device, dtype = unet.device, unet.dtype  # each look walks the whole U-Net
    state = {key: tensor.to(device, dtype) for key, tensor in DIFFUSERS.state(layers).items()}
    config = adapter_config({path: LowRank(*layer, seal.header.alpha) for path, layer in layers.items()})
    with warnings.catch_warnings():
        # PEFT suspects a mistake when a model gets its second adapter; here it is what was asked for.
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        unet.load_lora_adapter(
            state, prefix="unet", adapter_name=adapter, metadata=config, low_cpu_mem_usage=True
        )
