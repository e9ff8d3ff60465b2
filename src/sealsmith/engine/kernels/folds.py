"""Weights with seals in them, one copy of a layer's weight a seal: bought once, then as cheap as the base's own.

The copies live under a limit of bytes and stay behind for the next request for the same seal at the same strength;
of convolutions', the longest unused go first. Linear layers' lie in slots (slots.py) under the same limit; a slot
takes another weight when its own is unused, but its bytes are never given back. Not for: the base's own weights,
which nobody here touches (adapters/fuse.py does).
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..segments import Part
from .slots import Key

LINEAR_COST, POINTWISE_COST, CONVOLUTION_COST = 60.0, 20.0, 17.0
"""What one more weight costs a pass, in multiplications of the thin products: is what folding loses and saves.
A linear layer's has in it what it costs to be made, once in some eight passes."""
LINEAR_READ_COST = 80.0
"""What the thin products of a linear layer take for each number they read and write, whatever the rank."""
SMALL_CONVOLUTION_COST = 50.0
"""The same for every pixel of each input: a convolution of few rows is slower. All measured on one core (float32),
where a multiplication of thin products takes 15 to 60 ps (docs/log.md)."""


@dataclass(frozen=True, eq=False)
class Fold:
    """A convolution's weight with certain parts in it."""

    weight: Tensor
    """[O, I] where the kernel is one pixel; else in oneDNN's own layout."""
    num_bytes: int


_Key = tuple[str, Key]
"""A layer, and the seals in its weight."""


class Folds:
    """Convolutions' copies, the longest unused first, and the bytes that all copies take, slots' among them."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes = limit_bytes
        self.num_bytes = 0
        self._folds: OrderedDict[_Key, Fold] = OrderedDict()
        self._used: dict[str, set[_Key]] = {}

    def use(self, path: str, wanted: Iterable[Key]) -> None:
        """Says which copies of a layer the batch may use; these are not thrown away."""
        self._used[path] = {(path, key) for key in wanted}

    def get(self, path: str, key: Key) -> Fold | None:
        if (path, key) in self._folds:
            self._folds.move_to_end((path, key))
        return self._folds.get((path, key))

    def reserve(self, num_bytes: int) -> bool:
        """Whether there is room for so many more bytes, once unused copies have gone; then they are taken."""
        for key in list(self._folds):
            if self.num_bytes + num_bytes <= self.limit_bytes:
                break
            if key not in self._used.get(key[0], ()):
                self.num_bytes -= self._folds.pop(key).num_bytes
        if self.num_bytes + num_bytes > self.limit_bytes:
            return False
        self.num_bytes += num_bytes
        return True

    @contextmanager
    def reserved(self, num_bytes: int) -> Iterator[None]:
        """A context that makes what bytes were reserved for; they are given back when it fails."""
        try:
            yield
        except BaseException:
            self.num_bytes -= num_bytes
            raise

    def put(self, path: str, key: Key, fold: Fold) -> None:
        """Keeps a copy, for whose bytes there was room."""
        self._folds[path, key] = fold


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


def is_worth_folding(module: nn.Module, x_shape: Sequence[int], width: int) -> bool:
    """Whether the thin products of that width for rows of this shape cost more than reading another weight.

    A question of the rows' own shape alone, so that the answer is the same in every company.
    """
    outputs, *inputs = _weight(module).shape
    num_weights = outputs * math.prod(inputs)
    if not isinstance(module, nn.Conv2d):
        pixels = math.prod(x_shape[:-1])
        return pixels * (width + LINEAR_READ_COST) * (inputs[0] + outputs) > LINEAR_COST * num_weights
    pixels = x_shape[0] * x_shape[2] * x_shape[3] // math.prod(module.stride)
    if is_pointwise(module):
        cost = POINTWISE_COST * num_weights
    else:
        cost = CONVOLUTION_COST * num_weights + SMALL_CONVOLUTION_COST * pixels * inputs[0]
    return pixels * width * (math.prod(inputs) + outputs) > cost


def is_pointwise(module: nn.Conv2d) -> bool:
    """Whether the convolution is one product of matrices a picture."""
    return module.kernel_size == module.stride == (1, 1) and module.padding == (0, 0)


def fold(module: nn.Conv2d, down: Tensor, up: Tensor, x_shape: Sequence[int]) -> Fold:
    """A copy of the layer's weight plus `up @ down`: down [R, I, kh, kw], up [R, O].

    `x_shape` is the shape that the copy is laid out for; it takes others too.
    """
    weight = _weight(module).detach()
    changed = torch.addmm(weight.flatten(1), up.T, down.flatten(1))
    if not is_pointwise(module):
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        changed = reorder(
            changed.view(weight.shape).to_mkldnn(),
            module.padding,
            module.stride,
            module.dilation,
            module.groups,
            list(x_shape),
        )
    return Fold(changed, bytes_of(module))


Run = tuple[int, int, Fold | None]
"""Rows from, to, and the weight they are convolved with; None: the layer's own."""


def convolve(x: Tensor, module: nn.Conv2d, runs: Sequence[Run]) -> Tensor:
    """The layer's output, each run by its own weight. The runs lie side by side and cover x."""
    if is_pointwise(module):
        return _multiply(x, module, runs)
    outputs = [_convolve(module, x[start:stop], own) for start, stop, own in runs]
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


def _multiply(x: Tensor, module: nn.Conv2d, runs: Sequence[Run]) -> Tensor:
    """A convolution of one pixel as products of matrices, which need no other layout of what they read."""
    base = _weight(module).detach().flatten(1)
    y = x.new_empty(len(x), len(base), *x.shape[2:])
    for start, stop, own in runs:
        weight = base if own is None else own.weight
        weights, rows, out = (
            weight.expand(stop - start, -1, -1),
            x[start:stop].flatten(2),
            y[start:stop].flatten(2),
        )
        if module.bias is None:
            torch.bmm(weights, rows, out=out)
        else:
            torch.baddbmm(module.bias.detach()[:, None], weights, rows, out=out)
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


def bytes_of(module: nn.Module) -> int:
    """What one copy of its weight takes."""
    return _weight(module).nbytes


def contents(parts: Sequence[Part]) -> Key:
    """What is in a weight that has these parts in it, wherever the seals lie in the pool."""
    return tuple((part.lease.key, part.factor) for part in parts)
