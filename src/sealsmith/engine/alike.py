"""Seals that are made ready by what was found out of another, from which they differ in words and numbers alone.

Trainings with the same settings give files with the same table: tensors of the same names, types and shapes in the
same places. Which layers these are, that they fit, and where each has its place in the base is found out once; of
the 7 ms of a seal with 80 layers that is 5 (docs/log.md). What each has of its own is looked at in each: its hash,
its words, whether its numbers are finite and do something. Whatever is unusual about a seal is left to the whole
way (preparing.py), which also knows how to say what is wrong.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..adapters import AttachReport, Fit, LowRank, Seal, SealHeader
from ..adapters.changes import Change, surely_have_effect
from ..adapters.magnitude import largest_magnitude
from ..adapters.metadata import OWN_KEY
from ..adapters.seal_file import OwnWords, proven_hash
from ..generate.recipe import SealUse
from .fitted import FittedSeal
from .packing import Packed, Places, checksum_of, laid_together, stream_of

MAX_KEPT = 64
"""Patterns; the one that came first goes first."""
ABOUT_THE_SEAL = (OWN_KEY, "modelspec.", "ss_", "sshs_")
"""How entries of a header begin that say nothing of what its tensors mean."""


@dataclass(frozen=True)
class _Half:
    """Where one matrix lies."""

    place: int
    """Among all matrices, as the file has them one behind the other."""
    shape: torch.Size


@dataclass(frozen=True)
class _Layer:
    path: str
    down: _Half
    up: _Half
    alpha: float


@dataclass(frozen=True, eq=False)
class Pattern:
    """What seals of one table have in common on one base, without any numbers of theirs."""

    dtype: torch.dtype
    """Of the numbers in the file."""
    sizes: tuple[int, ...]
    """How many numbers each matrix has, in the order of the file."""
    layers: tuple[_Layer, ...]
    """In the order of the seal's, which is that of the stream it is laid in."""
    base_words: tuple[str, str, str]
    """What their headers say of the base."""
    dialect: str
    report: AttachReport
    fit: Fit
    """Without its changes."""
    texts: tuple[str, ...]
    """Paths of the layers that change how prompts are read."""
    denoiser: tuple[str, ...]
    places: Places
    packed_from: int
    """Where in the seal's own stream the denoiser's begins."""
    packed_numbers: int
    can_merge: bool
    num_bytes: int

    def ready(self, digest: str, words: OwnWords, dtype: torch.dtype) -> FittedSeal | None:
        """Another of them, as the whole way would have it; None where it is unusual."""
        header, numbers = words.proved_header(), _numbers(words, self.dtype)
        if header is None or _base_words(header) != self.base_words:
            return None
        if numbers is None or len(numbers) != sum(self.sizes):
            return None
        changes = laid_together([*self._changes(numbers)], dtype)
        stream = stream_of(changes)
        if not math.isfinite(largest_magnitude(stream)) or not surely_have_effect(changes):
            return None
        layers: dict[str, Change] = dict(zip((layer.path for layer in self.layers), changes, strict=True))
        seal = Seal(header, layers, dialect=self.dialect, metadata=words.metadata)
        text = {path: layers[path] for path in self.texts}
        own = {path: layers[path] for path in self.denoiser}
        packed = stream[self.packed_from :][: self.packed_numbers]
        use = SealUse(seal.name, 1.0, seal.header.trigger, digest, proven_hash(seal))
        return FittedSeal(
            digest,
            seal,
            replace(self.report, seal=seal.name),
            text=replace(seal, layers=text) if text else None,
            denoiser=replace(seal, layers=own),
            fit=replace(self.fit, changes=own),
            use=use,
            packed=Packed(self.places, packed, checksum_of(packed)),
            can_merge=self.can_merge,
        )

    def _changes(self, numbers: Tensor) -> Iterator[LowRank]:
        pieces = numbers.split(self.sizes)
        for layer in self.layers:
            down, up = (pieces[half.place].view(half.shape) for half in (layer.down, layer.up))
            yield LowRank(down, up, layer.alpha)


