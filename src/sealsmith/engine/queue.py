"""Whose request is drawn next: a fair queue between tenants, as a value with functions that return the next one.

Start-time fair queueing: serving a request moves its tenant's finish forward by cost / weight, and the tenant with
the earliest start comes next. Virtual time is the start of whatever was taken last; a tenant that was away, or had
nothing ready, starts there, so idling earns no credit. Not for: which requests fit into one forward pass (loop.py),
or loading their seals (exchange.py).

Source: Goyal, Vin, Cheng 1996, "Start-time Fair Queuing"; several served at once: Jin, Chase, Kaur 2004, SFQ(D).
Differs: tags are a tenant's, worked out when they are needed, instead of being given to each request as it comes.
That is the same order, and what is cancelled leaves no trace in it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..errors import BusyError, ConfigError, DeadlineError

MIN_RETRY_S, MAX_RETRY_S = 1.0, 600.0


@dataclass(frozen=True)
class Share:
    """What one tenant may have."""

    weight: float = 1.0
    """Its part of the machine, relative to the others' who have work."""
    max_in_flight: int = 8
    max_queued: int = 64

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ConfigError(f"a tenant's weight is {self.weight}", "give a positive number")
        if self.max_in_flight < 1 or self.max_queued < 1:
            raise ConfigError(
                f"a tenant may have {self.max_in_flight} requests in flight and {self.max_queued} queued",
                "give at least 1 of each",
            )


@dataclass(frozen=True)
class Waiting:
    """One request in the queue."""

    request_id: str
    tenant: str
    cost: float
    """Steps times pixels times rows of a pass; more than 0."""
    arrived_s: float = 0.0
    deadline_s: float = math.inf
    """Both by the caller's clock. A request that was not taken before its deadline expires."""


@dataclass(frozen=True)
class Account:
    """One tenant in the queue."""

    finish: float = 0.0
    """Virtual time at which it has had what it was given so far."""
    waiting: tuple[Waiting, ...] = ()
    in_flight: Mapping[str, float] = field(default_factory=dict)
    """Request -> its cost."""


