"""What the service did under load: figures beside their goals, as JSON and as Markdown."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .http_streams import Streams
from .isolation import Isolation
from .memory import growth_mib
from .soak_fairness import percentile
from .soak_report import Row, promise_page, report_head

MIN_PACE = 0.95
"""Pictures a second over HTTP, as a share of the engine's alone."""
MAX_HEALTH_MS = 100.0
"""p99 of `/healthz` under full load."""
RESAMPLES = 2000
MAX_GROWTH = 0.02
"""Of resident memory over the last half of the soak, as a share of it."""


@dataclass
class Pace:
    """Seconds of rounds of the same pictures, in turn.

    A round scatters by some per cent, so that only their sum says something.
    """

    num_customers: int
    """At once, each with one order at a time."""
    num_pictures: int
    """Of a round."""
    num_steps: int
    """Of a picture, on average."""
    alone_s: list[float] = field(default_factory=list)
    """By the engine without HTTP."""
    answered_s: list[float] = field(default_factory=list)
    """Each picture in the answer to its order: one request."""
    followed_s: list[float] = field(default_factory=list)
    """Each order placed, its events heard to the end, the picture fetched, the order forgotten: four requests."""

    def share(self, rounds_s: list[float]) -> float:
        """Of the engine's own pace, that of other rounds: over all of them."""
        return sum(self.alone_s) / sum(rounds_s)

    def interval(self, rounds_s: list[float]) -> tuple[float, float]:
        """95 % of that share, rounds drawn again at random, each with its neighbour."""
        number = len(self.alone_s)
        drawn = np.random.default_rng(0).integers(0, number, (RESAMPLES, number))
        shares = np.array(self.alone_s)[drawn].sum(1) / np.array(rounds_s)[drawn].sum(1)
        low, high = np.percentile(shares, (2.5, 97.5))
        return float(low), float(high)

    def pictures_per_s(self, rounds_s: list[float]) -> float:
        return self.num_pictures * len(rounds_s) / sum(rounds_s)

    def to_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "ratio": self.share(self.answered_s),
            "interval": self.interval(self.answered_s),
            "followed_ratio": self.share(self.followed_s),
            "followed_interval": self.interval(self.followed_s),
            "alone_pictures_per_s": self.pictures_per_s(self.alone_s),
            "answered_pictures_per_s": self.pictures_per_s(self.answered_s),
            "followed_pictures_per_s": self.pictures_per_s(self.followed_s),
        }


@dataclass
class Soak:
    """What was seen while customers ordered again and again."""

    num_customers: int
    num_drawn: int = 0
    health_ms: list[float] = field(default_factory=list)
    api_mib: list[float] = field(default_factory=list)
    engine_mib: list[float] = field(default_factory=list)

    def growth(self, samples_mib: list[float]) -> float | None:
        """Over the last half, as a share."""
        grown = growth_mib(samples_mib)
        return None if grown is None else grown / samples_mib[-1]

    def to_dict(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "health_ms"}
        return {**own, "health_ms": health_figures(self.health_ms)}


@dataclass(frozen=True)
class ServeReport:
    """All that one run found."""

    base: str
    has_goals: bool
    """A tiny base draws too fast for its pace to say anything of HTTP's share."""
    num_requests: int
    pace: Pace
    soak: Soak
    streams: Streams
    stream_health_ms: list[float]
    isolation: Isolation
    seconds: float
    machine: dict[str, str | int]
    commit: str | None
    command: str

    @property
    def rows(self) -> list[Row]:
        return [*_pace(self), *_health(self), *_streams(self), *_memory(self), *_apart(self)]

    @property
    def is_met(self) -> bool:
        """Whether nothing was found that breaks a promise."""
        return all(row.is_met is not False for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            **report_head(self),
            "pace": self.pace.to_dict(),
            "soak": self.soak.to_dict(),
            "streams": {**vars(self.streams), "health_ms": health_figures(self.stream_health_ms)},
            "isolation": self.isolation.to_dict(),
        }


def serve_page(report: ServeReport) -> str:
    """The report as Markdown."""
    return promise_page(report, report.isolation.wrong)