class Alike:
    """The patterns that are known on one base. Any thread may ask."""

    def __init__(self, dtype: torch.dtype):
        """`dtype`: the base's."""
        self._dtype = dtype
        self._patterns: dict[object, Pattern] = {}

    def ready(self, digest: str, words: OwnWords) -> tuple[FittedSeal, int] | None:
        """The seal of this file and the bytes it takes, if its pattern is known and nothing about it is unusual."""
        pattern = self._patterns.get(_key(words))
        ready = pattern and pattern.ready(digest, words, self._dtype)
        return (ready, pattern.num_bytes) if pattern and ready else None

    def learn(self, words: OwnWords, read: Seal, ready: FittedSeal, num_bytes: int) -> None:
        """Takes the pattern of a seal that was made ready the whole way, if it is one that others can share.

        `read`: as it was read, its numbers still those of the file.
        """
        pattern = _pattern(words, read, ready, num_bytes)
        if pattern is not None:
            if len(self._patterns) >= MAX_KEPT:
                self._patterns.pop(next(iter(self._patterns)), None)
            self._patterns[_key(words)] = pattern


def _pattern(words: OwnWords, read: Seal, ready: FittedSeal, num_bytes: int) -> Pattern | None:
    """What the seal has in common with all of its table; None where that is not all there is to it."""
    layers = _layers(words, read)
    texts = () if ready.text is None else tuple(ready.text.layers)
    if layers is None or ready.packed is None or ready.denoiser is None or not _is_all_placed(ready, texts):
        return None
    stream = ready.packed.stream
    first = ready.seal.layers[layers[0].path]
    assert isinstance(first, LowRank)
    if stream.untyped_storage().data_ptr() != first.down.untyped_storage().data_ptr():
        return None
    halves = [half for layer in layers for half in (layer.down, layer.up)]
    return Pattern(
        dtype=_matrices(read)[0].dtype,
        sizes=tuple(math.prod(half.shape) for half in sorted(halves, key=lambda half: half.place)),
        layers=layers,
        base_words=_base_words(read.header),
        dialect=read.dialect,
        report=ready.report,
        fit=replace(ready.fit, changes={}),
        texts=texts,
        denoiser=tuple(ready.denoiser.layers),
        places=ready.packed.places,
        packed_from=int(stream.storage_offset()),
        packed_numbers=len(stream),
        can_merge=ready.can_merge,
        num_bytes=num_bytes,
    )


def _layers(words: OwnWords, read: Seal) -> tuple[_Layer, ...] | None:
    """Where the seal's layers lie in its file, if they are all there is in it, of low rank and of one type."""
    changes = read.layers.values()
    if read.embeddings or read.networks or not all(isinstance(change, LowRank) for change in changes):
        return None
    matrices = _matrices(read)
    begin = torch.frombuffer(words.tensor_bytes, dtype=torch.uint8).data_ptr()
    stop = begin
    for each in sorted(matrices, key=Tensor.data_ptr):
        if each.data_ptr() != stop or not each.is_contiguous() or each.dtype != matrices[0].dtype:
            return None
        stop += each.nbytes
    if stop != begin + len(words.tensor_bytes):
        return None
    place = {each: number for number, each in enumerate(sorted(map(Tensor.data_ptr, matrices)))}
    return tuple(
        _Layer(
            path,
            _Half(place[change.down.data_ptr()], change.down.shape),
            _Half(place[change.up.data_ptr()], change.up.shape),
            change.alpha,
        )
        for path, change in read.layers.items()
        if isinstance(change, LowRank)
    )


def _matrices(seal: Seal) -> list[Tensor]:
    changes = [change for change in seal.layers.values() if isinstance(change, LowRank)]
    return [matrix for change in changes for matrix in (change.down, change.up)]


def _is_all_placed(ready: FittedSeal, texts: Sequence[str]) -> bool:
    """Whether each layer of the seal acts on the base, as it is."""
    layers = ready.seal.layers
    placed = {path: layers[path] for path in texts} | dict(ready.fit.changes)
    return placed.keys() == layers.keys() and all(placed[path] is layers[path] for path in layers)


def _numbers(words: OwnWords, dtype: torch.dtype) -> Tensor | None:
    """All that lies behind the header, as numbers; None where they are not aligned, or do not come out even."""
    whole = torch.frombuffer(words.tensor_bytes, dtype=torch.uint8)
    is_even = len(whole) % dtype.itemsize == 0 == whole.data_ptr() % dtype.itemsize
    return whole.view(dtype) if is_even else None


def _key(words: OwnWords) -> object:
    """Equal where the tensors' names mean the same."""
    said = [item for item in words.metadata.items() if not item[0].startswith(ABOUT_THE_SEAL)]
    return words.table, frozenset(said)


def _base_words(header: SealHeader) -> tuple[str, str, str]:
    return header.family, header.base, header.base_digest
