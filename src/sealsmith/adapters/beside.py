"""What seals add to a layer while it computes: to its output by their changes, to its input by their networks.

Not for: putting it on a base and taking it off (attaching.py).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from .changes import Change, Decomposed, LowRank
from .fit import Fit
from .networks import Network


class Schedule(Protocol):
    """A strength that depends on the layer and on the step (`sealsmith.adapters.Strength` is one)."""

    @property
    def is_constant(self) -> bool:
        """Whether every layer has the same factor in all steps."""
        ...

    def factor(self, path: str, step: int, num_steps: int) -> float:
        """The multiplier for the layer at `path` in step `step` of `num_steps`, counted from 0."""
        ...


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


def factor_at(strength: float | Schedule, path: str, step: int, num_steps: int) -> float:
    """The multiplier for the layer at `path` in step `step` of `num_steps`."""
    return float(strength if isinstance(strength, int | float) else strength.factor(path, step, num_steps))


class _Timed:
    """One seal's share in one layer, at the strength of the step."""

    def __init__(self, path: str, strength: float | Schedule):
        self.path = path
        self.strength = strength
        self.factor = 0.0

    def at(self, step: int, num_steps: int) -> None:
        self.factor = factor_at(self.strength, self.path, step, num_steps)


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
