"""The soak: hours of an engine's life in minutes, and whether it keeps what it promises (docs/engine.md).

Four parts, one after the other, each stopping by itself: the price of a cold seal, fairness, memory, and exactness,
which has all the time that is left. Not for: speed beside others', which is the engine's benchmark.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..bases import Base, open_base
from ..garbage import keep_what_is_here
from .machine import commit, machine
from .soak_cold import Probes, soak_cold
from .soak_exactness import Exactness, ExactnessSoak, Traffic
from .soak_fairness import Load, soak_fairness
from .soak_memory import Cycle, soak_memory
from .soak_report import SoakReport
from .tiny_bases import write_sealworld

COLD_OVER, FAIRNESS_OVER, MEMORY_OVER = 0.15, 0.3, 0.5
"""Shares of the time after which these parts stop, if they have not come to their ends."""


@dataclass(frozen=True)
class SoakPlan:
    """What is done, and for how long at most."""

    base: str | None = "sealworld"
    """A word that `open_base` knows; None: a tiny random one of sealworld's kind."""
    minutes: float = 90.0
    """After so long nothing new is begun; what was begun is finished."""
    traffic: Traffic = field(default_factory=Traffic)
    cycle: Cycle = field(default_factory=Cycle)
    load: Load = field(default_factory=Load)
    probes: Probes = field(default_factory=Probes)
    seed: int = 0

    def with_requests(self, num_requests: int) -> "SoakPlan":
        return replace(self, traffic=replace(self.traffic, num_requests=num_requests))


def soak(plan: SoakPlan, command: str, say: Callable[[str], None]) -> SoakReport:
    """Everything that is planned, as far as the time allows; `say` hears what is done, and how far it is.

    Raises: BaseError; AssertionError when the engine's state is not sound.
    """
    began = time.monotonic()

    def over_at(share: float) -> Callable[[], bool]:
        return lambda: time.monotonic() - began > share * plan.minutes * 60

    with tempfile.TemporaryDirectory(prefix="sealsmith-soak-") as name:
        folder = Path(name)
        word = plan.base or str(write_sealworld(folder / "tiny"))
        bases = [open_base(word) for _ in range(3)]
        keep_what_is_here()  # as an engine's own process does
        say("a cold seal: its own picture's time, and the others'")
        cold = soak_cold(bases[0], folder / "cold", plan.probes, plan.seed, over_at(COLD_OVER))
        say("fairness: without a flood and with one, in turn")
        fairness = soak_fairness(
            bases[0], folder / "fairness", plan.load, plan.seed, is_over=over_at(FAIRNESS_OVER)
        )
        say(f"memory: {plan.cycle.num_seals} seals through a pool for {plan.cycle.pool_seals}")
        memory = soak_memory(bases[0], folder / "memory", plan.cycle, plan.seed, over_at(MEMORY_OVER))
        exactness = _exactness(bases, folder / "exactness", plan, over_at(1.0), say)
    return SoakReport(
        base=bases[0].name if plan.base else "a tiny random base",
        exactness=exactness,
        memory=memory,
        fairness=fairness,
        cold=cold,
        traffic=plan.traffic,
        cycle=plan.cycle,
        load=plan.load,
        probes=plan.probes,
        seconds=time.monotonic() - began,
        machine=machine(),
        commit=commit(),
        command=command,
    )


def _exactness(
    bases: Sequence[Base],
    folder: Path,
    plan: SoakPlan,
    is_over: Callable[[], bool],
    say: Callable[[str], None],
) -> Exactness:
    """Rounds of traffic until there were enough requests, or the time is over."""
    wanted = plan.traffic.num_requests
    with ExactnessSoak(bases, folder, plan.traffic, plan.seed) as soak:
        found = soak.found
        while found.num_requests < wanted and not (found.num_requests and is_over()):
            soak.round()
            say(f"exactness: {found.num_requests} of {wanted} requests, {found.largest_difference:.1e} apart")
    return found