def health_figures(times_ms: list[float]) -> dict[str, float]:
    """Number of answers and percentiles of their times, in ms."""
    if not times_ms:
        return {"num": 0}
    return {"num": len(times_ms)} | {f"p{share}": percentile(times_ms, share) for share in (50, 95, 99)}


def _pace(report: ServeReport) -> list[Row]:
    pace = report.pace
    terms = f"some {pace.num_steps} steps, {len(pace.alone_s)} rounds of {pace.num_pictures} each"

    def said(rounds_s: list[float]) -> str:
        alone = f"{pace.pictures_per_s(rounds_s):.2f} of {pace.pictures_per_s(pace.alone_s):.2f} a second"
        low, high = pace.interval(rounds_s)
        share = f"{pace.share(rounds_s):.3f} ({low:.3f} to {high:.3f})"
        return f"{share}: {alone}, {terms}, {pace.num_customers} customers"

    return [
        Row(
            "pictures a second over HTTP, each in the answer to its order, beside the engine alone",
            f"≥ {MIN_PACE:g} of it",
            said(pace.answered_s),
            pace.share(pace.answered_s) >= MIN_PACE if report.has_goals else None,
        ),
        Row(
            "the same, each order followed by its events, its picture fetched, the order forgotten",
            "(shown)",
            said(pace.followed_s),
            None,
        ),
    ]


def _health(report: ServeReport) -> list[Row]:
    return [
        _health_row(f"`/healthz` beside {report.soak.num_customers} customers", report.soak.health_ms),
        _health_row(f"`/healthz` beside {report.streams.num_wanted} streams", report.stream_health_ms),
    ]


def _health_row(what: str, times_ms: list[float]) -> Row:
    found = health_figures(times_ms)
    if not times_ms:
        return Row(what, f"p99 ≤ {MAX_HEALTH_MS:g} ms", "not measured", False)
    return Row(
        what,
        f"p99 ≤ {MAX_HEALTH_MS:g} ms",
        f"p50 {found['p50']:.1f}, p95 {found['p95']:.1f}, p99 {found['p99']:.1f} ms, of {found['num']:.0f}",
        found["p99"] <= MAX_HEALTH_MS,
    )


def _streams(report: ServeReport) -> list[Row]:
    found = report.streams
    return [
        Row(
            "open event streams, while pictures are drawn",
            f"{found.num_wanted}, none broken",
            f"{found.most_open} at once; {found.num_ended} came to their picture and were followed by another "
            f"({found.fewest_open} open at the least), {found.num_broken} broke; {found.num_events} events",
            found.most_open >= found.num_wanted and found.num_events > 0 and not found.num_broken,
        )
    ]


def _memory(report: ServeReport) -> list[Row]:
    found = report.soak
    sides = (("the API's", found.api_mib), ("the engine's", found.engine_mib))
    shares = {name: found.growth(samples) for name, samples in sides}
    return [
        Row(
            "memory is flat",
            f"≤ {MAX_GROWTH:.0%} over the last half",
            "; ".join(
                f"{name}: not measured"
                if (share := shares[name]) is None
                else f"{name} {samples[-1]:.0f} MiB, {share:+.2%}"
                for name, samples in sides
            )
            + f"; {found.num_drawn} pictures",
            all(share is not None and share <= MAX_GROWTH for share in shares.values()),
        )
    ]


def _apart(report: ServeReport) -> list[Row]:
    found = report.isolation
    return [
        Row(
            "every picture is the bytes of its owner's alone, and none from a seal that was not granted",
            f"{report.num_requests} requests",
            f"{found.num_requests} requests of {found.num_tenants} tenants for {found.num_seals} seals, with room "
            f"for {found.num_resident} in the engine: {found.num_equal} pictures equal, "
            f"{found.num_refused} refused as they must be, {found.num_either} asked while that changed; "
            f"{found.num_changes} grants, revocations, removals and uploads; {len(found.wrong)} wrong",
            found.num_requests >= report.num_requests and found.num_equal > 0 and not found.wrong,
        )
    ]
