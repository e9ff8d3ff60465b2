"""How many requests a minute a key and a tenant may make: buckets that fill steadily, in this server's memory.

A bucket holds a minute's worth, so that a page that asks for fifty things at once gets them. Requests without a
valid key count for the address that they come from, in buckets of their own: however many addresses there are, no
key's bucket makes way for theirs. Not for: how much may be drawn or stored, which the catalog counts (quotas), or
what is under way at once (orders.py).
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import RateError
from .library import Caller

MAX_BUCKETS = 100_000
"""Of those that are not full; beyond, the one that was used longest ago counts as full."""
NETWORK_BITS = 64
"""Of an address of IPv6, those that count: whoever has one has all behind them."""


@dataclass(frozen=True)
class RateLimits:
    """Requests a minute; None: any number."""

    of_key: int | None = None
    of_tenant: int | None = None
    of_stranger: int | None = None
    """Without a valid key, of one address."""


@dataclass
class _Bucket:
    left: float
    since_s: float
    """By the clock, when so much was left."""


class _Buckets:
    """Of one kind, by name."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        """The one that was used longest ago first."""

    def filled(self, name: str, limit: int) -> _Bucket:
        """As full as it is by now."""
        now_s = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(limit, now_s))
        self._buckets.move_to_end(name)
        bucket.left = min(limit, bucket.left + (now_s - bucket.since_s) * limit / 60)
        bucket.since_s = now_s
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket


class Rates:
    """The buckets of all keys, tenants and strangers' addresses. Belongs to one event loop."""

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic):
        self._limits = limits
        self._known, self._strangers = _Buckets(clock), _Buckets(clock)

    def take(self, caller: Caller) -> None:
        """Counts a request of the caller's. One that is refused takes nothing.

        Raises: RateError, with the seconds until there is room for one.
        """
        buckets = [(whose, limit, self._known.filled(name, limit)) for name, whose, limit in self._of(caller)]
        for whose, limit, bucket in buckets:
            if bucket.left < 1:
                raise RateError(
                    f"this {whose} may make {limit} requests a minute, and has made them",
                    "send fewer, or ask whoever runs the server for more",
                    retry_after_s=(1 - bucket.left) * 60 / limit,
                )
        for _, _, bucket in buckets:
            bucket.left -= 1

    def take_stranger(self, address: str) -> None:
        """Counts a request without a valid key from this address. One that is refused takes nothing.

        Raises: RateError, as `take`.
        """
        limit = self._limits.of_stranger
        if not limit:
            return
        bucket = self._strangers.filled(network_of(address), limit)
        if bucket.left < 1:
            raise RateError(
                f"{limit} requests a minute without a valid key may come from one address, and have come from this",
                "send a valid key, which is heard at once",
                retry_after_s=(1 - bucket.left) * 60 / limit,
            )
        bucket.left -= 1

    def _of(self, caller: Caller) -> Iterator[tuple[str, str, int]]:
        """The limits that hold for a caller: the bucket's name, whose it is, and how much is in it."""
        if self._limits.of_key and caller.key:
            yield f"key {caller.key}", "key", self._limits.of_key
        if self._limits.of_tenant:
            yield f"tenant {caller.tenant}", "tenant", self._limits.of_tenant


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or a network of IPv6; what is neither as it is."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(known), NETWORK_BITS), strict=False))
