"""The CPU's kernel: two thin products beside a layer, or one product with each segment's own weight.

In narrow layers with many pixels the thin products are not thin at all (at 96 channels and rank 8 they add a sixth
to a linear layer's multiplications, and more to its time). There, while the strengths last, the change is put into
a copy of the layer's weight once (folds.py, slots.py), and from then on the segment costs what the base costs.
Elsewhere segments of one width share the thin products (thin.py). Which way a layer's segments go is settled in the
first pass after the batch was composed, and kept; a newcomer that goes the same way as the one whose rows it takes
has only its own numbers put in place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

from .. import products
from ..pool import Lease, Pool
from ..segments import Part, Segment
from . import Forward, check_rows, folds, slots
from .thin import ConvolutionThin, LinearThin, Operand, Scaled, convolution_thin, linear_thin, width_of


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

    def scaled(self, parts: Sequence[Part]) -> list[Scaled]:
        """The matrices of several parts, and their factors."""
        return [(*self.read(part), part.factor) for part in parts]

    def operand(self, parts: Sequence[Part]) -> Operand:
        """The matrices of several parts as those of one."""
        pairs = [self.read(part) for part in parts]
        ups = [
            up if part.factor == 1 else up * part.factor for part, (_, up) in zip(parts, pairs, strict=True)
        ]
        if len(parts) == 1:
            return pairs[0][0], ups[0]
        return torch.cat([down for down, _ in pairs]), torch.cat(ups)


@dataclass(frozen=True, eq=False)
class _Acting:
    """What acts on rows of one layer, for as long as they are in its batch; what is known of it is found once."""

    parts: tuple[Part, ...]
    num_rows: int
    width: int
    """Of its thin products."""
    key: slots.Key

    @property
    def kind(self) -> tuple[int, int]:
        """What its way depends on."""
        return self.num_rows, self.width


@dataclass(frozen=True)
class _Product:
    """Thin products, and whose operands they have, in order."""

    members: list[_Acting]
    thin: LinearThin | ConvolutionThin


class CpuLayer:
    def __init__(self, kernel: CpuKernel, path: str, module: nn.Module, base: Forward):
        self._kernel = kernel
        self._path = path
        self._module = module
        self._base = base
        self._can_fold = kernel.folds.limit_bytes > 0 and folds.can_fold(module) and not _is_quick(module)
        self._slots: slots.Slots | None = None
        self._segments: Sequence[Segment] = ()
        self._acting: Sequence[_Acting | None] = ()
        """By segment; None: nothing."""
        self._shape: torch.Size | None = None
        """Of the input rows that the following were made for; None: they are to be made anew."""
        self._stale: set[int] = set()
        """Segments that go the way of the ones before them, whose numbers still stand there."""
        self._ways: dict[tuple[int, int], bool] = {}
        """Whether segments of a kind go by weights of their own, where there is room for these."""
        self._slot_of: Sequence[int | None] = ()
        """By segment; None: its weight is in no slot."""
        self._multiplied: Sequence[slots.Run] = ()
        self._convolved: Sequence[folds.Run] = ()
        self._products: Mapping[int, _Product] = {}
        """By the row they begin at."""

    def arrange(self, segments: Sequence[Segment]) -> None:
        segments_before, before = self._segments, self._acting
        known = {(id(each.parts), each.num_rows): each for each in before if each}
        self._segments = segments
        self._acting = [
            known.get((id(segment.parts), segment.num_rows)) or self._act(segment) if segment.parts else None
            for segment in segments
        ]
        if isinstance(self._module, nn.Conv2d):
            self._shape = None
            self._kernel.folds.use(self._path, [each.key for each in self._acting if each])
        elif _have_same_places(segments, segments_before):
            pairs = zip(self._acting, before, strict=True)
            self._stale |= {index for index, (each, old) in enumerate(pairs) if each is not old}
        else:
            self._shape = None
        if not segments:
            self._multiplied, self._convolved, self._products = (), (), {}

    def forward(self, x: Tensor) -> Tensor:
        check_rows(x, self._segments)
        if x.shape[1:] != self._shape or (self._stale and not self._renew(x)):
            self._settle(x)
        if self._multiplied:
            y = slots.multiply(x, self._module, self._multiplied)
        elif self._convolved:
            assert isinstance(self._module, nn.Conv2d)
            y = folds.convolve(x, self._module, self._convolved)
        else:
            y = self._base(x)
        for product in self._products.values():
            product.thin.add(x, y)
        return y

    def _renew(self, x: Tensor) -> bool:
        """Puts newcomers' numbers where their predecessors' stand. False where all has to be settled anew."""
        shape, self._shape = self._shape, None  # after an error nothing is settled
        stale, self._stale = sorted(self._stale), set()
        fresh: list[tuple[int, _Acting]] = []
        for index in stale:
            each, slot = self._acting[index], self._slot_of[index]
            way = each and self._segments[index].is_lasting and self._ways.get(each.kind)
            if each is None or way is None or way != (slot is not None):
                return False
            if slot is not None:
                fresh.append((slot, each))
            elif not self._put(index, each, x):
                return False
        if fresh and not self._refill(fresh):
            return False
        self._shape = shape
        return True

    def _refill(self, fresh: Sequence[tuple[int, _Acting]]) -> bool:
        """Has slots hold other weights. False where one of these is there already, or others go by the slot too."""
        if any(self._slot_of.count(slot) > 1 for slot, _ in fresh):
            return False
        wanted = {slot: each.key for slot, each in fresh}
        return self._own_slots.refill(wanted, self._operands([each for _, each in fresh]))

    def _put(self, index: int, newcomer: _Acting, x: Tensor) -> bool:
        """Has a segment's thin products done with other matrices; False where these are of another width."""
        start = self._segments[index].start
        product = next(each for each in self._products.values() if each.thin.start <= start < each.thin.stop)
        member = (start - product.thin.start) // newcomer.num_rows
        if product.members[member].kind != newcomer.kind or product.thin.up.dtype != x.dtype:
            return False
        assert isinstance(product.thin, LinearThin)
        product.thin.put(member, self._kernel.scaled(newcomer.parts))
        product.members[member] = newcomer
        return True

    def _settle(self, x: Tensor) -> None:
        """Settles each segment's way, and makes what it takes; after an error nothing is settled."""
        before, self._products = self._products, {}
        self._shape, self._multiplied, self._convolved = None, (), ()
        self._stale = set()
        lasting = [
            each if each and segment.is_lasting else None
            for each, segment in zip(self._acting, self._segments, strict=True)
        ]
        self._ways = {
            kind: self._is_to_be_folded(*kind, x) for kind in {each.kind for each in lasting if each}
        }
        wanted = [each if each and self._ways[each.kind] else None for each in lasting]
        self._slot_of = [None] * len(wanted)
        if not any(wanted):
            folded = [False] * len(wanted)
        elif isinstance(self._module, nn.Conv2d):
            own = [self._fold(self._module, each, x) if each else None for each in wanted]
            folded = [each is not None for each in own]
            self._convolved = self._runs(own) if any(folded) else ()
        else:
            places = self._places(wanted)
            folded = [place is not None for place in places]
            self._slot_of = places
            self._multiplied = self._own_slots.runs(self._segments, places) if any(folded) else ()
        triples = zip(self._segments, self._acting, folded, strict=True)
        beside = [(segment, each) for segment, each, is_folded in triples if each and not is_folded]
        self._products = {group[0][0].start: self._product(group, before, x) for group in _groups(beside)}
        self._shape = x.shape[1:]

    def _is_to_be_folded(self, num_rows: int, width: int, x: Tensor) -> bool:
        return self._can_fold and folds.is_worth_folding(self._module, (num_rows, *x.shape[1:]), width)

    def _fold(self, module: nn.Conv2d, wanted: _Acting, x: Tensor) -> folds.Fold | None:
        """The convolution's weight with these parts in it, if there is room for it."""
        store = self._kernel.folds
        own = store.get(self._path, wanted.key)
        if own is None and store.reserve(folds.bytes_of(module)):
            with store.reserved(folds.bytes_of(module)):
                operand = self._kernel.operand(wanted.parts)
                own = folds.fold(module, *operand, (wanted.num_rows, *x.shape[1:]))
            store.put(self._path, wanted.key, own)
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

    def _places(self, wanted: Sequence[_Acting | None]) -> list[int | None]:
        """The slots of the wanted weights, as far as there is room."""
        acting = [each for each in wanted if each]
        places = iter(self._own_slots.place([each.key for each in acting], self._operands(acting)))
        return [next(places) if each else None for each in wanted]

    def _operands(self, acting: Sequence[_Acting]) -> Callable[[slots.Key], Operand]:
        """The matrices of these, by what is in the weight."""
        parts = {each.key: each.parts for each in acting}
        return lambda key: self._kernel.operand(parts[key])

    def _product(
        self, group: Sequence[tuple[Segment, _Acting]], before: Mapping[int, _Product], x: Tensor
    ) -> _Product:
        """The thin products of neighbours of one kind; those of before, where they are the same neighbours."""
        start, stop = group[0][0].start, group[-1][0].stop
        members = [each for _, each in group]
        was = before.get(start)
        if was is not None and was.members == members:
            return was
        if not isinstance(self._module, nn.Conv2d):
            parts = [self._kernel.scaled(each.parts) for each in members]
            return _Product(members, linear_thin(start, stop, members[0].width, parts, x))
        operands = [self._operand(each, x) for each in members]
        return _Product(members, convolution_thin(self._module, start, stop, operands))

    def _act(self, segment: Segment) -> _Acting:
        rank = sum(part.place.rank for part in segment.parts)
        width = width_of(self._module, rank)
        return _Acting(segment.parts, segment.num_rows, width, folds.contents(segment.parts))

    def _operand(self, acting: _Acting, x: Tensor) -> Operand:
        down, up = self._kernel.operand(acting.parts)
        return down.to(x.dtype), up.to(x.dtype)


def _is_quick(module: nn.Module) -> bool:
    """Whether the layer's own product takes so little time that one with weights for each segment takes longer."""
    return isinstance(module, nn.Linear) and products.is_onednn_quicker()


def _have_same_places(segments: Sequence[Segment], others: Sequence[Segment]) -> bool:
    """Whether each can go the way of the other at its place, as far as this does not depend on ranks."""
    return len(segments) == len(others) and all(
        one is other
        or (
            (one.start, one.stop, one.is_lasting) == (other.start, other.stop, other.is_lasting)
            and bool(one.parts) is bool(other.parts)
        )
        for one, other in zip(segments, others, strict=True)
    )


def _groups(
    acting: Sequence[tuple[Segment, _Acting]],
) -> list[list[tuple[Segment, _Acting]]]:
    """Cut where a segment does not lie beside the one before it, or is of another kind."""
    groups: list[list[tuple[Segment, _Acting]]] = []
    for segment, each in acting:
        last = groups[-1][-1] if groups else None
        if last is None or last[0].stop != segment.start or last[1].kind != each.kind:
            groups.append([])
        groups[-1].append((segment, each))
    return groups
