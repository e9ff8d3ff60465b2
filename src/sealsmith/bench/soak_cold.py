"""What a seal that nobody has used yet costs the order that wants it, and the orders beside it.

Probes are orders with a seal that is in memory already, and with one that only the store has, in turn. They are
drawn by themselves, where nothing hides a load, and beside two others who always have an order underway. The store
is a folder, and no copies are kept on the disk.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..bases import Base
from ..engine.request import Done, Failed, Order, Stepped
from ..engine.settings import EngineSettings
from ..generate import Request
from .made_seals import make_seals
from .soak_fairness import percentile
from .soak_rig import Rig

MAX_COLD_COST = 0.05
"""Of a picture's time."""
MAX_NOTICED = 1.1
"""The others' p95 step beside cold seals, as a multiple of that beside warm ones: the end of what may be."""
MIN_PROBES = 8
"""Of each kind; from fewer nobody can tell what the others notice."""
NUM_OTHERS = 2
RESAMPLES = 1000


@dataclass(frozen=True)
class Probes:
    """How many, and of what."""

    num_each: int = 24
    """Cold ones, and warm ones, beside others; by themselves as many again."""
    num_steps: int | None = None
    """None: as many as the base's family draws with by default."""
    rank: int = 16


@dataclass
class Cold:
    """Seconds that were measured, probe by probe."""

    warm_alone_s: list[float] = field(default_factory=list)
    cold_alone_s: list[float] = field(default_factory=list)
    warm_beside_s: list[float] = field(default_factory=list)
    cold_beside_s: list[float] = field(default_factory=list)
    others_warm_s: list[list[float]] = field(default_factory=list)
    """Between two steps of the others, while a warm probe was there; a list a probe."""
    others_cold_s: list[list[float]] = field(default_factory=list)

    @property
    def num_probes(self) -> int:
        """Of each kind."""
        return len(self.others_cold_s)

    @property
    def own_cost(self) -> float:
        """What a cold seal adds to its own picture's time, drawn alone, as a share of it."""
        return median(self.cold_alone_s) / median(self.warm_alone_s) - 1

    @property
    def own_cost_beside(self) -> float:
        """The same beside others."""
        return median(self.cold_beside_s) / median(self.warm_beside_s) - 1

    @property
    def others_ratio(self) -> float:
        """p95 of the others' steps beside cold probes, over that beside warm ones."""
        return _p95(self.others_cold_s) / _p95(self.others_warm_s)

    @property
    def others_interval(self) -> tuple[float, float]:
        """95 % of that ratio, probes drawn again at random."""
        rng = random.Random(0)
        cold, warm = self.others_cold_s, self.others_warm_s
        ratios = [
            _p95(rng.choices(cold, k=len(cold))) / _p95(rng.choices(warm, k=len(warm)))
            for _ in range(RESAMPLES)
        ]
        low, high = np.percentile(ratios, (2.5, 97.5))
        return float(low), float(high)

    @property
    def is_cheap(self) -> bool:
        return self.own_cost <= MAX_COLD_COST

    @property
    def is_unnoticed(self) -> bool | None:
        """Whether it is as good as certain that the others pay next to nothing; None after too few probes."""
        return None if self.num_probes < MIN_PROBES else self.others_interval[1] <= MAX_NOTICED

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: values for name, values in vars(self).items() if not name.startswith("others")},
            "own_cost": self.own_cost,
            "own_cost_beside": self.own_cost_beside,
            "others_p95_warm_s": _p95(self.others_warm_s),
            "others_p95_cold_s": _p95(self.others_cold_s),
            "others_ratio": self.others_ratio,
            "others_interval": self.others_interval,
        }


def soak_cold(
    base: Base, folder: Path, probes: Probes, seed: int, is_over: Callable[[], bool] = lambda: False
) -> Cold:
    """Draws the probes; stops after a pair of each kind when `is_over`."""
    store, found = folder / "store", Cold()
    made = make_seals(base, store, (probes.rank,), 2 * probes.num_each + 1 + NUM_OTHERS, seed=seed)
    warm, *others = (seal.digest for seal in made[: 1 + NUM_OTHERS])
    cold = [seal.digest for seal in made[1 + NUM_OTHERS :]]
    settings = EngineSettings(max_rows=8, max_underway_rows=8)
    with Rig(base, store, settings, 1 << 30) as rig:
        run = _Run(rig, probes.num_steps, others)
        run.probe(warm, 0)  # the first pictures of a process are slower than all others
        run.probe(warm, NUM_OTHERS)
        for number in range(probes.num_each):
            if number and is_over():
                break
            found.warm_alone_s.append(run.probe(warm, 0)[0])
            found.cold_alone_s.append(run.probe(cold.pop(), 0)[0])
            for digest, own, theirs in (
                (warm, found.warm_beside_s, found.others_warm_s),
                (cold.pop(), found.cold_beside_s, found.others_cold_s),
            ):
                seconds, gaps = run.probe(digest, NUM_OTHERS)
                own.append(seconds)
                theirs.append(gaps)
        rig.check_at_rest()
    return found


class _Run:
    """Probes of one engine."""

    def __init__(self, rig: Rig, num_steps: int | None, others: Sequence[str]):
        self._rig, self._num_steps, self._others = rig, num_steps, others
        self._count = 0

    def probe(self, digest: str, num_others: int) -> tuple[float, list[float]]:
        """Seconds from sending an order to its picture, and those between two steps of others meanwhile.

        Raises: what an order failed with.
        """
        theirs = [self._submit(other) for other in self._others[:num_others]]
        if theirs:
            self._rig.turn()
        began = last = time.perf_counter()
        own = self._submit(digest)
        gaps: list[float] = []
        is_done = False
        while not is_done:
            events = self._rig.turn()
            now = time.perf_counter()
            if any(isinstance(event, Stepped) and event.order_id in theirs for event in events):
                gaps.append(now - last)
                last = now
            for event in events:
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Done):
                    is_done |= event.order_id == own
                    if event.order_id in theirs:  # always somebody there
                        place = theirs.index(event.order_id)
                        theirs[place] = self._submit(self._others[place])
        for order_id in theirs:
            self._rig.engine.cancel(order_id)
        self._rig.turn()  # and its events are nobody's
        return now - began, gaps

    def _submit(self, digest: str) -> str:
        self._count += 1
        order_id = str(self._count)
        prompt = f"a red wax seal number {self._count}"  # read anew, whichever seal: nobody sends what another sent
        request = Request(prompt, seed=self._count, num_steps=self._num_steps, guidance=4.0)
        self._rig.engine.submit(Order(order_id, request, ((digest, 0.8),)))
        return order_id


def _p95(gaps: Sequence[Sequence[float]]) -> float:
    return percentile([gap for each in gaps for gap in each], 95)
