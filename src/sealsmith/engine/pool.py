"""The adapters of resident seals in one allocation, cut into pages of one size, whatever their ranks.

A seal's matrices are laid one behind the other into a stream of elements, the stream into pages wherever there are
free ones. So seals of any rank and any targets share the memory, none is ever moved, and at most one page a seal is
partly empty:

    stream of a seal   |down 0|up 0|  down 1  |up 1|down 2|up 2|..|
    its pages          |   page 7   |   page 2   |   page 9   |

`down` [R, I, kh, kw] lies there as it is, `up` [O, R] turned to [R, O], so that each of the R directions is one row
in both. Not for: which seal has to go when the pages run out (exchange.py).
"""

import itertools
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

import torch
from torch import Tensor

from ..adapters.changes import LowRank

PAGE_ELEMENTS = 2048
"""So few that the last page costs a small seal of rank 4 less than 5 %, so many that page tables are short."""


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
"""By a layer's path."""


@dataclass(eq=False)
class Lease:
    """A seal's stay in the pool: readable until it is freed."""

    key: str
    """Whose tensors these are: the content's hash."""
    places: Places
    pages: tuple[int, ...]
    num_elements: int
    checksum: int
    pins: int = 0
    """How many users there are who would be hurt if it went."""
    is_live: bool = True


@dataclass(frozen=True)
class PoolFull:
    """Why there is no lease: so many pages are wanted, so many are free, of so many."""

    wanted: int
    free: int
    total: int

    @property
    def is_hopeless(self) -> bool:
        """Whether no eviction helps: the seal is larger than the pool."""
        return self.wanted > self.total


