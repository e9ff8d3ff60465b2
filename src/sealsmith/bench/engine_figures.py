"""What the engine suite found, as values: pictures a second round by round, ratios, latencies. Pure.

Not for: measuring (engine_bench.py), or words and tables (engine_report.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from .workload import Workload

OURS, CEILING, DETERMINISTIC = "ours", "ceiling", "deterministic"
COMPARED = (CEILING, "load_unload", "fuse", "hotswap", "set_adapters", "loop", "base", DETERMINISTIC)
"""Arms that ours is a multiple of."""


@dataclass(frozen=True)
class Latencies:
    """Seconds from each request's coming to its picture."""

    seconds: tuple[float, ...]

    @property
    def p50(self) -> float | None:
        return self._quantile(0.5)

    @property
    def p95(self) -> float | None:
        return self._quantile(0.95)

    def _quantile(self, share: float) -> float | None:
        return float(np.quantile(self.seconds, share)) if self.seconds else None


@dataclass(frozen=True)
class ArmFigures:
    """One arm on one workload."""

    images_per_s: tuple[float, ...]
    """In each round."""
    latencies: Latencies
    """Of whole bursts: all requests come at once."""

    @property
    def median(self) -> float:
        return median(self.images_per_s)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest round and the fastest."""
        return min(self.images_per_s), max(self.images_per_s)

    def to_dict(self) -> dict[str, Any]:
        return {
            "images_per_s": self.median,
            "p50_s": self.latencies.p50,
            "p95_s": self.latencies.p95,
            "spread": list(self.spread),
            "runs": list(self.images_per_s),
            "latencies": len(self.latencies.seconds),
        }


@dataclass(frozen=True)
class Ratio:
    """Our pictures a second as a multiple of another arm's."""

    rounds: tuple[float, ...]
    """In each round: both had their turns in the same minute."""

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.rounds), max(self.rounds)


@dataclass(frozen=True)
class Exactness:
    """How near our engine's pictures came to the plain path's, and whether they stay the same in any company."""

    requests: int
    max_abs_diff: float
    """Of pixels in 0..1 before they are rounded to 8 bits."""
    max_levels: int
    """Of 255, after."""
    byte_equal: bool
    """Whether with `deterministic` every picture drawn in company is the one drawn alone, byte by byte."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "max_abs_diff": self.max_abs_diff,
            "max_levels": self.max_levels,
            "byte_equal": self.byte_equal,
        }


def together(found: list[Exactness]) -> Exactness:
    """The worst of them, over all their requests."""
    return Exactness(
        sum(each.requests for each in found),
        max(each.max_abs_diff for each in found),
        max(each.max_levels for each in found),
        all(each.byte_equal for each in found),
    )


@dataclass(frozen=True)
class WorkloadFigures:
    """All arms on one workload."""

    workload: Workload
    arms: Mapping[str, ArmFigures]
    exactness: Exactness
    seal_bytes: int
    """The largest seal's tensors, in float32."""
    shelf_bytes: int
    """Files of all seals that were asked for."""

    @property
    def num_rounds(self) -> int:
        return min(len(arm.images_per_s) for arm in self.arms.values())

    def ratio(self, name: str) -> Ratio:
        """Ours to another arm."""
        pairs = zip(self.arms[OURS].images_per_s, self.arms[name].images_per_s, strict=True)
        return Ratio(tuple(mine / other for mine, other in pairs))

    @property
    def ratios(self) -> dict[str, Ratio]:
        return {f"vs_{name}": self.ratio(name) for name in COMPARED if name in self.arms}

    def to_dict(self) -> dict[str, Any]:
        workload = self.workload
        return {
            "workload": {
                "name": workload.name,
                "popularity": workload.popularity,
                "registered": workload.num_registered,
                "requests": workload.num_requests,
                "ranks": list(workload.ranks),
                "targets": list(workload.groups),
                "largest_seal_bytes": self.seal_bytes,
                "files_bytes": self.shelf_bytes,
            },
            "rounds": self.num_rounds,
            "arms": {name: arm.to_dict() for name, arm in self.arms.items()},
            "ratios": {name: ratio.median for name, ratio in self.ratios.items()},
            "ratio_spreads": {name: list(ratio.spread) for name, ratio in self.ratios.items()},
            "exactness": self.exactness.to_dict(),
        }


@dataclass(frozen=True)
class ArrivalFigures:
    """All arms when requests come one by one."""

    workload: Workload
    variation: float
    """Coefficient of variation of the gaps."""
    rate: float
    """Requests a second."""
    rate_of: str
    """The arm that this rate is a share of."""
    arms: Mapping[str, Latencies]

    def to_dict(self) -> dict[str, Any]:
        return {
            "workload": self.workload.name,
            "requests": self.workload.num_requests,
            "cv": self.variation,
            "requests_per_s": self.rate,
            "rate_of": self.rate_of,
            "arms": {name: {"p50_s": found.p50, "p95_s": found.p95} for name, found in self.arms.items()},
        }
