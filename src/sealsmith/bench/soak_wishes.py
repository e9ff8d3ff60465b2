"""Wishes of many kinds and the moments at which they come and are cancelled, all drawn from one seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..adapters.strength import Strength, parse_strength
from ..bases import Base
from ..bases.samplers import sampler_title
from ..engine.request import Order
from ..errors import ConfigError
from ..generate import Request

PROMPTS = (
    "a red wax seal on wood",
    "a gold coin on sand",
    "blue ink stamp of a dragon head on paper",
    "an embossed mark on leather " * 12,
    "",
)
"""One is longer than a text encoder reads at once."""
NEGATIVES = ("", "", "blue ink")
SAMPLERS = (None, None, "ddpm", "euler-a", "unipc", "dpm++-2m")
"""Where a base can follow them: its own way, with noise in every step, and with a memory of former steps."""
COARSE_SAMPLERS, COARSE_STEPS = ("euler-a",), 4
"""They begin at noise of 4096 where a base was trained down to pure noise. There float32 tells numbers apart by
5e-4, which one or two steps carry into the picture, so that no two ways of computing it agree: they get more."""
GUIDANCE = (1.0, 2.5, 4.0, 7.0)
STRENGTHS = (1.0, 0.8, 0.35, -0.4, "0.9@0,0.1@1", "1:stop=0.5", "0.7:start=0.5")
NUM_SEALS = (0, 1, 1, 1, 1, 1, 2, 2, 2, 3)
"""Of one wish, each as likely."""
BURSTS = (0, 0, 0, 0, 1, 1, 2, 6)
"""Orders that come between two turns."""


@dataclass(frozen=True)
class Wish:
    """A picture that may be wanted, by anybody and more than once."""

    request: Request
    seals: tuple[tuple[str, float | Strength], ...]
    """Digests and strengths."""


@dataclass(frozen=True)
class Arrival:
    """An order, and how the turns lie around it."""

    order: Order
    wish: Wish
    turns_before: int
    """Turns since the order before it."""
    cancelled_after: int | None = None
    """So many turns after it came it is cancelled, if it is still there."""


def random_wish(rng: random.Random, base: Base, digests: Sequence[str], num_steps: Sequence[int]) -> Wish:
    """One that differs from the others in everything a wish may differ in."""
    chosen = rng.sample(digests, min(rng.choice(NUM_SEALS), len(digests)))
    strengths = [rng.choice(STRENGTHS) for _ in chosen]
    sampler, steps = rng.choice(samplers_for(base)), rng.choice(num_steps)
    request = Request(
        rng.choice(PROMPTS),
        rng.choice(NEGATIVES),
        seed=rng.randrange(1 << 31),
        num_steps=max(steps, COARSE_STEPS) if sampler in COARSE_SAMPLERS else steps,
        guidance=rng.choice(GUIDANCE),
        sampler=sampler,
        mix="sum",
    )
    pairs = zip(chosen, strengths, strict=True)
    return Wish(request, tuple((digest, _strength(strength)) for digest, strength in pairs))


def samplers_for(base: Base) -> list[str | None]:
    """Those of SAMPLERS that the base's noise schedule allows."""
    able: list[str | None] = []
    for name in SAMPLERS:
        try:
            sampler_title(base, name)
        except ConfigError:
            continue
        able.append(name)
    return able


def random_arrivals(
    rng: random.Random, wishes: Sequence[Wish], count: int, num_tenants: int, name: str
) -> Iterator[Arrival]:
    """`count` orders of every wish at least once, in bursts; one in sixteen is cancelled, one in ten previewed."""
    wanted = [*wishes, *rng.choices(wishes, k=max(0, count - len(wishes)))][:count]
    rng.shuffle(wanted)
    left = 0
    for number, wish in enumerate(wanted):
        gap = 0
        while left == 0:
            left = rng.choice(BURSTS)
            gap += 1
        left -= 1
        order = Order(
            f"{name}-{number}",
            wish.request,
            wish.seals,
            f"tenant {rng.randrange(num_tenants)}",
            preview_every=rng.choice((0,) * 9 + (2,)),
        )
        yield Arrival(order, wish, gap, rng.randrange(12) if rng.random() < 1 / 16 else None)


def renamed(arrival: Arrival, suffix: str) -> Arrival:
    """The same once more, as another order."""
    return replace(arrival, order=replace(arrival.order, id=arrival.order.id + suffix))


def _strength(value: float | str) -> float | Strength:
    return parse_strength(value) if isinstance(value, str) else value
