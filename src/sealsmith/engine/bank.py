"""Which seals act on which rows of the next forward pass: told once per composition of the batch.

    rows     0   1 | 2   3 | 4   5
    request  first | 2nd   | third            a request's rows (with and without its prompt) lie side by side
    uses     zwx   | -     | zwx, sks         several seals, or none
    layer    |part |       |part part|        one arrangement a layer, kept until the composition changes

Between two steps nothing is done here, unless a request came or went or a strength changes with the steps; then
only the seals that this touches are read. Layers that read nothing but the prompts, the keys and values of
cross-attention, are computed once a picture. Not for: text encoders, which run once a request.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from ..adapters.beside import Schedule
from ..adapters.fit import adaptable
from ..bases import Base
from .adapted import AdaptedLayer, Reading, TextLayer
from .kernels import kernel_for
from .pool import Lease, Pool
from .products import QuickLayers
from .segments import Part, Segment


@dataclass(frozen=True)
class Use:
    """One seal in a request, at this moment of the request's life."""

    lease: Lease
    strength: float | Schedule
    step: int = 0
    num_steps: int = 1

    @property
    def is_lasting(self) -> bool:
        """Whether it stays as it is in all the request's steps."""
        return isinstance(self.strength, int | float) or self.strength.is_constant

    def factor(self, path: str) -> float:
        """The strength for one layer now; the file's own scale is not in it."""
        if isinstance(self.strength, int | float):
            return float(self.strength)
        return self.strength.factor(path, self.step, self.num_steps)


@dataclass(frozen=True)
class Rows:
    """Neighbouring rows of the batch, and the seals that act on them; none: the base alone."""

    num_rows: int
    uses: tuple[Use, ...] = ()
    reading: Reading | None = None
    """Where to keep what layers make of these rows' prompts, the same in all passes; None: nothing is kept."""


_PartsOf = Mapping[str, tuple[Part, ...]]
"""By layer. As long as rows are in the batch with the same uses, a layer's tuple is the same object."""


@dataclass(frozen=True, eq=False)
class _Share:
    """One `Rows` in the batch: from row, to row, what acts on them, and whether that stays as it is."""

    start: int
    stop: int
    parts: _PartsOf
    is_lasting: bool
    segments: dict[str, Segment] = field(default_factory=dict)
    """What a layer sees of it, by the layer: one object as long as the rows stay where they are."""

    def segment(self, path: str) -> Segment:
        if path not in self.segments:
            self.segments[path] = Segment(self.start, self.stop, self.parts.get(path, ()), self.is_lasting)
        return self.segments[path]


