"""The engine suite: our engine beside stock diffusers' ways to serve many seals, and beside its own ceiling.

All arms draw the same requests in one process and take turns, so that a slow minute of the machine hits all. Not
for: the arms (engine_arms.py), or the figures' words (engine_report.py).
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..bases import Base, open_base
from ..engine.allocation import keep_freed_memory
from ..engine.settings import EngineSettings
from ..engine.side_threads import own_threads
from ..errors import ConfigError
from ..garbage import keep_what_is_here
from .engine_arms import ARMS, Terms, benched
from .engine_figures import DETERMINISTIC, OURS, ArrivalFigures, WorkloadFigures
from .engine_report import EngineReport
from .engine_rounds import arriving, rounds
from .engine_scale import Scale, ScalePlan
from .exactness import measure_exactness
from .machine import commit, machine
from .plans import check_counts
from .speed import PEERS_PIPELINE
from .workload import DISTINCT, EQUAL_RANKS, IDENTICAL, MIXED_RANKS, UNIFORM, ZIPF, Workload, gamma_arrivals

MANY = ("attention",)
"""Target groups of the seals that are registered by the thousand, so that they fit on a disk."""
REGISTERED = (1, 20, 200, 2000)
VARIATIONS = (1.0, 8.0)
"""Coefficients of variation of the gaps between requests."""
LOAD = 0.8
"""Of what an arm can draw: how fast requests come."""
RATES_OF = (OURS, "set_adapters")
"""Arms whose pace requests come at: one that stock diffusers cannot keep up with, and one that it can."""


@dataclass(frozen=True)
class EnginePlan:
    """What is measured, and how often. Raises: ConfigError for counts below one."""

    num_requests: int = 8
    """Of a workload; all come at once."""
    num_steps: int | None = None
    """Of a picture; None: as the base has it."""
    repeats: int = 5
    """Rounds; each arm has a turn in each, after one uncounted."""
    share: int = 0
    """Requests of one turn of the arms that draw one after another, which go on where they were; 0: all."""
    exact_requests: int = 4
    """Requests of each workload whose pictures are proved."""
    arriving_requests: int = 24
    """Of the runs in which requests come one by one."""
    is_whole: bool = True
    """All workloads, arrivals and scales; else the first workload alone."""
    num_threads: int | None = None
    """PyTorch's; None: as it has them."""
    settings: EngineSettings = field(default_factory=EngineSettings)
    scale: ScalePlan = field(default_factory=ScalePlan)

    def __post_init__(self) -> None:
        check_counts(
            self, "num_requests", "num_steps", "repeats", "exact_requests", "arriving_requests", "num_threads"
        )

    @classmethod
    def quick(cls) -> "EnginePlan":
        """Distinct seals alone: within three minutes of two cores."""
        return cls(share=1, exact_requests=3, is_whole=False)

    def workloads(self, base: Base) -> tuple[Workload, ...]:
        """What is drawn; the first is the one whose ratios stand on top.

        Seals change the layers that `sealsmith train` adapts; where many are registered, attention alone.
        """
        every = base.family.default_targets
        distinct = Workload(DISTINCT, self.num_requests, self.num_requests, EQUAL_RANKS, every)
        if not self.is_whole:
            return (distinct,)
        found = []
        for ranks in (EQUAL_RANKS, MIXED_RANKS):
            found.append(replace(distinct, ranks=ranks))
            found.append(replace(distinct, ranks=ranks, popularity=IDENTICAL, num_registered=1))
            found.append(replace(distinct, ranks=ranks, popularity=UNIFORM, num_registered=20, groups=MANY))
            found += [
                replace(distinct, ranks=ranks, popularity=ZIPF, num_registered=number, groups=MANY)
                for number in REGISTERED
            ]
        return tuple(found)


def measure_engine(word: str, plan: EnginePlan, command: str, say: Callable[[str], None]) -> EngineReport:
    """The figures of this machine, measured now, on the base that `word` names; `say` hears which part runs.

    Raises: ConfigError for a base that the stock side is not written for.
    """
    keep_freed_memory()  # before the first arm's turn: all have the same
    ours = open_base(word)
    if ours.family.pipeline != PEERS_PIPELINE:
        raise ConfigError(
            f"the engine suite compares with {PEERS_PIPELINE}, and {ours.name} is a {ours.family.pipeline}",
            "measure on sealworld or a Stable Diffusion 1 or 2 base",
        )
    terms = Terms(plan.num_steps or ours.family.num_steps, ours.family.guidance, plan.settings)
    run = _Run(plan, terms, ours, open_base(word), say)
    keep_what_is_here()  # as an engine's own process does, and for all arms
    with own_threads(plan.num_threads):
        figures, arrivals = run.workloads()
        scale = None
        if plan.is_whole:
            say(f"our engine over {max(plan.scale.registered):,} seals, and in its own process")
            scale = Scale(word, ours, run.ceiling, terms, plan.scale).measure()
        return EngineReport(tuple(figures), tuple(arrivals), scale, terms, machine(), commit(), command)


@dataclass(frozen=True)
class _Run:
    plan: EnginePlan
    terms: Terms
    ours: Base
    ceiling: Base
    say: Callable[[str], None]

    def workloads(self) -> tuple[list[WorkloadFigures], list[ArrivalFigures]]:
        """All of the plan's, one after the other."""
        figures: list[WorkloadFigures] = []
        arrivals: list[ArrivalFigures] = []
        workloads = self.plan.workloads(self.ours)
        for number, workload in enumerate(workloads, 1):
            self.say(
                f"workload {number} of {len(workloads)}: {workload.name}, {workload.num_requests} requests"
            )
            figures.append(self.bursts(workload, with_deterministic=self.plan.is_whole and not figures))
            if self.plan.is_whole and workload.popularity == ZIPF and workload.num_registered == 20:
                arrivals += self.arrivals(figures[-1])
        return figures, arrivals

    def bursts(self, workload: Workload, with_deterministic: bool) -> WorkloadFigures:
        """Throughput and exactness of one workload."""
        names = (*ARMS, DETERMINISTIC) if with_deterministic else ARMS
        with (
            tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as folder,
            benched(workload, self.terms, self.ours, self.ceiling, Path(folder), names) as bench,
        ):
            arms = rounds(bench, self.plan.repeats, self.plan.share, self._tell_round)
            bench.engines.close()
            exactness = measure_exactness(self.ours, bench, bench.asked[: self.plan.exact_requests])
            shelf = bench.shelf
            return WorkloadFigures(
                workload, arms, exactness, max(shelf.tensor_bytes.values()), shelf.file_bytes
            )

    def _tell_round(self, num_done: int) -> None:
        self.say(f"  {num_done} of {self.plan.repeats} rounds")

    def arrivals(self, burst: WorkloadFigures) -> list[ArrivalFigures]:
        """How long the same workload's requests wait when they come one by one, at two rates and variations."""
        workload = replace(burst.workload, num_requests=self.plan.arriving_requests)
        found = []
        with (
            tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as folder,
            benched(workload, self.terms, self.ours, self.ceiling, Path(folder), tuple(burst.arms)) as bench,
        ):
            for name in RATES_OF:
                rate = LOAD * burst.arms[name].median
                for variation in VARIATIONS:
                    self.say(f"{workload.name}: {rate:.2g} requests a second, gaps' variation {variation:g}")
                    times = gamma_arrivals(workload.num_requests, rate, variation)
                    arms = arriving(bench, times)
                    found.append(ArrivalFigures(workload, variation, rate, name, arms))
        return found
