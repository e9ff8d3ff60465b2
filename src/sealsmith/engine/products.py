"""Linear layers on the CPU by the library that multiplies them sooner.

PyTorch has MKL multiply float32 matrices and oneDNN do its convolutions. On processors with AVX-512 that are not
Intel's MKL uses half of their width, and oneDNN, which can do a linear layer as well, takes half the time
(docs/log.md). Which of them is quicker here is measured once in a process. Not for: layers with seals beside them
(kernels/), which take this layer's own product as they find it; gradients, which these products do not have.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .own_forward import OwnForward

MEASURED = 512, 160, 640
"""Rows, inputs and outputs of the product that is measured."""
REPEATS = 25
"""So that some of them are undisturbed, whatever else the machine does."""
MARGIN = 1.4
"""So many times as quick the one must be: libraries are as quick as each other, or one is twice as quick."""


@cache
def is_onednn_quicker() -> bool:
    """Whether oneDNN takes so much less time for a linear layer here; the quickest of several products of each."""
    if not torch.backends.mkldnn.is_available():
        return False
    rows, inputs, outputs = MEASURED
    x, weight, bias = torch.ones(rows, inputs), torch.ones(outputs, inputs), torch.ones(outputs)
    ways = (functional.linear, linear)
    try:
        seconds = [[_seconds(partial(way, x, weight, bias)) for way in ways] for _ in range(REPEATS)]
    except (AttributeError, RuntimeError):  # a build of PyTorch without this product
        return False
    theirs, ours = (min(column) for column in zip(*seconds, strict=True))
    return theirs > MARGIN * ours


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`functional.linear` of float32 numbers by oneDNN, without gradients."""
    product: Any = torch.ops.mkldnn._linear_pointwise
    y: Tensor = product(x, weight.detach(), None if bias is None else bias.detach(), "none", [], "")
    return y


class QuickLayers:
    """The linear layers of a module, done by oneDNN for as long as they are `on`, if that is quicker here."""

    def __init__(self, module: nn.Module):
        """Measures now, not in the first pass, beside which seals are made ready."""
        self._module = module
        self._is_on = False
        if any(map(_is_plain, module.modules())):
            is_onednn_quicker()

    def on(self) -> None:
        """Changes nothing of the weights, and reads them anew in every pass."""
        if not self._is_on:
            for own, quick in self._layers:
                own.replace(quick)
        self._is_on = True

    def off(self) -> None:
        """Gives the layers their own forward passes back."""
        if self._is_on:
            for own, _ in self._layers:
                own.restore()
        self._is_on = False

    @cached_property
    def _layers(self) -> list[tuple[OwnForward, Callable[[Tensor], Tensor]]]:
        """Those it does; measured only where there are some that it could do."""
        plain = [each for each in self._module.modules() if _is_plain(each)]
        return [(OwnForward(each), _quick(each)) for each in plain] if plain and is_onednn_quicker() else []


def _quick(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    own = layer.forward

    def forward(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            y: Tensor = own(x)
            return y
        return linear(x, layer.weight, layer.bias)  # type: ignore[arg-type]

    return forward


def _is_plain(layer: nn.Module) -> bool:
    """Whether it is a linear layer of plain float32 numbers in this machine's memory, with no other's forward."""
    if type(layer) is not nn.Linear or "forward" in layer.__dict__:
        return False
    weight = layer.weight
    is_here = type(weight) in (Tensor, nn.Parameter) and weight.device.type == "cpu"
    return is_here and weight.dtype == torch.float32


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
