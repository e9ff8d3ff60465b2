"""How many requests a minute a key and a tenant may make: buckets that fill steadily, in this server's memory.

A bucket holds a minute's worth, so that a page that asks for fifty things at once gets them. Not for: how much may
be drawn or stored, which the catalog counts (quotas), or what is under way at once (orders.py).
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import RateError
from .library import Caller

MAX_BUCKETS = 100_000
"""Of those that are not full; beyond, the one that was used longest ago counts as full."""


@dataclass(frozen=True)
class RateLimits:
    """Requests a minute; None: any number."""

    of_key: int | None = None
    of_tenant: int | None = None


@dataclass
class _Bucket:
    left: float
    since_s: float
    """By the clock, when so much was left."""


class Rates:
    """The buckets of all keys and tenants. Belongs to one event loop."""

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic):
        self._limits, self._clock = limits, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        """The one that was used longest ago first."""

    def take(self, caller: Caller) -> None:
        """Counts a request of the caller's. One that is refused takes nothing.

        Raises: RateError, with the seconds until there is room for one.
        """
        now_s = self._clock()
        buckets = [
            (whose, limit, self._filled(name, limit, now_s)) for name, whose, limit in self._of(caller)
        ]
        for whose, limit, bucket in buckets:
            if bucket.left < 1:
                raise RateError(
                    f"this {whose} may make {limit} requests a minute, and has made them",
                    "send fewer, or ask whoever runs the server for more",
                    retry_after_s=(1 - bucket.left) * 60 / limit,
                )
        for _, _, bucket in buckets:
            bucket.left -= 1

    def _of(self, caller: Caller) -> Iterator[tuple[str, str, int]]:
        """The limits that hold for a caller: the bucket's name, whose it is, and how much is in it."""
        if self._limits.of_key and caller.key:
            yield f"key {caller.key}", "key", self._limits.of_key
        if self._limits.of_tenant:
            yield f"tenant {caller.tenant}", "tenant", self._limits.of_tenant

    def _filled(self, name: str, limit: int, now_s: float) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(limit, now_s))
        self._buckets.move_to_end(name)
        bucket.left = min(limit, bucket.left + (now_s - bucket.since_s) * limit / 60)
        bucket.since_s = now_s
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
