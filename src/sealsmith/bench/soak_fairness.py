"""What one tenant who floods the engine costs the others, on a full machine and on one that is not.

Full: every tenant always has the same few orders here, and another as soon as one is finished; the flooder has ten
times as many. Not full: every tenant sends at random moments, together a stated share of what the engine can do;
the flooder sends ten times as often. Each is run without a flood and with one, in turn, and the others' latencies
are compared. Only the first has a goal: where the machine is not full, the flood draws with what was idle, and even
an ideally fair machine then goes at half its pace for somebody who was alone on it.

Time is that of the engine's turns: while nobody is there, the clock jumps to whoever comes next, so the load is
what it is said to be on a machine of any speed.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..bases import Base
from ..engine.request import Done, Event, Failed, Order, Stepped
from ..engine.settings import EngineSettings
from ..errors import BusyError
from ..generate import Request
from .made_seals import make_seals
from .soak_rig import Rig

MAX_FLOOD_COST = 1.2
"""The others' p95 latency beside a flood, over theirs without."""
FLOOD = 10
FLOODER = "tenant 0"

Price = Callable[[float, Sequence[Event]], float]
"""What a turn adds to the clock, from its seconds and its events."""


def by_seconds(seconds: float, events: Sequence[Event]) -> float:
    """The time that it took."""
    return seconds


def by_steps(seconds: float, events: Sequence[Event]) -> float:
    """The steps it did: the same on any machine, and in any company."""
    return float(sum(isinstance(event, Stepped) for event in events))


@dataclass(frozen=True)
class Load:
    """Who sends how much."""

    num_tenants: int = 8
    orders_here: int = 2
    """Of each tenant, on a full machine."""
    utilisation: float = 0.8
    """Of the engine's capacity, by all tenants together, on one that is not full."""
    orders_each: int = 8
    """Of each of the others that are counted, in one run."""
    num_runs: int = 3
    """Of each kind, in turn."""
    num_steps: int = 4
    rank: int = 8
    max_rows: int = 8


@dataclass
class Latencies:
    """The others', by the clock, from sending an order to its picture."""

    calm: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)
    flooder_sent: int = 0
    flooder_refused: int = 0
    """Of those, by back-pressure."""

    @property
    def cost(self) -> float:
        """p95 with the flood, as a multiple of that without."""
        return percentile(self.flooded, 95) / percentile(self.calm, 95)

    def to_dict(self) -> dict[str, Any]:
        return {
            "cost": self.cost,
            "p50": {"calm": percentile(self.calm, 50), "flooded": percentile(self.flooded, 50)},
            "p95": {"calm": percentile(self.calm, 95), "flooded": percentile(self.flooded, 95)},
            **vars(self),
        }


@dataclass
class Fairness:
    """What was measured."""

    utilisation: float
    """Of the machine that is not full."""
    num_runs: int = 0
    """Of each kind, that came to their end."""
    full: Latencies = field(default_factory=Latencies)
    not_full: Latencies = field(default_factory=Latencies)

    @property
    def is_fair(self) -> bool:
        return self.full.cost <= MAX_FLOOD_COST

    def to_dict(self) -> dict[str, Any]:
        return {
            "num_runs": self.num_runs,
            "full": self.full.to_dict(),
            "not_full": {"utilisation": self.utilisation, **self.not_full.to_dict()},
        }


def soak_fairness(
    base: Base,
    folder: Path,
    load: Load,
    seed: int,
    price: Price = by_seconds,
    is_over: Callable[[], bool] = lambda: False,
) -> Fairness:
    """Runs without and with a flood, in turn; stops after some of each when `is_over`.

    Raises: what an order failed with; AssertionError when the engine's state is not sound.
    """
    made = make_seals(base, folder / "store", (load.rank,), load.num_tenants, seed=seed)
    seals = {f"tenant {number}": seal.digest for number, seal in enumerate(made)}
    settings = EngineSettings(max_rows=load.max_rows, max_underway_rows=load.max_rows)
    clock = _Clock(price)
    found = Fairness(load.utilisation)
    with Rig(base, folder / "store", settings, 1 << 30, clock=lambda: clock.now) as rig:
        for _ in range(2):  # the first time seals come into memory, and the first pictures are slow
            per_order = _Run(rig, clock, load, seals, Latencies()).keep_here(1)
        for number in range(load.num_runs):
            if number and is_over():
                break
            moments = _moments(load, per_order, random.Random(seed + number))
            for factor in (1, FLOOD):
                _Run(rig, clock, load, seals, found.full).keep_here(factor)
                _Run(rig, clock, load, seals, found.not_full).send_at(moments, factor)
                rig.check_at_rest()
            found.num_runs += 1
    return found