class Bank:
    """The seals beside a base's denoiser, for one batch after the other."""

    def __init__(
        self, base: Base, pool: Pool, kernel: str = "auto", fold_bytes: int = 0, is_timed: bool = True
    ):
        """`fold_bytes`: memory for weights with seals in them, where the kernel can use some.

        `is_timed`: whether the quicker of two libraries is taken, which another process may find to be the other.
        Raises: ConfigError for a kernel there is none of.
        """
        self._pool = pool
        self._kernel = kernel_for(pool, kernel, fold_bytes)
        prefix = base.family.denoiser
        self._modules = {f"{prefix}.{path}": module for path, module in adaptable(base.denoiser).items()}
        self._layers: dict[str, AdaptedLayer] = {}
        self._text_layers = {
            f"{prefix}.{path}": TextLayer(f"{prefix}.{path}", base.denoiser.get_submodule(path), self._kernel)
            for path in base.family.workings.text_layers(base)
        }
        self._quick = QuickLayers(base.denoiser) if is_timed else None
        self._batch: tuple[Rows, ...] = ()
        self._parts: dict[tuple[Use, ...], _PartsOf] = {}
        self._frame: Sequence[_Share] = ()
        self._has_twins = False
        """Whether neighbours in it have a seal in common."""

    def compose(self, batch: Sequence[Rows]) -> None:
        """From the next pass on, the batch's rows are these, in this order.

        Seals are pinned in the pool for as long as they are in the batch.
        Raises: ValueError for a lease that has ended; the bank is as it was then.
        """
        wanted = tuple(replace(rows, uses=tuple(map(_momentary, rows.uses))) for rows in batch)
        if wanted == self._batch:
            return
        self._hold(wanted)
        self._parts = {rows.uses: self._parts.get(rows.uses) or _parts(rows.uses) for rows in wanted}
        self._batch = wanted
        if wanted and self._quick:
            self._quick.on()  # before layers with seals take them for the module's own
        self._frame = _frame(wanted, self._parts, self._frame)
        self._has_twins = any(_share_a_seal(one, other) for one, other in pairwise(wanted))
        is_single = any(rows.reading for rows in wanted)
        kept = self._text_layers.keys() if is_single else set()
        changed = {path for parts in self._parts.values() for path in parts} - kept
        for path in self._layers.keys() - changed:
            self._layers[path].release()
        for path in self._text_layers.keys() - kept:
            self._text_layers[path].release()
        for path in changed:
            self._layer(path).arrange(self._segments(path))
        readings = tuple(rows.reading for rows in wanted)
        for path in kept:
            self._text_layers[path].arrange(self._single_segments(path), readings)
        if not wanted and self._quick:
            self._quick.off()

    def clear(self) -> None:
        """Takes all seals off: the denoiser is the bare base, no seal is pinned."""
        self.compose(())

    @contextmanager
    def composed(self, batch: Sequence[Rows]) -> Iterator[None]:
        """A context in which the batch's rows are these; afterwards the denoiser is bare."""
        self.compose(batch)
        try:
            yield
        finally:
            self.clear()

    def _hold(self, wanted: Sequence[Rows]) -> None:
        """Pins what is wanted, then lets go of what was held before."""
        before, leases = _leases(self._batch), _leases(wanted)
        pinned: list[Lease] = []
        try:
            for lease in leases:
                self._pool.pin(lease)
                pinned.append(lease)
        except ValueError:
            for lease in pinned:
                self._pool.unpin(lease)
            raise
        for lease in before:
            self._pool.unpin(lease)
        self._kernel.hold(leases)

    def _layer(self, path: str) -> AdaptedLayer:
        if path not in self._layers:
            self._layers[path] = AdaptedLayer(path, self._modules[path], self._kernel)
        return self._layers[path]

    def _segments(self, path: str) -> tuple[Segment, ...]:
        """The batch as one layer sees it; neighbours with the same parts are one segment."""
        single = self._single_segments(path)
        if not self._has_twins:
            return single
        segments: list[Segment] = []
        for segment in single:
            last = segments[-1] if segments else None
            if last and last.parts == segment.parts and last.is_lasting == segment.is_lasting:
                segments[-1] = replace(last, stop=segment.stop)
            else:
                segments.append(segment)
        return tuple(segments)

    def _single_segments(self, path: str) -> tuple[Segment, ...]:
        """A segment for each of the batch's `Rows`."""
        return tuple([share.segment(path) for share in self._frame])


def _momentary(use: Use) -> Use:
    """The use without its step where the step makes no difference, so that unchanged ones compare equal."""
    return replace(use, step=0, num_steps=1) if use.is_lasting else use


def _parts(uses: Sequence[Use]) -> _PartsOf:
    """Layer -> what acts on it now, in the order of the uses; layers of strength 0 are left out."""
    parts: dict[str, tuple[Part, ...]] = {}
    for use in uses:
        for path, place in use.lease.places.items():
            if factor := use.factor(path):
                parts[path] = (*parts.get(path, ()), Part(use.lease, path, factor * place.scale))
    return parts


def _frame(
    batch: Sequence[Rows], parts: Mapping[tuple[Use, ...], _PartsOf], before: Sequence[_Share]
) -> list[_Share]:
    """The batch's shares; what stays where it was is the object it was before."""
    found = {(share.start, share.stop, id(share.parts)): share for share in before}
    frame = []
    for rows, stop in zip(batch, accumulate(rows.num_rows for rows in batch), strict=True):
        own = parts[rows.uses]
        share = found.get((stop - rows.num_rows, stop, id(own)))
        is_lasting = all(use.is_lasting for use in rows.uses)
        frame.append(share or _Share(stop - rows.num_rows, stop, own, is_lasting))
    return frame


def _share_a_seal(rows: Rows, others: Rows) -> bool:
    return not {use.lease for use in rows.uses}.isdisjoint(use.lease for use in others.uses)


def _leases(batch: Sequence[Rows]) -> tuple[Lease, ...]:
    """Each seal in the batch once."""
    return tuple(dict.fromkeys(use.lease for rows in batch for use in rows.uses))
