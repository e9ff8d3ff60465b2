"""Seals beside a layer on the CPU, as two thin products for several segments at once.

A convolution's `down` is not applied as a convolution: with few outputs that wastes most of every vector register,
and each call turns the whole input into another layout. Instead every pixel is multiplied by all kh x kw places of
`down` in one product, and the places are added up where they belong (`fold` is col2im):

    x [B, I, H, W]  ->  [B, R kh kw, H W]  ->  col2im  ->  [B, R, h, w]  ->  times up, added to y [B, O, h, w]

In a linear layer ranks are filled up with zeros to the next multiple of 16, so that seals of different ranks share
one product. Times `down` that costs nothing: with 8 columns it takes longer than with 16. Times `up` it would, so
there the columns beyond the largest rank are left out.

Shape letters: S segments of P rows each, B = S P, N tokens (or pixels), R rank, W rank filled up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..segments import shrink

RANK_STEP, DEPTH_STEP = 16, 4
Operand = tuple[Tensor, Tensor]
"""down [R, ...] and up [R, O] of all parts of a segment, one behind the other, the factors in `up`."""
Scaled = tuple[Tensor, Tensor, float]
"""down and up of one part, and its factor."""


@dataclass(eq=False)
class LinearThin:
    """Of segments side by side, all of one width and number of rows."""

    start: int
    stop: int
    down: Tensor
    """[S, I, W]"""
    up: Tensor
    """[S, W, O]"""
    ranks: dict[int, int] = field(default_factory=dict)
    """Of each segment's parts together."""
    depth: int = 0
    """Behind so many columns there are zeros alone."""

    def put(self, index: int, parts: Sequence[Scaled]) -> None:
        """Has other parts, of the same width, in the place of one of the segments'."""
        self._fill(index, parts)
        rank = self.ranks[index]
        self.down[index, :, rank:], self.up[index, rank:] = 0, 0
        self._measure()

    def put_all(self, members: Sequence[Sequence[Scaled]]) -> None:
        """Has these parts in all segments, in which there was nothing."""
        first = len(members[0][0][1])
        if all(len(parts) == 1 and len(parts[0][1]) == first for parts in members):
            self._fill_at_once(first, [parts[0] for parts in members])
        else:
            for index, parts in enumerate(members):
                self._fill(index, parts)
        self._measure()

    def _fill_at_once(self, rank: int, parts: Sequence[Scaled]) -> None:
        """One part of this rank in each segment: a few calls, where one by one each takes several."""
        downs, ups, factors = zip(*parts, strict=True)
        self.down[:, :, :rank] = torch.stack(downs).mT
        self.up[:, :rank] = torch.stack(ups)
        if any(factor != 1 for factor in factors):
            self.up[:, :rank] *= self.up.new_tensor(factors)[:, None, None]
        self.ranks = dict.fromkeys(range(len(parts)), rank)

    def _measure(self) -> None:
        self.depth = _filled(max(self.ranks.values()), DEPTH_STEP)

    def _fill(self, index: int, parts: Sequence[Scaled]) -> None:
        rank = 0
        for down, up, factor in parts:
            stop = rank + len(up)
            self.down[index, :, rank:stop] = down.T
            torch.mul(up, factor, out=self.up[index, rank:stop])
            rank = stop
        self.ranks[index] = rank

    def add(self, x: Tensor, y: Tensor) -> None:
        """Adds what the seals do to the segments' rows of y, in place."""
        rows, num_segments = y[self.start : self.stop], len(self.up)
        thin = torch.bmm(x[self.start : self.stop].reshape(num_segments, -1, x.shape[-1]), self.down)
        thin, up = thin[..., : self.depth], self.up[:, : self.depth]
        if rows.is_contiguous():
            rows.view(num_segments, -1, rows.shape[-1]).baddbmm_(thin, up)
        else:
            rows += torch.bmm(thin, up).view(rows.shape)


@dataclass(frozen=True)
class ConvolutionThin:
    """Of segments side by side, all of one rank and number of rows."""

    start: int
    stop: int
    module: nn.Conv2d
    downs: Tensor
    """[B, R kh kw, I], the places of `down` in reverse; where `is_spread` says no, [S, R, I, kh, kw]"""
    up: Tensor
    """[B, O, R]"""

    def add(self, x: Tensor, y: Tensor) -> None:
        """Adds what the seals do to the segments' rows of y, in place."""
        rows = y[self.start : self.stop]
        thin = self._thin(x[self.start : self.stop], tuple(rows.shape[2:])).flatten(2)
        if rows.is_contiguous():
            rows.view(*rows.shape[:2], -1).baddbmm_(self.up, thin)
        else:
            rows += torch.bmm(self.up, thin).view(rows.shape)

    def _thin(self, x: Tensor, size: tuple[int, ...]) -> Tensor:
        """[B, R, h, w]"""
        if not is_spread(self.module):
            rows = x.split(len(x) // len(self.downs))
            pairs = zip(rows, self.downs, strict=True)
            return torch.cat([shrink(self.module, each, down) for each, down in pairs])
        spread = torch.bmm(self.downs, x.flatten(2))
        kernel, dilation = self.module.kernel_size, self.module.dilation
        if kernel == (1, 1):
            return spread
        return functional.fold(spread, size, kernel, dilation, _reverse_padding(self.module))


def linear_thin(
    start: int, stop: int, width: int, members: Sequence[Sequence[Scaled]], x: Tensor
) -> LinearThin:
    """The products of a linear layer, for rows such as x: segments from `start` to `stop`, parts of one width."""
    down, up, _ = members[0][0]
    thin = LinearThin(
        start,
        stop,
        x.new_zeros(len(members), down.shape[1], width),
        x.new_zeros(len(members), width, up.shape[1]),
    )
    thin.put_all(members)
    return thin


def convolution_thin(
    module: nn.Conv2d, start: int, stop: int, operands: Sequence[Operand]
) -> ConvolutionThin:
    """The products of a convolution for segments from row `start` to `stop`, with operands of one rank."""
    up = torch.stack([up for _, up in operands])
    num_rows = (stop - start) // len(operands)
    downs = torch.stack([down for down, _ in operands])
    if is_spread(module):
        reverse = downs.flip(3, 4).permute(0, 1, 3, 4, 2)  # [S, R, kh, kw, I]
        downs = reverse.flatten(1, 3).repeat_interleave(num_rows, 0)
    return ConvolutionThin(start, stop, module, downs, up.mT.repeat_interleave(num_rows, 0))


def width_of(module: nn.Module, rank: int) -> int:
    """Of the thin products for parts of this rank together: segments of one width share them."""
    return rank if isinstance(module, nn.Conv2d) else _filled(rank, RANK_STEP)


def _filled(rank: int, step: int) -> int:
    """The next multiple of it."""
    return -(-rank // step) * step


def is_spread(module: nn.Conv2d) -> bool:
    """Whether the convolution is a product for each place of its kernel: stride 1, and no more zeros than that."""
    if module.stride != (1, 1) or module.groups != 1 or module.padding_mode != "zeros":
        return False
    return not isinstance(module.padding, str) and min(_reverse_padding(module)) >= 0


def _reverse_padding(module: nn.Conv2d) -> tuple[int, int]:
    """What col2im has to cut off, so that as much is left as the convolution's padding leaves."""
    assert not isinstance(module.padding, str)
    sizes = zip(module.kernel_size, module.dilation, module.padding, strict=True)
    height, width = [(kernel - 1) * dilation - padding for kernel, dilation, padding in sizes]
    return height, width
