"""The CPU's kernel: two thin products a segment, or one product with the segment's own weight.

A segment is computed by itself, in shapes that are its own: no rank is padded to a neighbour's, nothing is stacked
anew when a request joins or leaves, and no bit of a request's part depends on who else is there. Where the strengths
last and the layer is wide for its rank, the thin products would cost more than they say (28 % of a linear layer at
rank 8 and 128 channels); there the change is put into a copy of the layer's weight once (folds.py), and from then on
the segment costs what the base costs.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from ..pool import Lease, Pool
from ..segments import Part, Segment, expand, shrink
from . import Forward, check_rows
from .folds import Fold, Folds, Run, apply_folds, can_fold, fold, is_worth_folding

Operand = tuple[Tensor, Tensor]
"""down [R, ...] and up [R, O] of all parts of a segment, one behind the other, the factors in `up`."""


class CpuKernel:
    name = "cpu"

    def __init__(self, pool: Pool, fold_bytes: int = 0):
        self.pool = pool
        self.folds = Folds(fold_bytes)
        self._dense: dict[Lease, dict[str, Operand]] = {}

    def layer(self, path: str, module: nn.Module, base: Forward) -> "CpuLayer":
        return CpuLayer(self, path, module, base)

    def hold(self, leases: Sequence[Lease]) -> None:
        self._dense = {lease: self._dense.get(lease, {}) for lease in leases}

    def dense(self, part: Part) -> Operand:
        """The part's matrices out of their pages, once for as long as the seal is held."""
        layers = self._dense[part.lease]
        if part.path not in layers:
            layers[part.path] = self.pool.read(part.lease, part.path)
        return layers[part.path]


class CpuLayer:
    def __init__(self, kernel: CpuKernel, path: str, module: nn.Module, base: Forward):
        self._kernel = kernel
        self._path = path
        self._module = module
        self._base = base
        self._can_fold = kernel.folds.limit_bytes > 0 and can_fold(module)
        self._segments: Sequence[Segment] = ()
        self._operands: dict[tuple[Part, ...], Operand] = {}

    def arrange(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        wanted = {segment.parts for segment in segments if segment.parts}
        self._operands = {parts: self._operands[parts] for parts in wanted & self._operands.keys()}
        self._kernel.folds.use(self._path, wanted)

    def forward(self, x: Tensor) -> Tensor:
        check_rows(x, self._segments)
        folds = [self._fold(segment, x) for segment in self._segments]
        y = apply_folds(self._module, x, self._runs(folds)) if any(folds) else self._base(x)
        for segment, own in zip(self._segments, folds, strict=True):
            if segment.parts and own is None:
                self._add(segment, x, y)
        return y

    def _fold(self, segment: Segment, x: Tensor) -> Fold | None:
        """The weight with the segment's parts in it, where that is the cheaper way and there is room for it."""
        if not self._can_fold or not segment.parts or not segment.is_lasting:
            return None
        rank = sum(part.place.rank for part in segment.parts)
        if not is_worth_folding(self._module, x[segment.start : segment.stop], rank):
            return None
        folds = self._kernel.folds
        own = folds.get(self._path, segment.parts)
        if own is None and folds.has_room(self._module):
            own = fold(self._module, *self._operand(segment.parts), x[segment.start : segment.stop].shape)
            folds.put(self._path, segment.parts, own)
        return own

    def _runs(self, folds: Sequence[Fold | None]) -> list[Run]:
        """The batch cut where the weight changes."""
        runs = []
        for own, group in groupby(zip(folds, self._segments, strict=True), key=lambda pair: pair[0]):
            segments = [segment for _, segment in group]
            runs.append((segments[0].start, segments[-1].stop, own))
        return runs

    def _add(self, segment: Segment, x: Tensor, y: Tensor) -> None:
        """Adds the parts to the segment's rows of y, in place."""
        down, up = (each.to(x.dtype) for each in self._operand(segment.parts))
        thin = shrink(self._module, x[segment.start : segment.stop], down)
        rows = y[segment.start : segment.stop]
        if not rows.is_contiguous():
            rows += expand(self._module, thin, up)
        elif isinstance(self._module, nn.Conv2d):
            num_rows, outputs = rows.shape[:2]
            wide = rows.view(num_rows, outputs, -1)
            wide.baddbmm_(up.T.expand(num_rows, -1, -1), thin.reshape(num_rows, len(up), -1))
        else:
            rows.view(-1, rows.shape[-1]).addmm_(thin.reshape(-1, len(up)), up)

    def _operand(self, parts: tuple[Part, ...]) -> Operand:
        if parts not in self._operands:
            pairs = [self._kernel.dense(part) for part in parts]
            downs = [down for down, _ in pairs]
            ups = [up * part.factor for part, (_, up) in zip(parts, pairs, strict=True)]
            self._operands[parts] = torch.cat(downs), torch.cat(ups)
        return self._operands[parts]
