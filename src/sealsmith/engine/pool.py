"""The adapters of resident seals in one allocation, cut into pages of one size, whatever their ranks.

A seal's matrices are laid one behind the other into a stream of elements, the stream into pages wherever there are
free ones. So seals of any rank and any targets share the memory, none is ever moved, and at most one page a seal is
partly empty:

    stream of a seal   |down 0|up 0|  down 1  |up 1|down 2|up 2|..|
    its pages          |   page 7   |   page 2   |   page 9   |

The lowest free pages are taken, in order, so that a seal's lie side by side where they can, and are read as they
lie. Not for: how the stream is laid out (packing.py), or which seal goes when the pages run out (residents.py).
"""

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import torch
from torch import Tensor

from .packing import Packed, Place, Places, checksum_of, matrices

PAGE_ELEMENTS = 2048
"""So few that the last page costs a small seal of rank 4 less than 5 %, so many that page tables are short."""


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
        self._free = [*range(self.num_pages)]
        """A heap: the lowest page first."""
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

    def reserve(self, key: str, seal: Packed) -> Lease | PoolFull:
        """A lease on pages that hold the seal, or what is missing for one; the resident one, if there is one.

        Its stream must be in the pool's dtype.
        """
        num_elements = len(seal.stream)
        wanted = self.num_pages_for(num_elements)
        with self._lock:
            if (resident := self._leases.get(key)) is not None:
                return resident
            if wanted > len(self._free):
                return PoolFull(wanted, len(self._free), self.num_pages)
            pages = tuple(heapq.heappop(self._free) for _ in range(wanted))
        lease = Lease(key, seal.places, pages, num_elements, seal.checksum)
        start = 0
        for run in self._runs(lease):
            run.copy_(seal.stream[start : start + len(run)])
            start += len(run)
        return self._admit(lease)

    def num_pages_for(self, num_elements: int) -> int:
        """How many pages a seal of so many numbers takes."""
        return -(-num_elements // self.page_elements)

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
            self._give_back(lease.pages)
            self._drop_unused_layouts()

    def read(self, lease: Lease, path: str) -> tuple[Tensor, Tensor]:
        """(down, up) of one layer, copied: down [R, I] or [R, I, kh, kw], up [R, O].

        Raises: ValueError after the lease's end, for its pages may be another seal's.
        """
        _check_live(lease)
        place = lease.places[path]
        first, last = place.offset // self.page_elements, (place.stop - 1) // self.page_elements
        index = torch.tensor(lease.pages[first : last + 1], device=self.device)
        stream = self.storage[index].view(-1)[place.offset - first * self.page_elements :]
        return matrices(stream, {path: place})[path]

    def read_all(self, lease: Lease) -> dict[str, tuple[Tensor, Tensor]]:
        """`read` of every layer, not to be written to: the pages themselves, where they can be.

        So it holds no longer than the lease. Raises: ValueError after that.
        """
        _check_live(lease)
        return matrices(self._stream(lease), lease.places)

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
                if checksum_of(self._stream(lease)) != lease.checksum:
                    raise AssertionError(f"the contents of seal {lease.key} changed in the pool")

    def _admit(self, lease: Lease) -> Lease:
        """The lease, now resident; the one another thread made of the same contents meanwhile, if it did."""
        with self._lock:
            resident = self._leases.setdefault(lease.key, lease)
            if resident is not lease:
                self._give_back(lease.pages)
                return resident
            shared = self._layouts.setdefault(tuple(lease.places.items()), lease.places)
            lease.places = shared
            return lease

    def _give_back(self, pages: Iterable[int]) -> None:
        for page in pages:
            heapq.heappush(self._free, page)

    def _stream(self, lease: Lease) -> Tensor:
        """[num_elements]"""
        runs = self._runs(lease)
        return runs[0] if len(runs) == 1 else torch.cat([self.storage.view(-1)[:0], *runs])

    def _runs(self, lease: Lease) -> list[Tensor]:
        """The lease's elements in their order, a view of the storage for each run of neighbouring pages."""
        flat, runs, missing = self.storage.view(-1), [], lease.num_elements
        for first, num_pages in _neighbours(lease.pages):
            start = first * self.page_elements
            runs.append(flat[start : start + min(missing, num_pages * self.page_elements)])
            missing -= len(runs[-1])
        return runs

    def _drop_unused_layouts(self) -> None:
        used = {id(lease.places) for lease in self._leases.values()}
        self._layouts = {key: places for key, places in self._layouts.items() if id(places) in used}


def _neighbours(pages: Sequence[int]) -> list[tuple[int, int]]:
    """Rising page numbers as runs without a gap: first page and number of pages."""
    runs: list[tuple[int, int]] = []
    for page in pages:
        if runs and page == sum(runs[-1]):
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((page, 1))
    return runs


def _check_live(lease: Lease) -> None:
    if not lease.is_live:
        raise ValueError(f"the lease of seal {lease.key} has ended: its pages may be another seal's")
