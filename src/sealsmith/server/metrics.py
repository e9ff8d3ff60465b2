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
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STAGE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
HTTP_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
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
