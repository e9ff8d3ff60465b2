"""Whether every picture is the one its request would have got alone, whatever happened around it.

Rounds of traffic. In each, some wishes are drawn up and drawn by `generate` and, deterministically, by an engine
that has nothing else to do. Then orders for them come in bursts from many tenants, to an engine and, the same once
more, to a deterministic one; some are cancelled. Each picture is compared as it is finished. Pool, memory and disk
hold fewer seals than there are, so that seals come and go all the time. At the end of a round nothing may be left.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ..adapters import read_seal
from ..bases import Base
from ..engine.disk_cache import DiskCache
from ..engine.request import Done, Event, Failed, Order, Stepped
from ..engine.settings import EngineSettings
from ..engine.store import path_of
from ..errors import Cancelled
from ..generate import Picture, generate
from .levels import levels_apart
from .made_seals import MadeSeal, make_seals
from .soak_rig import Rig
from .soak_wishes import Arrival, Wish, random_arrivals, random_wish, renamed

LIMIT = 1e-4
"""Largest difference of a pixel's value in 0..1, before it is rounded to 8 bits."""
ALONE_A_ROUND = 2
"""Wishes of each round that are drawn alone by the engine without `deterministic`, too, for what that costs."""


@dataclass(frozen=True)
class Traffic:
    """How much of it."""

    num_requests: int = 2000
    requests_a_round: int = 100
    wishes_a_round: int = 20
    num_tenants: int = 8
    num_seals: int = 192
    ranks: tuple[int, ...] = (4, 4, 8, 8, 16, 32, 64)
    wide_ranks: tuple[int, ...] = (4, 8)
    """Of every fourth seal, which changes feed-forward layers and convolutions, too."""
    num_steps: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12)
    max_rows: int = 8
    pool_seals: int = 24
    """So many of the largest seals fit into the pool; more at once are never drawn with."""
    memory_seals: int = 48
    """So many of average size fit into memory, and twice as many onto the disk."""


@dataclass
class Exactness:
    """What was compared, and what came out."""

    num_wishes: int = 0
    num_requests: int = 0
    """Orders, those to the deterministic engine not counted again."""
    num_cancelled: int = 0
    num_compared: int = 0
    num_compared_deterministic: int = 0
    largest_difference: float = 0.0
    """Of a pixel's value in 0..1 from `generate`'s, either engine."""
    worst: str = ""
    """The request it was found at."""
    by_sampler: dict[str, float] = field(default_factory=dict)
    """The largest differences of pictures by each."""
    largest_levels: int = 0
    """The same, of 8-bit levels."""
    num_unequal_bytes: int = 0
    """Pictures of the deterministic engine that are not to the byte what it draws with nothing else to do."""
    failures: list[str] = field(default_factory=list)
    """Orders that failed without having been cancelled, and why."""
    paths: dict[str, int] = field(default_factory=dict)
    """Steps by the way in which seals reached the denoiser."""
    seals_used: set[str] = field(default_factory=set)
    resident_at_end: int = 0
    loads: dict[str, int] = field(default_factory=dict)
    """How often a seal was in memory, on its way, on the disk, in the store."""
    num_integrity_checks: int = 0
    unsound: list[str] = field(default_factory=list)
    """What of an engine's state did not hold when nothing was left to do."""
    busy_cost: list[float] = field(default_factory=list)
    """A round: seconds of the deterministic engine's turns over the other's, for the same traffic."""
    alone_cost: list[float] = field(default_factory=list)
    """A wish: seconds of being drawn alone, deterministic over not."""

    @property
    def is_exact(self) -> bool:
        """Whether every order not cancelled got the picture of `generate`."""
        is_near = self.largest_difference <= LIMIT and self.largest_levels <= 1
        return self.num_compared > 0 and is_near and not self.failures

    @property
    def is_same_bytes(self) -> bool:
        return self.num_compared_deterministic > 0 and not self.num_unequal_bytes

    @property
    def is_sound(self) -> bool:
        return self.num_integrity_checks > 0 and not self.unsound

    @property
    def has_churn(self) -> bool:
        """Whether seals went from the pool, and were loaded again after they had gone from memory."""
        loaded = self.loads.get("disk", 0) + self.loads.get("store", 0)
        return len(self.seals_used) > self.resident_at_end and loaded > len(self.seals_used)

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: value for name, value in vars(self).items() if name != "seals_used"},
            "num_seals_used": len(self.seals_used),
            "busy_cost": median(self.busy_cost) if self.busy_cost else None,
            "busy_cost_rounds": self.busy_cost,
            "alone_cost": median(self.alone_cost) if self.alone_cost else None,
        }


