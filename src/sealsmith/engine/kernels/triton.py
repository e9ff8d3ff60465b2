"""The GPU's kernel: the thin products of all requests in two launches, read straight from the pool's pages.

One program of the first launch shrinks a block of a request's pixels by one of its seals; one of the second expands
a block of its outputs by all its seals, so that no two programs write the same number and the sum has one order.
Ranks are the seals' own: thin products lie packed, nothing is padded to the largest rank, and neither matrix
is ever gathered into a stack. Runs under Triton's interpreter too (TRITON_INTERPRET=1), then on the CPU.

A linear layer is taken as a convolution of 1x1 over a picture of width 1.
Sources: Chen et al. 2023 (punica), arXiv:2310.18547; Sheng et al. 2023 (S-LoRA), arXiv:2311.03285.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from ..pool import Lease, Pool
from ..segments import Part, Segment
from . import Forward, check_rows

BLOCK_PIXELS, BLOCK_RANK, BLOCK_INPUTS, BLOCK_OUTPUTS = 64, 16, 32, 64
PART_FIELDS, SEGMENT_FIELDS = 6, 4


class TritonKernel:
    name = "triton"

    def __init__(self, pool: Pool):
        self.pool = pool
        self.page_table = torch.zeros(1, dtype=torch.int32, device=pool.device)
        """The pages of all held seals, one seal's behind the other's."""
        self.starts: dict[Lease, int] = {}
        """Where a seal's begin in it."""
        self.generation = 0
        """Of the page table; a plan of an older one points at other seals' pages."""

    def layer(self, path: str, module: nn.Module, base: Forward) -> "TritonLayer":
        return TritonLayer(self, module, base)

    def hold(self, leases: Sequence[Lease]) -> None:
        if [*leases] == [*self.starts]:
            return
        self.generation += 1
        pages: list[int] = []
        self.starts = {}
        for lease in leases:
            self.starts[lease] = len(pages)
            pages += lease.pages
        self.page_table = torch.tensor(pages or [0], dtype=torch.int32, device=self.pool.device)


@dataclass(frozen=True, eq=False)
class _Plan:
    """An arrangement as the launches read it."""

    segments: Tensor
    """[segments, 4] int32: first row, rows, first part, end of parts."""
    parts: Tensor
    """[parts, 6] int32: segment, start in the page table, offsets of down and up, rank, thin columns before."""
    factors: Tensor
    """[parts] float32"""
    num_columns: int
    """Of the thin products, per pixel: the sum over parts of rows times rank."""
    max_rows: int
    max_rank: int


