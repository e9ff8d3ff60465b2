"""Which seals lie in the pool: those of pictures underway, and others as long as they fit, the longest unused first.

Not for: seals in memory outside of the pool (exchange.py), or pages (pool.py).
"""

from collections import OrderedDict
from collections.abc import Mapping

from ..adapters import LowRank
from .pool import Lease, Pool, PoolFull


class Residents:
    """The seals in one pool."""

    def __init__(self, pool: Pool):
        self.pool = pool
        self._unused_since: OrderedDict[str, None] = OrderedDict()

    def enter(self, key: str, layers: Mapping[str, LowRank]) -> Lease | PoolFull:
        """A lease that stays until `leave`; what is missing where seals in use leave no room.

        For a seal that can never fit, nobody has to go.
        """
        lease = self.pool.reserve(key, layers)
        while isinstance(lease, PoolFull) and not lease.is_hopeless and self._evict():
            lease = self.pool.reserve(key, layers)
        if isinstance(lease, Lease):
            self.pool.pin(lease)
            self._unused_since.pop(key, None)
        return lease

    def leave(self, lease: Lease) -> None:
        """Takes one `enter` back; the seal stays until its pages are wanted."""
        self.pool.unpin(lease)
        self._unused_since.pop(lease.key, None)
        self._unused_since[lease.key] = None

    def _evict(self) -> bool:
        """Frees the longest unused seal; whether there was one."""
        for key in self._unused_since:
            lease = self.pool.lease(key)
            if lease is not None and not lease.pins:
                del self._unused_since[key]
                self.pool.free(lease)
                return True
        return False
