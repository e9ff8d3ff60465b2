"""Putting seals beside a base's layers and taking them off again, with an account of every layer.

Every changed layer gets a hook that adds the seals' part to what the layer computes. The base's own modules and
weights are never touched, so detaching restores it exactly; and where its weights rest (offloaded, quantised,
in half precision) is no concern of the seals. Not for: fusing into the weights (fuse.py).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from ..errors import BaseMismatchError, ConfigError, SealEffectError, SealShapeError
from .changes import Change, Decomposed, LowRank
from .checks import check_finite
from .embeddings import at_strength, check_embeddings, embedding_path
from .fit import NO_EFFECT, OTHER_FAMILY, ComponentFit, Fit, fit_seal
from .networks import Network, check_networks
from .seal import Seal
from .words import Words


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


class Schedule(Protocol):
    """A strength that depends on the layer and on the step (`sealsmith.adapters.Strength` is one)."""

    @property
    def is_constant(self) -> bool:
        """Whether every layer has the same factor in all steps."""
        ...

    def factor(self, path: str, step: int, num_steps: int) -> float:
        """The multiplier for the layer at `path` in step `step` of `num_steps`, counted from 0."""
        ...


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
    """Name of the base it was trained on, if that is another one of the same family."""

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
            said.append(f"seal {self.seal!r} was trained on {self.other_base!r}: it may look different here")
        return tuple(said)


@dataclass
class Attachment:
    """Seals on a base. `at` tells them what time it is; only strengths that change with it need to know."""

    reports: tuple[AttachReport, ...] = ()
    _layers: Sequence["OutputParts | InputParts"] = field(default=(), repr=False)
    _handles: list["RemovableHandle | Words"] = field(default_factory=list, repr=False)

    def at(self, step: int, num_steps: int) -> None:
        """Sets every layer's strength for step `step` of `num_steps`, counted from 0."""
        for layer in self._layers:
            layer.at(step, num_steps)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


_ATTACHED: "WeakKeyDictionary[nn.Module, Attachment]" = WeakKeyDictionary()


def attach(base: AttachableBase, seals: Weighted) -> Attachment:
    """Puts seals beside the layers of the base at their strengths, as they are at a picture's first step.

    All seals are checked before the first is attached: after an error the base is as it was.
    Raises: ConfigError for a strength that is no finite number, or seals already on the base;
    BaseMismatchError for a seal of another family or one with no layer in this one; SealShapeError;
    SealEffectError for one that changes nothing.
    """
    fits = match_seals(base, seals)
    words = _words(base, seals, [fit for fit, _ in fits])
    outputs, inputs = parts_beside([(fit, each[1]) for (fit, _), each in zip(fits, seals, strict=True)])
    handles: list[RemovableHandle | Words] = []
    handles += [each.module.register_forward_hook(each.add) for each in outputs]
    handles += [each.module.register_forward_pre_hook(each.add) for each in inputs]
    handles += [_attached_words(base, component, vectors) for component, vectors in words.items()]
    attachment = Attachment(tuple(report for _, report in fits), [*outputs, *inputs], handles)
    attachment.at(0, 1)
    if seals:
        _ATTACHED.update(dict.fromkeys(base.components.values(), attachment))
    return attachment


def detach(base: AttachableBase) -> None:
    """Takes all seals off the base: no hook of ours is left, the weights were never touched."""
    for component in base.components.values():
        if (attachment := _ATTACHED.pop(component, None)) is not None:
            attachment.remove()


def is_attached(base: AttachableBase) -> bool:
    """Whether seals are on the base, ours or PEFT's."""
    parts = base.components.values()
    return any(part in _ATTACHED or getattr(part, "peft_config", None) for part in parts)


@contextmanager
def attached(base: AttachableBase, seals: Weighted) -> Iterator[Attachment]:
    """A context in which seals are on the base; without seals it leaves the base entirely alone."""
    if not seals:
        yield Attachment()
        return
    attachment = attach(base, seals)
    try:
        yield attachment
    finally:
        detach(base)


def match_seals(base: AttachableBase, seals: Weighted) -> list[tuple[Fit, AttachReport]]:
    """For each seal its layers that the base has, and the account of all; changes nothing.

    Raises: as `attach` does.
    """
    if is_attached(base):
        raise ConfigError(
            "the base already carries adapters", "detach them first; give all seals in one call"
        )
    return [match_seal(base, seal, strength) for seal, strength in seals]


def parts_beside(
    fits: Sequence[tuple[Fit, float | Schedule]],
) -> tuple[list["OutputParts"], list["InputParts"]]:
    """What seals at their strengths add to layers' outputs and inputs, one entry a module; hooks nothing."""
    changes: dict[nn.Module, list[_Part]] = {}
    networks: dict[nn.Module, list[_NetworkPart]] = {}
    for fit, strength in fits:
        for path, change in fit.changes.items():
            changes.setdefault(fit.modules[path], []).append(_Part(path, change, strength))
        for path, network in fit.networks.items():
            networks.setdefault(fit.modules[path], []).append(_NetworkPart(path, network, strength))
    outputs = [OutputParts(*each) for each in changes.items()]
    return outputs, [InputParts(*each) for each in networks.items()]


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
    other = seal.header.base if seal.header.base_digest not in ("", base.digest) else ""
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


