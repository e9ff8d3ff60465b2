"""What a kernel is told: which rows of the batch are changed by what, for one layer.

Shape letters: B rows of the batch, N tokens (or pixels), I inputs, O outputs, R rank.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from .pool import Lease, Place


@dataclass(frozen=True)
class Part:
    """One seal's change of one layer, as it lies in the pool, at a strength."""

    lease: Lease
    path: str
    factor: float
    """The request's strength times the file's own scale."""

    @property
    def place(self) -> Place:
        return self.lease.places[self.path]


@dataclass(frozen=True)
class Segment:
    """Rows `start` to `stop` of the batch and the parts that all of them get; none: the base alone."""

    start: int
    stop: int
    parts: tuple[Part, ...]
    is_lasting: bool = True
    """Whether the factors stay as they are for as long as the rows are in the batch."""

    @property
    def num_rows(self) -> int:
        return self.stop - self.start


def shrink(module: nn.Module, x: Tensor, down: Tensor) -> Tensor:
    """`down` applied as the module applies its weight: x [B, ..., I] -> [B, ..., R], or [B, I, H, W] -> [B, R, h, w]."""
    if isinstance(module, nn.Conv2d):
        return functional.conv2d(x, down, None, module.stride, module.padding, module.dilation)
    return functional.linear(x, down)


def expand(module: nn.Module, thin: Tensor, up: Tensor) -> Tensor:
    """What `shrink` gave times up [R, O]: [B, ..., R] -> [B, ..., O], or [B, R, h, w] -> [B, O, h, w]."""
    if isinstance(module, nn.Conv2d):
        return functional.conv2d(thin, up.T[:, :, None, None])
    return functional.linear(thin, up.T)
