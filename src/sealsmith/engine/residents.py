"""Which seals lie in the pool, and which goes when there is no room: the least recently used that is not in use.

Not for: the pool's pages (pool.py), or bringing seals into memory (exchange.py). Belongs to the loop's thread.
"""

from collections import OrderedDict

from ..errors import BusyError, SealSizeError
from .packing import Packed
from .pool import Lease, Pool, PoolFull


class Residents:
    """The seals of one pool, which nobody else fills or empties."""

    def __init__(self, pool: Pool):
        self._pool = pool
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        """The least recently used first."""

    def __contains__(self, key: str) -> bool:
        return key in self._leases

    def enter(self, key: str, seal: Packed) -> Lease:
        """The seal's place in the pool, pinned until `leave`; others go for it where they have to.

        Raises: SealSizeError for one larger than the pool; BusyError when what is in use leaves no room, and
        then nothing has gone.
        """
        lease = self._pool.reserve(key, seal)
        if isinstance(lease, PoolFull):
            self._make_room(key, lease)
            lease = self._pool.reserve(key, seal)
            assert isinstance(lease, Lease), "the pool has less room than it said"
        self._pool.pin(lease)
        self._leases[key] = lease
        self._leases.move_to_end(key)
        return lease

    def leave(self, lease: Lease) -> None:
        """Takes one `enter` back; the seal stays until its room is needed. Raises: ValueError for one too many."""
        self._pool.unpin(lease)

    def check_integrity(self) -> None:
        """Proves that the pool is whole and holds these seals and no others."""
        self._pool.check_integrity()
        assert {lease.key for lease in self._pool.resident()} == self._leases.keys()
        assert all(lease.is_live for lease in self._leases.values())

    def _make_room(self, key: str, full: PoolFull) -> None:
        if full.is_hopeless:
            raise SealSizeError(
                f"seal {key[:12]} takes {full.wanted} pages of the pool's {full.total}",
                "shrink it to a lower rank, or give the engine a larger pool",
            )
        going, num_free = [], full.free
        for lease in self._leases.values():
            if num_free >= full.wanted:
                break
            if not lease.pins:
                going.append(lease)
                num_free += len(lease.pages)
        if num_free < full.wanted:
            raise BusyError(
                f"the seals in use leave {num_free} pages for seal {key[:12]}, which takes {full.wanted}",
                "send the request again later, or give the engine a larger pool",
            )
        for lease in going:
            del self._leases[lease.key]
            self._pool.free(lease)