@dataclass
class Pool:
    """One allocation of `num_pages` pages, [num_pages, page_elements].

    Threads may reserve and free at once; a lease's contents are written before anyone else sees the lease.
    """

    num_pages: int
    page_elements: int = PAGE_ELEMENTS
    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        self.storage = torch.zeros(self.num_pages, self.page_elements, dtype=self.dtype, device=self.device)
        self._free = list(range(self.num_pages))[::-1]
        self._leases: dict[str, Lease] = {}
        self._layouts: dict[tuple[tuple[str, Place], ...], Places] = {}
        self._lock = Lock()

    @property
    def num_free(self) -> int:
        return len(self._free)

    def lease(self, key: str) -> Lease | None:
        """The stay of the seal with these contents, if it is resident."""
        return self._leases.get(key)

    def resident(self) -> tuple[Lease, ...]:
        """All leases, the oldest first."""
        return tuple(self._leases.values())

    def reserve(self, key: str, layers: Mapping[str, LowRank]) -> Lease | PoolFull:
        """A lease on pages that hold these matrices, or what is missing for one; the resident one, if there is one.

        Shapes: each change in the shape of its layer's weight. Contents are stored in the pool's dtype.
        """
        places = _lay_out(layers)
        num_elements = _num_elements(places)
        wanted = -(-num_elements // self.page_elements)
        with self._lock:
            if (resident := self._leases.get(key)) is not None:
                return resident
            if wanted > len(self._free):
                return PoolFull(wanted, len(self._free), self.num_pages)
            pages = tuple(self._free.pop() for _ in range(wanted))
        stream = _stream(layers, wanted * self.page_elements, self.dtype)
        if pages:
            index = torch.tensor(pages, device=self.device)
            self.storage[index] = stream.view(wanted, self.page_elements).to(self.device)
        lease = Lease(key, places, pages, num_elements, _checksum(stream[:num_elements]))
        return self._admit(lease)

    def num_pages_for(self, layers: Mapping[str, LowRank]) -> int:
        """How many pages a seal with these changes takes."""
        return -(-_num_elements(_lay_out(layers)) // self.page_elements)

    def pin(self, lease: Lease) -> None:
        """Keeps the lease from being freed until it is unpinned as often. Raises: ValueError after its end."""
        with self._lock:
            _check_live(lease)
            lease.pins += 1

    def unpin(self, lease: Lease) -> None:
        """Raises: ValueError without a pin."""
        with self._lock:
            if lease.pins == 0:
                raise ValueError(f"the lease of seal {lease.key} is not pinned")
            lease.pins -= 1

    def free(self, lease: Lease) -> None:
        """Ends the lease; its pages may be another's from now on.

        Raises: ValueError while it is pinned, or after its end.
        """
        with self._lock:
            _check_live(lease)
            if lease.pins:
                raise ValueError(f"seal {lease.key} is in use {lease.pins} times; its pages cannot be freed")
            lease.is_live = False
            del self._leases[lease.key]
            self._free.extend(lease.pages)
            self._drop_unused_layouts()

    def read(self, lease: Lease, path: str) -> tuple[Tensor, Tensor]:
        """(down, up) of one layer as they lie in the pages, copied: down [R, I] or [R, I, kh, kw], up [R, O].

        Raises: ValueError after the lease's end, for its pages may be another seal's.
        """
        _check_live(lease)
        place = lease.places[path]
        first, last = place.offset // self.page_elements, (place.stop - 1) // self.page_elements
        index = torch.tensor(lease.pages[first : last + 1], device=self.device)
        return _matrices(self.storage[index].view(-1), place, first * self.page_elements)

    def read_all(self, lease: Lease) -> dict[str, tuple[Tensor, Tensor]]:
        """`read` of every layer, in one copy of the seal. Raises: ValueError after the lease's end."""
        _check_live(lease)
        index = torch.tensor(lease.pages, dtype=torch.long, device=self.device)
        stream = self.storage[index].view(-1)
        return {path: _matrices(stream, place, 0) for path, place in lease.places.items()}

    def check_integrity(self) -> None:
        """Proves that no page has two owners, none is lost, and every lease holds what was written.

        Raises: AssertionError naming the first of these that does not hold.
        """
        with self._lock:
            owned = [page for lease in self._leases.values() for page in lease.pages]
            pages = sorted([*owned, *self._free])
            if pages != list(range(self.num_pages)):
                twice = next((page for page, other in itertools.pairwise(pages) if page == other), None)
                lost = next((page for page in range(self.num_pages) if page not in set(pages)), None)
                raise AssertionError(f"pages are not owned once each: {twice} twice, {lost} lost")
            for lease in self._leases.values():
                if not lease.is_live or lease.num_elements > len(lease.pages) * self.page_elements:
                    raise AssertionError(f"the lease of seal {lease.key} has ended, or is short of pages")
                stream = self.storage[torch.tensor(lease.pages, dtype=torch.long, device=self.device)].view(
                    -1
                )
                if _checksum(stream[: lease.num_elements]) != lease.checksum:
                    raise AssertionError(f"the contents of seal {lease.key} changed in the pool")

    def _admit(self, lease: Lease) -> Lease:
        """The lease, now resident; the one another thread made of the same contents meanwhile, if it did."""
        with self._lock:
            resident = self._leases.setdefault(lease.key, lease)
            if resident is not lease:
                self._free.extend(lease.pages)
                return resident
            shared = self._layouts.setdefault(tuple(lease.places.items()), lease.places)
            lease.places = shared
            return lease

    def _drop_unused_layouts(self) -> None:
        used = {id(lease.places) for lease in self._leases.values()}
        self._layouts = {key: places for key, places in self._layouts.items() if id(places) in used}


def bytes_of(layers: Mapping[str, LowRank], dtype: torch.dtype) -> int:
    """What the matrices themselves take, without pages."""
    return sum(change.down.numel() + change.up.numel() for change in layers.values()) * dtype.itemsize


def _num_elements(places: Places) -> int:
    return max((place.stop for place in places.values()), default=0)


def _lay_out(layers: Mapping[str, LowRank]) -> Places:
    places: dict[str, Place] = {}
    offset = 0
    for path, change in layers.items():
        places[path] = Place(offset, tuple(change.down.shape), int(change.up.shape[0]), change.scale)
        offset = places[path].stop
    return places


def _stream(layers: Mapping[str, LowRank], num_elements: int, dtype: torch.dtype) -> Tensor:
    """All matrices one behind the other, [num_elements], zeros behind the last; on the CPU."""
    parts = [part for change in layers.values() for part in (change.down, change.up.flatten(1).T)]
    flat = [part.reshape(-1).to(dtype) for part in parts]
    missing = num_elements - sum(map(len, flat))
    return torch.cat([*flat, torch.zeros(missing, dtype=dtype)])


def _matrices(stream: Tensor, place: Place, offset: int) -> tuple[Tensor, Tensor]:
    """down and up at `place` in a stream that begins `offset` elements behind the lease's own."""
    start, middle, stop = (each - offset for each in (place.offset, place.up_offset, place.stop))
    return stream[start:middle].view(place.down_shape), stream[middle:stop].view(place.rank, place.outputs)


def _checksum(stream: Tensor) -> int:
    return zlib.crc32(stream.cpu().contiguous().view(torch.uint8).numpy().data)


def _check_live(lease: Lease) -> None:
    if not lease.is_live:
        raise ValueError(f"the lease of seal {lease.key} has ended: its pages may be another seal's")
