"""The CPU's kernel: two thin products beside a layer, or one product with each segment's own weight.

In narrow layers with many pixels the thin products are not thin at all (at 96 channels and rank 8 they add a sixth
to a linear layer's multiplications, and more to its time). There, while the strengths last, the change is put into
a copy of the layer's weight once (folds.py, slots.py), and from then on the segment costs what the base costs.
Elsewhere segments of one rank share the thin products (thin.py); no rank is padded to a neighbour's. Which way a
layer's segments go is settled in the first pass after the batch was composed, and kept.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise

import torch
from torch import Tensor, nn

from ..pool import Lease, Pool
from ..segments import Part, Segment
from . import Forward, check_rows, folds, slots
from .thin import ConvolutionThin, LinearThin, Operand, thin_of


class CpuKernel:
    name = "cpu"

    def __init__(self, pool: Pool, fold_bytes: int = 0):
        self.pool = pool
        self.folds = folds.Folds(fold_bytes)
        self._dense: dict[Lease, dict[str, Operand]] = {}

    def layer(self, path: str, module: nn.Module, base: Forward) -> "CpuLayer":
        return CpuLayer(self, path, module, base)

    def hold(self, leases: Sequence[Lease]) -> None:
        self._dense = {lease: self._dense.get(lease, {}) for lease in leases}

    def read(self, part: Part) -> Operand:
        """The part's matrices out of their pages, all of a seal's at once, for as long as it is held."""
        if not self._dense[part.lease]:
            self._dense[part.lease] = self.pool.read_all(part.lease)
        return self._dense[part.lease][part.path]

    def operand(self, parts: Sequence[Part]) -> Operand:
        """The matrices of several parts as those of one."""
        pairs = [self.read(part) for part in parts]
        ups = [
            up if part.factor == 1 else up * part.factor for part, (_, up) in zip(parts, pairs, strict=True)
        ]
        if len(parts) == 1:
            return pairs[0][0], ups[0]
        return torch.cat([down for down, _ in pairs]), torch.cat(ups)


class CpuLayer:
    def __init__(self, kernel: CpuKernel, path: str, module: nn.Module, base: Forward):
        self._kernel = kernel
        self._path = path
        self._module = module
        self._base = base
        self._can_fold = kernel.folds.limit_bytes > 0 and folds.can_fold(module)
        self._slots: slots.Slots | None = None
        self._segments: Sequence[Segment] = ()
        self._shape: torch.Size | None = None
        """Of the input rows that the following were made for."""
        self._multiplied: Sequence[slots.Run] = ()
        self._convolved: Sequence[folds.Run] = ()
        self._thin: Sequence[LinearThin | ConvolutionThin] = ()

    def arrange(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._shape, self._multiplied, self._convolved, self._thin = None, (), (), ()
        self._kernel.folds.use(self._path, {segment.parts for segment in segments if segment.parts})

    def forward(self, x: Tensor) -> Tensor:
        check_rows(x, self._segments)
        if x.shape[1:] != self._shape:
            self._settle(x)
        if self._multiplied:
            y = slots.multiply(x, self._module, self._multiplied)
        elif self._convolved:
            assert isinstance(self._module, nn.Conv2d)
            y = folds.convolve(x, self._module, self._convolved)
        else:
            y = self._base(x)
        for thin in self._thin:
            thin.add(x, y)
        return y

    def _settle(self, x: Tensor) -> None:
        """Settles each segment's way, and makes what it takes; after an error nothing is settled."""
        self._shape, self._multiplied, self._convolved, self._thin = None, (), (), ()
        kinds = {_kind(segment) for segment in self._segments if segment.parts and segment.is_lasting}
        folded_kinds = {kind for kind in kinds if self._is_to_be_folded(*kind, x)}
        wanted = [
            segment if segment.is_lasting and _kind(segment) in folded_kinds else None
            for segment in self._segments
        ]
        if not any(wanted):
            folded = [False] * len(wanted)
        elif isinstance(self._module, nn.Conv2d):
            own = [self._fold(self._module, segment, x) if segment else None for segment in wanted]
            folded = [each is not None for each in own]
            self._convolved = self._runs(own) if any(folded) else ()
        else:
            places = self._places(wanted)
            folded = [place is not None for place in places]
            self._multiplied = self._own_slots.runs(self._segments, places) if any(folded) else ()
        pairs = zip(self._segments, folded, strict=True)
        beside = [segment for segment, is_folded in pairs if segment.parts and not is_folded]
        self._thin = self._products(beside, x)
        self._shape = x.shape[1:]

    def _is_to_be_folded(self, num_rows: int, rank: int, x: Tensor) -> bool:
        return self._can_fold and folds.is_worth_folding(self._module, (num_rows, *x.shape[1:]), rank)

    def _fold(self, module: nn.Conv2d, segment: Segment, x: Tensor) -> folds.Fold | None:
        """The convolution's weight with the segment's parts in it, if there is room for it."""
        store = self._kernel.folds
        own = store.get(self._path, segment.parts)
        if own is None and store.reserve(folds.bytes_of(module)):
            with store.reserved(folds.bytes_of(module)):
                operand = self._kernel.operand(segment.parts)
                own = folds.fold(module, *operand, (segment.num_rows, *x.shape[1:]))
            store.put(self._path, segment.parts, own)
        return own

    def _runs(self, own: Sequence[folds.Fold | None]) -> list[folds.Run]:
        """The batch cut where the convolution's weight changes."""
        runs = []
        for fold, group in groupby(zip(own, self._segments, strict=True), key=lambda pair: pair[0]):
            segments = [segment for _, segment in group]
            runs.append((segments[0].start, segments[-1].stop, fold))
        return runs

    @property
    def _own_slots(self) -> slots.Slots:
        if self._slots is None:
            self._slots = slots.Slots(self._module, self._kernel.folds)
        return self._slots

    def _places(self, wanted: Sequence[Segment | None]) -> list[int | None]:
        """The slots of the wanted segments' weights, as far as there is room."""
        parts = {folds.contents(segment.parts): segment.parts for segment in wanted if segment}
        keys = [folds.contents(segment.parts) for segment in wanted if segment]
        places = iter(self._own_slots.place(keys, lambda key: self._kernel.operand(parts[key])))
        return [next(places) if segment else None for segment in wanted]

    def _products(self, segments: Sequence[Segment], x: Tensor) -> list[LinearThin | ConvolutionThin]:
        """The thin products of these segments: one of each kind for neighbours of the same shape."""
        groups: list[list[Segment]] = [list(segments[:1])] if segments else []
        for before, segment in pairwise(segments):
            if not _are_alike(before, segment):
                groups.append([])
            groups[-1].append(segment)
        return [
            thin_of(self._module, group[0].start, group[-1].stop, [self._operand(each, x) for each in group])
            for group in groups
        ]

    def _operand(self, segment: Segment, x: Tensor) -> Operand:
        down, up = self._kernel.operand(segment.parts)
        return down.to(x.dtype), up.to(x.dtype)


def _rank(segment: Segment) -> int:
    return sum(part.place.rank for part in segment.parts)


def _kind(segment: Segment) -> tuple[int, int]:
    """Rows and rank: what its way depends on."""
    return segment.num_rows, _rank(segment)


def _are_alike(before: Segment, segment: Segment) -> bool:
    """Whether two segments lie side by side and have the same shape."""
    is_next = before.stop == segment.start
    return is_next and before.num_rows == segment.num_rows and _rank(before) == _rank(segment)
