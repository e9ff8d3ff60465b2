"""Weights with seals in them, one copy of a layer's weight a seal: bought once, then as cheap as the base's own.

The copies live under a limit of bytes and stay behind for the next request for the same seal at the same strength;
the longest unused go first. Not for: the base's own weights, which nobody here touches (adapters/fuse.py does).
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..segments import Part

LINEAR_COST = 7.0
CONVOLUTION_COST = 35.0
"""What reading one more weight costs a pass, in multiplications of a thin product: is what folding loses and saves.
Measured on one core (AVX-512, float32): 0.1 and 0.5 ns a weight, 15 ps a multiplication."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One layer's weight with certain parts in it."""

    weight: Tensor
    """[I, O]; of a convolution in oneDNN's own layout."""
    num_bytes: int


_Key = tuple[str, tuple[tuple[str, float], ...]]
"""A layer, and the seals (contents and factor) in its weight."""


class Folds:
    """The copies there are, the longest unused first."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes = limit_bytes
        self.num_bytes = 0
        self._folds: OrderedDict[_Key, Fold] = OrderedDict()
        self._used: dict[str, set[_Key]] = {}

    def use(self, path: str, wanted: set[tuple[Part, ...]]) -> None:
        """Says which copies of a layer the batch may use; these are not thrown away."""
        self._used[path] = {_key(path, parts) for parts in wanted}

    def get(self, path: str, parts: tuple[Part, ...]) -> Fold | None:
        key = _key(path, parts)
        if key in self._folds:
            self._folds.move_to_end(key)
        return self._folds.get(key)

    def has_room(self, module: nn.Module) -> bool:
        """Whether there is room for one more copy of the module's weight, once unused ones were thrown away."""
        wanted = _bytes_of(module)
        for key in list(self._folds):
            if self.num_bytes + wanted <= self.limit_bytes:
                break
            if key not in self._used.get(key[0], ()):
                self.num_bytes -= self._folds.pop(key).num_bytes
        return self.num_bytes + wanted <= self.limit_bytes

    def put(self, path: str, parts: tuple[Part, ...], fold: Fold) -> None:
        self._folds[_key(path, parts)] = fold
        self.num_bytes += fold.num_bytes


def can_fold(module: nn.Module) -> bool:
    """Whether the layer's weight is here as plain float32 numbers that a copy can be made of."""
    weight = module.weight
    if (
        type(weight) not in (Tensor, nn.Parameter)
        or weight.dtype != torch.float32
        or hasattr(module, "_hf_hook")
    ):
        return False
    if isinstance(module, nn.Conv2d):
        plain = module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        return plain and torch.backends.mkldnn.is_available()
    return True


def is_worth_folding(module: nn.Module, x: Tensor, rank: int) -> bool:
    """Whether the thin products of that rank for these rows cost more than reading another weight.

    A question of the rows' own shape alone, so that the answer is the same in every company.
    """
    outputs, *inputs = _weight(module).shape
    if isinstance(module, nn.Conv2d):
        pixels = x.shape[0] * x.shape[2] * x.shape[3] // math.prod(module.stride)
        cost = CONVOLUTION_COST
    else:
        pixels, cost = x.numel() // x.shape[-1], LINEAR_COST
    num_inputs = math.prod(inputs)
    return pixels * rank * (num_inputs + outputs) > cost * num_inputs * outputs


def fold(module: nn.Module, down: Tensor, up: Tensor, x_shape: torch.Size) -> Fold:
    """A copy of the layer's weight plus `up @ down`: down [R, I] or [R, I, kh, kw], up [R, O].

    `x_shape` is the shape that the copy is laid out for; it takes others too.
    """
    weight = _weight(module).detach()
    changed = torch.addmm(weight.flatten(1).T, down.flatten(1).T, up)
    if isinstance(module, nn.Conv2d):
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        changed = reorder(
            changed.T.reshape(weight.shape).to_mkldnn(),
            module.padding,
            module.stride,
            module.dilation,
            module.groups,
            list(x_shape),
        )
    return Fold(changed, _bytes_of(module))


Run = tuple[int, int, Fold | None]
"""Rows from, to, and the weight they are multiplied by; None: the layer's own."""


def apply_folds(module: nn.Module, x: Tensor, runs: Sequence[Run]) -> Tensor:
    """The layer's output, each run by its own weight. The runs lie side by side and cover x."""
    if isinstance(module, nn.Conv2d):
        outputs = [_convolve(module, x[start:stop], own) for start, stop, own in runs]
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]
    own_weight = _weight(module).detach().T
    bias: Any = module.bias
    y = x.new_empty(*x.shape[:-1], own_weight.shape[1])
    for start, stop, own in runs:
        rows, out = x[start:stop].reshape(-1, x.shape[-1]), y[start:stop].view(-1, y.shape[-1])
        weight = own_weight if own is None else own.weight
        if bias is None:
            torch.mm(rows, weight, out=out)
        else:
            torch.addmm(bias.detach(), rows, weight, out=out)
    return y


def _convolve(module: nn.Conv2d, x: Tensor, own: Fold | None) -> Tensor:
    stride, padding, dilation = module.stride, module.padding, module.dilation
    if own is None:
        return functional.conv2d(x, module.weight, module.bias, stride, padding, dilation)
    convolve: Any = torch.ops.mkldnn._convolution_pointwise
    y: Tensor = convolve(x, own.weight, module.bias, padding, stride, dilation, module.groups, "none", [], "")
    return y


def _weight(module: nn.Module) -> Tensor:
    assert isinstance(module.weight, Tensor)
    return module.weight


def _bytes_of(module: nn.Module) -> int:
    weight = _weight(module)
    return weight.numel() * weight.itemsize


def _key(path: str, parts: tuple[Part, ...]) -> _Key:
    return path, tuple((part.lease.key, part.factor) for part in parts)