class _Clock:
    """Moved on by what turns cost."""

    def __init__(self, price: Price):
        self.now = 0.0
        self._price = price

    def turn(self, rig: Rig) -> list[Event]:
        began = time.perf_counter()
        events = rig.turn()
        self.now += self._price(time.perf_counter() - began, events)
        return events


class _Run:
    """One run: until each of the others has had its orders. What is left of the flood is then cancelled."""

    def __init__(self, rig: Rig, clock: _Clock, load: Load, seals: dict[str, str], found: Latencies):
        self._rig, self._clock, self._load, self._seals, self._found = rig, clock, load, seals, found
        self._sent: dict[str, tuple[str, float]] = {}
        """Order -> whose, and when."""
        self._num_done = dict.fromkeys(seals, 0)
        self._count = 0

    def keep_here(self, factor: int) -> float:
        """Everybody always has orders here, the flooder `factor` times as many; the clock's time an order.

        The first orders of each come all at once and are not counted.
        """
        here = self._load.orders_here
        wanted, began = self._load.orders_each + here, self._clock.now
        for tenant in self._seals:
            for _ in range(here * (factor if tenant == FLOODER else 1)):
                self._send(tenant, self._clock.now, factor)
        while min(self._num_done[tenant] for tenant in self._others) < wanted:
            for tenant, latency in self._finished():
                if here < self._num_done[tenant] <= wanted and tenant != FLOODER:
                    self._note(latency, factor)
                self._send(tenant, self._clock.now, factor)
        per_order = (self._clock.now - began) / sum(self._num_done.values())
        self._end()
        return per_order

    def send_at(self, moments: dict[str, list[float]], factor: int) -> None:
        """Orders come at these moments, of the flooder `factor` for each of its own."""
        began = self._clock.now
        coming = [(began + at, tenant) for tenant in self._others for at in moments[tenant]]
        coming += [(began + at, FLOODER) for at in _more_often(moments[FLOODER], factor)]
        coming.sort()
        wanted = sum(len(moments[tenant]) for tenant in self._others)
        while sum(self._num_done[tenant] for tenant in self._others) < wanted:
            if self._rig.engine.is_idle:
                self._clock.now = max(self._clock.now, coming[0][0])
            while coming and coming[0][0] <= self._clock.now:
                at, tenant = coming.pop(0)
                self._send(tenant, at, factor)
            for tenant, latency in self._finished():
                if tenant != FLOODER:
                    self._note(latency, factor)
        self._end()

    @property
    def _others(self) -> list[str]:
        return [tenant for tenant in self._seals if tenant != FLOODER]

    def _send(self, tenant: str, at: float, factor: int) -> None:
        self._count += 1
        order_id = f"{tenant}/{self._count}"
        request = Request("a red wax seal", seed=self._count, num_steps=self._load.num_steps, guidance=4.0)
        is_flood = tenant == FLOODER and factor > 1
        self._found.flooder_sent += is_flood
        try:
            self._rig.engine.submit(Order(order_id, request, ((self._seals[tenant], 0.8),), tenant))
        except BusyError:
            if not is_flood:
                raise
            self._found.flooder_refused += 1
        else:
            self._sent[order_id] = tenant, at

    def _finished(self) -> Iterable[tuple[str, float]]:
        """Whose orders are done after the next turn, and how long they took. Raises: what one failed with."""
        events = self._clock.turn(self._rig)
        finished = []
        for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                tenant, at = self._sent.pop(event.order_id)
                self._num_done[tenant] += 1
                finished.append((tenant, self._clock.now - at))
        return finished

    def _note(self, latency: float, factor: int) -> None:
        (self._found.flooded if factor > 1 else self._found.calm).append(latency)

    def _end(self) -> None:
        for order_id in self._sent:
            self._rig.engine.cancel(order_id)
        self._rig.turn()


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest. Raises: ValueError without values."""
    if not values:
        raise ValueError("no values")
    return float(np.percentile(values, percent))


def _moments(load: Load, per_order: float, rng: random.Random) -> dict[str, list[float]]:
    """When each tenant sends, from 0: at random, so often that all together use the share they are to use."""
    mean_gap = per_order * load.num_tenants / load.utilisation
    moments: dict[str, list[float]] = {}
    for number in range(load.num_tenants):
        gaps = [rng.expovariate(1 / mean_gap) for _ in range(load.orders_each)]
        moments[f"tenant {number}"] = [float(at) for at in np.cumsum(gaps)]
    return moments


def _more_often(moments: Sequence[float], factor: int) -> list[float]:
    """The same moments, and between each two as many more as make them `factor` times as many."""
    starts = (0.0, *moments)
    return [
        start + (stop - start) * (part + 1) / factor
        for start, stop in zip(starts, moments, strict=False)
        for part in range(factor)
    ]
