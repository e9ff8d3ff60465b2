"""What `/metrics` says, one registry a server.

| name | |
| --- | --- |
| `sealsmith_pictures_total{outcome}` | pictures that ended: `done`, or the code of the error |
| `sealsmith_pictures_underway` | pictures that wait or are being drawn |
| `sealsmith_pictures_waiting` | those of them that have not come to their first step: the queue's depth |
| `sealsmith_stage_seconds{stage}` | how long pictures were in `queue`, `load`, `draw`, its end `encode`, `total` |
| `sealsmith_http_requests_total{method,route,status}` | answers |
| `sealsmith_http_seconds{route}` | until an answer began |
| `sealsmith_engine_starts` | how often the engine's process was started |
| `sealsmith_engine_pictures{state}` | the engine's own count: `queued`, `drawing` |
| `sealsmith_tier_bytes{tier,kind}` | seals in the engine's `pool`, `ram`, `disk`: `used` and `total` bytes |
| `sealsmith_tier_seals{tier}` | how many seals are there |
| `sealsmith_seals_found{where}` | where wanted seals were since the engine began: `memory`, `disk`, ... |
| `sealsmith_jobs{state}` | `queued`, `running`, `failed_today` |
| `sealsmith_workers{state}` | those beside this server: `running`, or `waiting` to be started again |
| `sealsmith_tenants_underway` | tenants whose pictures wait or are being drawn |
| `sealsmith_tenant_pictures_underway{place}` | of the tenant who has most (`1`), second most, ...; no names |
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..jobs import Backlog
from .workers import Worker

STAGE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
TIERS = ("pool", "ram", "disk")
NUM_PLACES = 8
"""Of tenants by how many pictures they have underway."""
HTTP_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Recent:
    """How often something has happened lately."""

    def __init__(self, window_s: float = 60.0, clock: Callable[[], float] = time.monotonic):
        self._window_s, self._clock = window_s, clock
        self._moments: deque[float] = deque()

    def add(self) -> None:
        """It happened now."""
        self._moments.append(self._clock())
        self._forget()

    @property
    def per_s(self) -> float:
        self._forget()
        return len(self._moments) / self._window_s

    def _forget(self) -> None:
        while self._moments and self._moments[0] <= self._clock() - self._window_s:
            self._moments.popleft()


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.drawn = Recent()
        """Pictures that were finished."""
        self.pictures = Counter("sealsmith_pictures", "Pictures that ended.", ["outcome"], registry=registry)
        self.underway = Gauge(
            "sealsmith_pictures_underway", "Pictures that wait or are being drawn.", registry=registry
        )
        self.waiting = Gauge(
            "sealsmith_pictures_waiting",
            "Pictures that have not come to their first step.",
            registry=registry,
        )
        self.stages = Histogram(
            "sealsmith_stage_seconds", "Time of a picture in each stage.", ["stage"], registry=registry,
            buckets=STAGE_SECONDS,
        )  # fmt: skip
        self.requests = Counter(
            "sealsmith_http_requests", "Answers.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "sealsmith_http_seconds", "Time until an answer began.", ["route"], registry=registry,
            buckets=HTTP_SECONDS,
        )  # fmt: skip
        self.engine_starts = Gauge(
            "sealsmith_engine_starts", "Starts of the engine's process.", registry=registry
        )
        self._engine = self._gauge("engine_pictures", "Pictures in the engine.", "state")
        self._tier_bytes = self._gauge("tier_bytes", "Bytes of seals in a tier.", "tier", "kind")
        self._tier_seals = self._gauge("tier_seals", "Seals in a tier.", "tier")
        self._found = self._gauge(
            "seals_found", "Where wanted seals were, since the engine's start.", "where"
        )
        self._jobs = self._gauge("jobs", "Jobs of all tenants.", "state")
        self._workers = self._gauge("workers", "Workers beside this server.", "state")
        self._tenants = self._gauge("tenants_underway", "Tenants with pictures underway.")
        self._shares = self._gauge("tenant_pictures_underway", "Pictures underway of a tenant.", "place")

    def show_engine(self, gauges: Mapping[str, float]) -> None:
        """What the engine counts (engine/core.py); of one that is not there, nothing."""
        for gauge in (self._engine, self._tier_bytes, self._tier_seals, self._found):
            gauge.clear()
        for state in ("queued", "drawing"):
            self._engine.labels(state).set(gauges.get(state, 0))
        for tier in TIERS:
            if f"{tier}_seals" in gauges:
                self._tier_seals.labels(tier).set(gauges[f"{tier}_seals"])
                for kind in ("used", "total"):
                    self._tier_bytes.labels(tier, kind).set(gauges[f"{tier}_{kind}_bytes"])
        for name, count in gauges.items():
            if name.endswith("_found"):
                self._found.labels(name.removesuffix("_found")).set(count)

    def show_work(self, backlog: Backlog | None, crew: Sequence[Worker]) -> None:
        """Jobs, where there are any, and those who do them."""
        if backlog is not None:
            self._jobs.labels("queued").set(backlog.num_queued)
            self._jobs.labels("running").set(backlog.num_running)
            self._jobs.labels("failed_today").set(backlog.num_failed_today)
        for state in ("running", "waiting"):
            self._workers.labels(state).set(sum(worker.state == state for worker in crew))

    def show_tenants(self, underway: Collection[int]) -> None:
        """How many pictures each tenant has underway, whoever they are."""
        self._tenants.set(len(underway))
        most = sorted(underway, reverse=True)
        for place in range(NUM_PLACES):
            self._shares.labels(str(place + 1)).set(most[place] if place < len(most) else 0)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"sealsmith_{name}", text, labels, registry=self.registry)
