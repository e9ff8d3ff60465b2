"""A seal's matrices one behind the other, as a pool's pages hold them: laid out once, when the seal comes.

    stream   |down 0|up 0|  down 1  |up 1|down 2|up 2|..

`down` [R, I, kh, kw] lies there as it is, `up` [O, R] turned to [R, O], so that each of the R directions is one row
in both. A seal whose matrices were made to lie so (`laid_together`) is packed without moving a number; all that is
left when its request begins is the copy into the pages. Not for: the pages (pool.py).
"""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..adapters import LowRank


@dataclass(frozen=True)
class Place:
    """Where one layer's matrices lie in the stream of their seal."""

    offset: int
    """Of the first element of `down`; `up` follows it."""
    down_shape: tuple[int, ...]
    """[R, I] or [R, I, kh, kw]"""
    outputs: int
    scale: float
    """alpha / rank, the file's own factor."""

    @property
    def rank(self) -> int:
        return self.down_shape[0]

    @property
    def up_offset(self) -> int:
        return self.offset + math.prod(self.down_shape)

    @property
    def stop(self) -> int:
        return self.up_offset + self.rank * self.outputs


Places = Mapping[str, Place]
"""By a layer's path, in the order of the stream."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A seal's changes, ready to be copied into pages."""

    places: Places
    stream: Tensor
    """[elements], on the CPU"""
    checksum: int


def packed(layers: Mapping[str, LowRank], dtype: torch.dtype) -> Packed:
    """These changes, each in the shape of its layer's weight, as a stream in `dtype`.

    The stream shares their memory where they lie as it wants them.
    """
    flat = [part for change in layers.values() for part in _parts(change)]
    stream = _as_it_lies(flat, dtype)
    if stream is None:
        stream = _end_to_end(flat, dtype)
    return Packed(_lay_out(layers), stream, checksum_of(stream))


def laid_together(changes: Iterable[LowRank], dtype: torch.dtype) -> list[LowRank]:
    """The same changes in `dtype`, in one piece of memory in which `packed` finds them as it wants them."""
    changes = list(changes)
    flat = [part for change in changes for part in _parts(change)]
    pieces = iter(_end_to_end(flat, dtype).split([part.numel() for part in flat]))
    return [
        LowRank(
            next(pieces).view(change.down.shape),
            next(pieces).view(change.rank, -1).T.view(change.up.shape),
            change.alpha,
        )
        for change in changes
    ]


def stream_of(changes: Sequence[LowRank]) -> Tensor:
    """The one piece of memory in which `laid_together` put them."""
    first = changes[0].down
    return first.as_strided((first.untyped_storage().nbytes() // first.itemsize,), (1,), 0)


def matrices(stream: Tensor, places: Places) -> dict[str, tuple[Tensor, Tensor]]:
    """Views of (down, up) of every layer in its stream: down [R, I] or [R, I, kh, kw], up [R, O]."""
    if not places:
        return {}
    sizes = [
        size
        for place in places.values()
        for size in (place.up_offset - place.offset, place.rank * place.outputs)
    ]
    pieces = iter(stream[: sum(sizes)].split(sizes))
    return {
        path: (next(pieces).view(place.down_shape), next(pieces).view(place.rank, place.outputs))
        for path, place in places.items()
    }


def checksum_of(stream: Tensor) -> int:
    return zlib.crc32(stream.cpu().contiguous().view(torch.uint8).numpy().data)


def _lay_out(layers: Mapping[str, LowRank]) -> Places:
    places: dict[str, Place] = {}
    offset = 0
    for path, change in layers.items():
        places[path] = Place(offset, tuple(change.down.shape), int(change.up.shape[0]), change.scale)
        offset = places[path].stop
    return places


def _parts(change: LowRank) -> tuple[Tensor, Tensor]:
    return change.down, change.up.flatten(1).T


def _end_to_end(parts: Iterable[Tensor], dtype: torch.dtype) -> Tensor:
    """All of these in one stream of their own."""
    return torch.cat([torch.empty(0, dtype=dtype), *(part.reshape(-1).to(dtype) for part in parts)])


def _as_it_lies(parts: list[Tensor], dtype: torch.dtype) -> Tensor | None:
    """One tensor over all of these, if they are in `dtype` and follow one another in one piece of memory."""
    if not parts:
        return None
    first = parts[0]
    stop = first.storage_offset()
    for part in parts:
        is_next = part.storage_offset() == stop and part.is_contiguous() and part.dtype == dtype
        if not is_next or part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            return None
        stop += part.numel()
    begin = first.storage_offset()
    return first.as_strided((stop - begin,), (1,), begin)