class ExactnessSoak:
    """The engines, bases and seals of one run; a context."""

    def __init__(self, bases: Sequence[Base], folder: Path, traffic: Traffic, seed: int):
        """`bases`: three of the same, one for `generate` and drawing alone, one for each engine."""
        self.found = Exactness()
        self._traffic, self._rng = traffic, random.Random(seed)
        self._reference, busy, exact = bases
        self._store = folder / "store"
        made = _seals(busy, self._store, traffic, seed)
        self._digests = [seal.digest for seal in made]
        largest = max(seal.tensor_bytes for seal in made)
        mean = sum(seal.tensor_bytes for seal in made) // len(made)
        settings = EngineSettings(
            max_rows=traffic.max_rows,
            max_underway_rows=traffic.max_rows,
            fetch_ahead=2,
            pool_bytes=traffic.pool_seals * (largest + (8 << 10)),
        )
        memory_bytes = traffic.memory_seals * mean

        def rig(base: Base, name: str, deterministic: bool) -> Rig:
            disk = DiskCache(folder / name, 2 * memory_bytes)
            own = replace(settings, deterministic=deterministic)
            return Rig(base, self._store, own, memory_bytes, disk)

        self._busy, self._exact = rig(busy, "busy", False), rig(exact, "exact", True)
        self._alone = rig(self._reference, "alone", True)
        self._plain_alone = rig(self._reference, "plain-alone", False)

    def __enter__(self) -> "ExactnessSoak":
        return self

    def __exit__(self, *_: object) -> None:
        for rig in self._rigs:
            with rig:
                pass

    @property
    def _rigs(self) -> tuple[Rig, ...]:
        return self._busy, self._exact, self._alone, self._plain_alone

    def round(self) -> None:
        """One round of traffic; adds to `found`."""
        traffic, found = self._traffic, self.found
        count = min(traffic.requests_a_round, traffic.num_requests - found.num_requests)
        wishes = [
            random_wish(self._rng, self._reference, self._digests, traffic.num_steps)
            for _ in range(min(traffic.wishes_a_round, count))
        ]
        plain = {id(wish): self._generated(wish) for wish in wishes}
        exact = {}
        for number, wish in enumerate(wishes):
            exact[id(wish)], exact_s = _drawn_alone(self._alone, wish)
            if number < ALONE_A_ROUND:
                _, plain_s = _drawn_alone(self._plain_alone, wish)
                found.alone_cost.append(exact_s / plain_s)
        name = f"{found.num_requests}"
        arrivals = [*random_arrivals(self._rng, wishes, count, traffic.num_tenants, name)]
        busy_s = self._play(self._busy, arrivals, plain, None)
        again = [renamed(arrival, " exact") for arrival in arrivals]
        found.busy_cost.append(self._play(self._exact, again, plain, exact) / busy_s)
        found.num_wishes += len(wishes)
        found.num_requests += len(arrivals)
        found.seals_used |= {digest for wish in wishes for digest, _ in wish.seals}
        for rig in self._rigs:
            try:
                rig.check_at_rest()
            except AssertionError as error:
                found.unsound.append(f"after {found.num_requests} requests: {error}")
            found.num_integrity_checks += 1
        found.resident_at_end = len(self._busy.engine.pool.resident())
        found.loads = dict(vars(self._busy.exchange.counts))

    def _generated(self, wish: Wish) -> Picture:
        seals = [(read_seal(self._store / path_of(digest)), strength) for digest, strength in wish.seals]
        (picture,) = generate(self._reference, wish.request, seals)
        return picture

    def _play(
        self,
        rig: Rig,
        arrivals: Sequence[Arrival],
        plain: dict[int, Picture],
        exact: dict[int, Picture] | None,
    ) -> float:
        """Seconds that the engine's turns took; pictures are compared between them."""
        wishes = {arrival.order.id: arrival.wish for arrival in arrivals}
        leaving: dict[int, list[str]] = {}
        coming = list(arrivals)
        turn, next_turn, seconds = 0, coming[0].turns_before, 0.0
        while coming or not rig.engine.is_idle:
            while coming and next_turn <= turn:
                arrival = coming.pop(0)
                rig.engine.submit(arrival.order)
                if arrival.cancelled_after is not None:
                    leaving.setdefault(turn + arrival.cancelled_after, []).append(arrival.order.id)
                next_turn = turn + (coming[0].turns_before if coming else 0)
            for order_id in leaving.pop(turn, ()):
                rig.engine.cancel(order_id)
            started = time.perf_counter()
            events = rig.turn()
            seconds += time.perf_counter() - started
            turn += 1
            for event in events:
                self._note(event, wishes[event.order_id], plain, exact)
        return seconds

    def _note(
        self, event: Event, wish: Wish, plain: dict[int, Picture], exact: dict[int, Picture] | None
    ) -> None:
        found = self.found
        if isinstance(event, Stepped):
            found.paths[event.path.value] = found.paths.get(event.path.value, 0) + 1
        elif isinstance(event, Failed) and isinstance(event.error, Cancelled):
            found.num_cancelled += exact is None
        elif isinstance(event, Failed):
            found.failures.append(f"{event.order_id}: {type(event.error).__name__}: {event.error}")
        elif isinstance(event, Done):
            pixels, solo = event.picture.pixels, plain[id(wish)].pixels
            self._note_difference(wish, float((pixels - solo).abs().max()))
            found.largest_levels = max(found.largest_levels, levels_apart(event.picture, plain[id(wish)]))
            if exact is None:
                found.num_compared += 1
            else:
                found.num_compared_deterministic += 1
                found.num_unequal_bytes += not torch.equal(pixels, exact[id(wish)].pixels)

    def _note_difference(self, wish: Wish, difference: float) -> None:
        found, sampler = self.found, wish.request.sampler or "the base's own"
        found.by_sampler[sampler] = max(found.by_sampler.get(sampler, 0.0), difference)
        if difference > found.largest_difference:
            found.largest_difference, found.worst = difference, repr(wish)


def _seals(base: Base, store: Path, traffic: Traffic, seed: int) -> list[MadeSeal]:
    wide = traffic.num_seals // 4
    targets = base.family.targets(("attention", "feed-forward", "convolutions"))
    words = base.family.rare_tokens
    made = make_seals(base, store, traffic.ranks, traffic.num_seals - wide, seed=seed, triggers=words)
    return made + make_seals(base, store, traffic.wide_ranks, wide, targets, seed=seed + 1, triggers=words)


def _drawn_alone(rig: Rig, wish: Wish) -> tuple[Picture, float]:
    """The picture of an engine that has nothing else to do, and the seconds it took. Raises: why there is none."""
    started = time.perf_counter()
    rig.engine.submit(Order("alone", wish.request, wish.seals))
    events = rig.finish()
    seconds = time.perf_counter() - started
    for event in events:
        if isinstance(event, Failed):
            raise event.error
    (picture,) = (event.picture for event in events if isinstance(event, Done))
    return picture, seconds