def _words(base: AttachableBase, seals: Weighted, fits: Sequence[Fit]) -> dict[str, dict[str, Tensor]]:
    """Text encoder -> word -> vectors at their strength. At strength 0 a word is read as if it had none.

    Raises: ConfigError for a word that several seals have vectors for.
    """
    words: dict[str, dict[str, Tensor]] = {}
    owners: dict[str, Seal] = {}
    for (seal, strength), fit in zip(seals, fits, strict=True):
        for trigger, vectors in fit.embeddings.items():
            other = owners.setdefault(trigger.lower(), seal)
            if other is not seal:
                raise ConfigError(
                    f"the seals {other.name!r} and {seal.name!r} both have vectors for {trigger!r}",
                    "use one of them",
                )
            for component, each in vectors.items():
                factor = _factor_at(strength, embedding_path(component, trigger), 0, 1)
                if factor:
                    scaled = at_strength(each, factor, base.components[component])
                    words.setdefault(component, {})[trigger] = scaled
    return words


def _attached_words(base: AttachableBase, component: str, vectors: Mapping[str, Tensor]) -> Words:
    table = torch.cat(list(vectors.values()))
    counts = {word: len(each) for word, each in vectors.items()}
    return Words(base.pipeline, component, counts, lambda: table)


def _factor_at(strength: float | Schedule, path: str, step: int, num_steps: int) -> float:
    return float(strength if isinstance(strength, int | float) else strength.factor(path, step, num_steps))


class _Timed:
    """One seal's share in one layer, at the strength of the step."""

    def __init__(self, path: str, strength: float | Schedule):
        self.path = path
        self.strength = strength
        self.factor = 0.0

    def at(self, step: int, num_steps: int) -> None:
        self.factor = _factor_at(self.strength, self.path, step, num_steps)


class _NetworkPart(_Timed):
    """One seal's hypernetwork before one layer."""

    def __init__(self, path: str, network: Network, strength: float | Schedule):
        super().__init__(path, strength)
        self._exact = self._ready = network

    def network(self, x: Tensor) -> Network:
        """The network where `x` is and of its type."""
        first = self._ready.weights[0]
        if (first.device, first.dtype) != (x.device, x.dtype):
            self._ready = self._exact.moved(x.device, x.dtype)
        return self._ready


class InputParts:
    """One module and the hypernetworks that change what it reads, each what the one before made of it."""

    def __init__(self, module: nn.Module, parts: list[_NetworkPart]):
        self.module = module
        self.parts = parts

    def at(self, step: int, num_steps: int) -> None:
        for part in self.parts:
            part.at(step, num_steps)

    def add(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The module's inputs with every network's part added to the first: a forward pre-hook."""
        x = inputs[0]
        for part in self.parts:
            if part.factor:
                x = x + part.factor * part.network(x).beside(x)
        return (x, *inputs[1:])


class _Part(_Timed):
    """One seal's change of one layer."""

    def __init__(self, path: str, change: Change, strength: float | Schedule):
        super().__init__(path, strength)
        self.change = change
        self._tensors: tuple[Tensor, ...] = ()

    def tensors(self, module: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
        """(down, up) of a low-rank change, (delta,) of any other, where `x` is and of its type."""
        ready = self._tensors
        if not ready or (ready[0].device, ready[0].dtype) != (x.device, x.dtype):
            self._tensors = tuple(tensor.to(x.device, x.dtype) for tensor in self._exact(module))
        return self._tensors

    def _exact(self, module: nn.Module) -> tuple[Tensor, ...]:
        """The same tensors as the seal holds them."""
        change = self.change
        if isinstance(change, LowRank):
            return change.down, change.up
        return (change.delta(weight_of(module) if isinstance(change, Decomposed) else None),)


class OutputParts:
    """One module and the parts that seals add to its output."""

    def __init__(self, module: nn.Module, parts: list[_Part]):
        self.module = module
        self.parts = parts

    def at(self, step: int, num_steps: int) -> None:
        for part in self.parts:
            part.at(step, num_steps)

    def add(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """The module's output with every seal's part added: a forward hook."""
        x = inputs[0]
        for part in self.parts:
            if part.factor == 0:
                continue
            beside = _apply(module, x, *part.tensors(module, x))
            scale = part.change.scale if isinstance(part.change, LowRank) else 1.0
            output = torch.add(output, beside.to(output.dtype), alpha=part.factor * scale)
        return output


def weight_of(module: nn.Module) -> Tensor:
    """A layer's weight, also where offloading keeps it elsewhere and leaves an empty one in its place, or where
    it is quantised: then as the floats it stands for."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    hook = getattr(module, "_hf_hook", None)
    if weight.device.type == "meta" and hook is not None:
        weight = hook.weights_map["weight"]
    if type(weight) not in (Tensor, nn.Parameter):
        weight = weight.dequantize()
    return weight.detach()


def _apply(module: nn.Module, x: Tensor, first: Tensor, second: Tensor | None = None) -> Tensor:
    """`second(first(x))`, `first` as the module applies its weight."""
    if isinstance(module, nn.Conv2d):
        y = functional.conv2d(x, first, None, module.stride, module.padding, module.dilation)
        return y if second is None else functional.conv2d(y, second)
    y = functional.linear(x, first)
    return y if second is None else functional.linear(y, second)