@dataclass(frozen=True)
class FairQueue:
    """All tenants' requests, waiting and in flight. Methods return another queue and leave this one as it is."""

    shares: Mapping[str, Share] = field(default_factory=dict)
    default_share: Share = field(default_factory=Share)
    max_queued: int = 1024
    """Of all tenants together."""
    virtual_time: float = 0.0
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def share(self, tenant: str) -> Share:
        return self.shares.get(tenant, self.default_share)

    @property
    def num_queued(self) -> int:
        return sum(len(account.waiting) for account in self.accounts.values())

    @property
    def num_in_flight(self) -> int:
        return sum(len(account.in_flight) for account in self.accounts.values())

    def push(self, request: Waiting, cost_per_s: float | None = None) -> "FairQueue":
        """With `request` behind its tenant's others. `cost_per_s`: the machine's measured pace, where it is known.

        Raises: BusyError, which says when to come again, once a quota is used up; ConfigError for no cost.
        """
        if not (math.isfinite(request.cost) and request.cost > 0):
            raise ConfigError(f"a request's cost is {request.cost}", "a request has steps and pixels")
        account = self.accounts.get(request.tenant, Account())
        quota, total = self.share(request.tenant).max_queued, self.num_queued
        if len(account.waiting) >= quota or total >= self.max_queued:
            whose = f"{quota} of your" if len(account.waiting) >= quota else f"{total}"
            raise BusyError(
                f"{whose} requests are waiting already",
                "send it again later, or wait for the others",
                retry_after_s(self, request.tenant, cost_per_s),
            )
        return self._with(request.tenant, replace(account, waiting=(*account.waiting, request)))

    def take(
        self, is_ready: Callable[[Waiting], bool] = lambda _: True
    ) -> tuple["FairQueue", Waiting | None]:
        """What is drawn next, now in flight and charged to its tenant; None when nothing may be.

        `is_ready` says whether a request could begin now: its seals are there, and there is room for it. Of one
        tenant the first that is ready is taken, so a request whose seal is late holds nobody up.
        """
        best: tuple[tuple[float, float, str], Waiting] | None = None
        for tenant, account in self.accounts.items():
            if len(account.in_flight) >= self.share(tenant).max_in_flight:
                continue
            first = next((request for request in account.waiting if is_ready(request)), None)
            if first is None:
                continue
            rank = (self.start(tenant), first.arrived_s, tenant)
            if best is None or rank < best[0]:
                best = rank, first
        if best is None:
            return self, None
        (start, _, tenant), chosen = best
        account = self.accounts[tenant]
        served = replace(
            account,
            finish=start + chosen.cost / self.share(tenant).weight,
            waiting=tuple(request for request in account.waiting if request is not chosen),
            in_flight={**account.in_flight, chosen.request_id: chosen.cost},
        )
        return replace(self._with(tenant, served), virtual_time=start)._pruned(), chosen

    def start(self, tenant: str) -> float:
        """Virtual time at which the tenant's next request begins."""
        account = self.accounts.get(tenant)
        return max(account.finish, self.virtual_time) if account else self.virtual_time

    def finish(self, request_id: str, unspent: float = 0.0) -> "FairQueue":
        """Without a request in flight. `unspent`: the part of its cost that was charged but not used, given back.

        Raises: KeyError when it is not in flight.
        """
        tenant = next((name for name, each in self.accounts.items() if request_id in each.in_flight), None)
        if tenant is None:
            raise KeyError(request_id)
        account = self.accounts[tenant]
        in_flight = {key: cost for key, cost in account.in_flight.items() if key != request_id}
        refund = min(max(unspent, 0.0), account.in_flight[request_id]) / self.share(tenant).weight
        return self._with(
            tenant, replace(account, finish=account.finish - refund, in_flight=in_flight)
        )._pruned()

    def cancel(self, request_id: str) -> "FairQueue":
        """Without a waiting request, as if it had never come. Raises: KeyError when it is not waiting."""
        if not any(request.request_id == request_id for request in self.waiting()):
            raise KeyError(request_id)
        return self._without(lambda request: request.request_id == request_id)

    def expire(self, now_s: float) -> tuple["FairQueue", tuple[Waiting, ...]]:
        """Without the requests whose deadline has come, and those requests."""
        expired = tuple(request for request in self.waiting() if request.deadline_s <= now_s)
        return (self._without(lambda request: request in expired), expired) if expired else (self, ())

    def waiting(self) -> Iterator[Waiting]:
        """Every waiting request, tenant by tenant."""
        for account in self.accounts.values():
            yield from account.waiting

    def check_integrity(self) -> None:
        """Proves that no request is here twice, every quota is kept, and nothing is remembered for no reason."""
        ids = [request.request_id for request in self.waiting()]
        ids += [request_id for account in self.accounts.values() for request_id in account.in_flight]
        assert len(ids) == len(set(ids)), f"a request is in the queue twice: {sorted(ids)}"
        assert self.num_queued <= self.max_queued
        for tenant, account in self.accounts.items():
            share = self.share(tenant)
            assert len(account.waiting) <= share.max_queued, tenant
            assert len(account.in_flight) <= share.max_in_flight, tenant
            assert all(request.tenant == tenant for request in account.waiting), tenant
            assert account.waiting or account.in_flight or account.finish > self.virtual_time, tenant

    def _with(self, tenant: str, account: Account) -> "FairQueue":
        return replace(self, accounts={**self.accounts, tenant: account})

    def _without(self, is_gone: Callable[[Waiting], bool]) -> "FairQueue":
        accounts = {
            tenant: replace(account, waiting=tuple(each for each in account.waiting if not is_gone(each)))
            for tenant, account in self.accounts.items()
        }
        return replace(self, accounts=accounts)._pruned()

    def _pruned(self) -> "FairQueue":
        """Without the tenants who have nothing here and are owed no memory: a new one would start where they do."""
        kept = {
            tenant: account
            for tenant, account in self.accounts.items()
            if account.waiting or account.in_flight or account.finish > self.virtual_time
        }
        return self if len(kept) == len(self.accounts) else replace(self, accounts=kept)


def retry_after_s(queue: FairQueue, tenant: str, cost_per_s: float | None) -> float:
    """Seconds until the tenant's oldest waiting request will have been served, so that there is room for one more.

    An estimate: its cost at the pace the tenant has beside those who have work now. Without a pace: the shortest.
    """
    account = queue.accounts.get(tenant, Account())
    oldest = next(iter(account.waiting), None) or next(queue.waiting(), None)
    if oldest is None or not cost_per_s:
        return MIN_RETRY_S
    busy = {name for name, each in queue.accounts.items() if each.waiting} | {tenant}
    part = queue.share(tenant).weight / sum(queue.share(name).weight for name in busy)
    return min(max(oldest.cost / (cost_per_s * part), MIN_RETRY_S), MAX_RETRY_S)


def expired_error(request: Waiting, again_s: float = MIN_RETRY_S) -> DeadlineError:
    """What the owner of an expired request is told; after `again_s` seconds there may be room."""
    waited = request.deadline_s - request.arrived_s
    return DeadlineError(
        f"the request was not begun within the {waited:.3g} s it gave",
        "nothing was drawn; send it again, with a later deadline",
        again_s,
    )