class TritonLayer:
    def __init__(self, kernel: TritonKernel, module: nn.Module, base: Forward):
        self._kernel = kernel
        self._module = module
        self._base = base
        self._segments: Sequence[Segment] = ()
        self._plan: _Plan | None = None
        self._generation = 0
        """Of the page table that the plan was made for."""

    def arrange(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._plan = None

    def forward(self, x: Tensor) -> Tensor:
        check_rows(x, self._segments)
        y = self._base(x)
        if self._plan is None or self._generation != self._kernel.generation:
            self._plan, self._generation = self._planned(), self._kernel.generation
        return self._add(self._plan, x, y) if len(self._plan.parts) else y

    def _planned(self) -> _Plan:
        """Made in a pass, when the kernel's page table holds every seal of the batch."""
        changed = [segment for segment in self._segments if segment.parts]
        segments: list[list[int]] = []
        parts: list[list[int]] = []
        columns = 0
        for number, segment in enumerate(changed):
            segments.append([segment.start, segment.num_rows, len(parts), len(parts) + len(segment.parts)])
            for part in segment.parts:
                parts.append([number, *self._addresses(part), columns])
                columns += segment.num_rows * part.place.rank
        device = self._kernel.pool.device
        return _Plan(
            segments=torch.tensor(segments, dtype=torch.int32, device=device).view(-1, SEGMENT_FIELDS),
            parts=torch.tensor(parts, dtype=torch.int32, device=device).view(-1, PART_FIELDS),
            factors=torch.tensor([part.factor for each in changed for part in each.parts], device=device),
            num_columns=columns,
            max_rows=max((segment.num_rows for segment in changed), default=0),
            max_rank=max((part.place.rank for each in changed for part in each.parts), default=0),
        )

    def _addresses(self, part: Part) -> tuple[int, int, int, int]:
        place = part.place
        return self._kernel.starts[part.lease], place.offset, place.up_offset, place.rank

    def _add(self, plan: _Plan, x: Tensor, y: Tensor) -> Tensor:
        """y with all parts added, in place."""
        pages, table = self._kernel.pool.storage, self._kernel.page_table
        source, target = _picture(self._module, x), _picture(self._module, y)
        num_pixels = target.height * target.width
        thin = torch.empty(plan.num_columns * num_pixels, dtype=torch.float32, device=x.device)
        sizes = {
            "BLOCK_PIXELS": BLOCK_PIXELS,
            "BLOCK_RANK": BLOCK_RANK,
            "PAGE": self._kernel.pool.page_elements,
        }
        is_interpreted = x.device.type == "cpu"
        blocks = triton.cdiv(plan.max_rows * num_pixels, BLOCK_PIXELS)
        grid = (len(plan.parts), blocks, triton.cdiv(plan.max_rank, BLOCK_RANK))
        _shrink[grid](
            x, pages, table, thin, plan.segments, plan.parts, num_pixels, target.width,
            source.channels * source.kernel[0] * source.kernel[1], source.height, source.width, *source.strides,
            *source.steps, KERNEL_H=source.kernel[0], KERNEL_W=source.kernel[1], BLOCK_INPUTS=BLOCK_INPUTS,
            WIDEN=is_interpreted, **sizes,
        )  # fmt: skip
        grid = (len(plan.segments), blocks, triton.cdiv(target.channels, BLOCK_OUTPUTS))
        _expand[grid](
            y, pages, table, thin, plan.segments, plan.parts, plan.factors, num_pixels, target.width,
            target.channels, *target.strides, BLOCK_OUTPUTS=BLOCK_OUTPUTS, **sizes,
        )  # fmt: skip
        return y


@dataclass(frozen=True)
class _Picture:
    """A layer's input or output as pixels with channels."""

    channels: int
    height: int
    width: int
    strides: tuple[int, int, int, int]
    """Of rows, channels, height, width; in elements."""
    kernel: tuple[int, int]
    steps: tuple[int, int, int, int, int, int]
    """Stride, padding and dilation of the convolution, each in height and width."""


def _picture(module: nn.Module, x: Tensor) -> _Picture:
    if isinstance(module, nn.Conv2d):
        steps: Any = (*module.stride, *module.padding, *module.dilation)
        kernel: Any = module.kernel_size
        channels, height, width = x.shape[1:]
        strides: Any = x.stride()
        return _Picture(channels, height, width, strides, kernel, steps)
    flat = x.view(x.shape[0], -1, x.shape[-1])
    strides = (flat.stride(0), flat.stride(2), flat.stride(1), 0)
    return _Picture(flat.shape[2], flat.shape[1], 1, strides, (1, 1), (1, 1, 0, 0, 1, 1))


@triton.jit
def _paged(pages, table, start, element, mask, PAGE: tl.constexpr):
    """Elements of a seal's stream, wherever their pages are; 0 where masked."""
    page = tl.load(table + start + element // PAGE, mask=mask, other=0).to(tl.int64)
    return tl.load(pages + page * PAGE + element % PAGE, mask=mask, other=0.0)


@triton.jit
def _shrink(
    x, pages, table, thin, segments, parts, num_pixels, out_width, num_inputs, height, width,
    x_row, x_channel, x_height, x_width,
    stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w,
    KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, PAGE: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_RANK: tl.constexpr, BLOCK_INPUTS: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """thin[pixel, r] = sum over inputs of x[pixel, input] * down[r, input], for one part.

    `WIDEN` multiplies in float32 whatever the inputs are: the interpreter knows no products of bfloat16.
    """
    part = parts + tl.program_id(0) * 6
    segment = segments + tl.load(part) * 4
    start, offset, rank = tl.load(part + 1), tl.load(part + 2), tl.load(part + 4)
    total = tl.load(segment + 1) * num_pixels
    pixel = tl.program_id(1) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    r = tl.program_id(2) * BLOCK_RANK + tl.arange(0, BLOCK_RANK)
    if (tl.program_id(1) * BLOCK_PIXELS < total) & (tl.program_id(2) * BLOCK_RANK < rank):
        row = (tl.load(segment) + pixel // num_pixels).to(tl.int64)
        out_y, out_x = (pixel % num_pixels) // out_width, pixel % out_width
        total_sum = tl.full((BLOCK_PIXELS, BLOCK_RANK), 0.0, tl.float32)
        for first in range(0, num_inputs, BLOCK_INPUTS):
            i = first + tl.arange(0, BLOCK_INPUTS)
            channel = i // (KERNEL_H * KERNEL_W)
            in_y = out_y[:, None] * stride_h - padding_h + (i // KERNEL_W % KERNEL_H)[None, :] * dilation_h
            in_x = out_x[:, None] * stride_w - padding_w + (i % KERNEL_W)[None, :] * dilation_w
            inside = (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
            inside &= (pixel < total)[:, None] & (i < num_inputs)[None, :]
            place = row[:, None] * x_row + channel[None, :] * x_channel + in_y * x_height + in_x * x_width
            inputs = tl.load(x + place, mask=inside, other=0.0)
            wanted = (i < num_inputs)[:, None] & (r < rank)[None, :]
            down = _paged(pages, table, start, offset + r[None, :] * num_inputs + i[:, None], wanted, PAGE)
            if WIDEN:
                inputs, down = inputs.to(tl.float32), down.to(tl.float32)
            total_sum = tl.dot(inputs, down, total_sum, input_precision="ieee")
        first_column = tl.load(part + 5).to(tl.int64) * num_pixels
        where = thin + first_column + pixel[:, None] * rank + r[None, :]
        tl.store(where, total_sum, mask=(pixel < total)[:, None] & (r < rank)[None, :])


@triton.jit
def _expand(
    y, pages, table, thin, segments, parts, factors, num_pixels, out_width, num_outputs,
    y_row, y_channel, y_height, y_width,
    PAGE: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_RANK: tl.constexpr, BLOCK_OUTPUTS: tl.constexpr,
):  # fmt: skip
    """y[pixel, o] += sum over the segment's parts of factor * sum over r of thin[pixel, r] * up[r, o]."""
    segment = segments + tl.program_id(0) * 4
    total = tl.load(segment + 1) * num_pixels
    pixel = tl.program_id(1) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    o = tl.program_id(2) * BLOCK_OUTPUTS + tl.arange(0, BLOCK_OUTPUTS)
    if tl.program_id(1) * BLOCK_PIXELS < total:
        total_sum = tl.full((BLOCK_PIXELS, BLOCK_OUTPUTS), 0.0, tl.float32)
        for number in range(tl.load(segment + 2), tl.load(segment + 3)):
            part = parts + number * 6
            start, offset, rank = tl.load(part + 1), tl.load(part + 3), tl.load(part + 4)
            first_column = tl.load(part + 5).to(tl.int64) * num_pixels
            factor = tl.load(factors + number)
            for first in range(0, rank, BLOCK_RANK):
                r = first + tl.arange(0, BLOCK_RANK)
                known = (pixel < total)[:, None] & (r < rank)[None, :]
                columns = tl.load(
                    thin + first_column + pixel[:, None] * rank + r[None, :], mask=known, other=0.0
                )
                wanted = (r < rank)[:, None] & (o < num_outputs)[None, :]
                up = _paged(pages, table, start, offset + r[:, None] * num_outputs + o[None, :], wanted, PAGE)
                total_sum = tl.dot(columns * factor, up.to(tl.float32), total_sum, input_precision="ieee")
        row = (tl.load(segment) + pixel // num_pixels).to(tl.int64)
        rest = pixel % num_pixels
        where = row * y_row + rest // out_width * y_height + rest % out_width * y_width
        places = y + where[:, None] + o.to(tl.int64)[None, :] * y_channel
        inside = (pixel < total)[:, None] & (o < num_outputs)[None, :]
        tl.store(places, tl.load(places, mask=inside, other=0.0) + total_sum, mask=inside)
