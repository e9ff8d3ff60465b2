"""What is asked of an engine, and when: requests for seals by their popularity, drawn from fixed seeds; pure.

Not for: drawing any of it (serving.py and the servers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import ConfigError

TRIGGER = "sks"
IDENTICAL, DISTINCT, UNIFORM, ZIPF = "identical", "distinct", "uniform", "zipf"
POPULARITIES = (IDENTICAL, DISTINCT, UNIFORM, ZIPF)
ZIPF_EXPONENT = 0.8
EQUAL_RANKS, MIXED_RANKS = (8,), (4, 8, 16, 32, 64)
COLOURS = ("red", "blue", "green", "purple", "orange", "black", "white")
SURFACES = (
    "parchment",
    "wood",
    "stone",
    "leather",
    "cloth",
    "marble",
    "sand",
    "snow",
    "moss",
    "brick",
    "paper",
)


@dataclass(frozen=True)
class Workload:
    """Requests for registered seals. Raises: ConfigError for a popularity there is none of."""

    popularity: str
    """identical: all want the first; distinct: each another; uniform, zipf: drawn so from all."""
    num_registered: int
    num_requests: int
    ranks: tuple[int, ...] = EQUAL_RANKS
    """Of the seals, in turn."""
    groups: tuple[str, ...] = ()
    """Target groups of the layers they change."""

    def __post_init__(self) -> None:
        if self.popularity not in POPULARITIES:
            raise ConfigError(
                f"there is no workload {self.popularity!r}", f"give one of {', '.join(POPULARITIES)}"
            )
        if self.popularity == DISTINCT and self.num_registered < self.num_requests:
            raise ConfigError(
                f"{self.num_requests} requests want a seal each, and {self.num_registered} are registered",
                "register as many as there are requests",
            )

    @property
    def name(self) -> str:
        """Such as "zipf 0.8 over 20, ranks 4 to 64"."""
        over = f" over {self.num_registered}" if self.popularity in (UNIFORM, ZIPF) else ""
        what = f"{ZIPF} {ZIPF_EXPONENT:g}" if self.popularity == ZIPF else self.popularity
        low, high = min(self.ranks), max(self.ranks)
        return f"{what}{over}, rank {low}" if low == high else f"{what}{over}, ranks {low} to {high}"


@dataclass(frozen=True)
class Wish:
    """One picture, wanted with one seal at strength 1."""

    id: str
    prompt: str
    """With the trigger in it."""
    seed: int
    seal: int
    """Its number among the registered ones."""


def wishes(workload: Workload, seed: int = 0) -> tuple[Wish, ...]:
    """The requests of a workload, each with a prompt and a seed of its own."""
    draws, number = np.random.default_rng(seed), workload.num_requests
    match workload.popularity:
        case "identical":
            seals = np.zeros(number, dtype=int)
        case "distinct":
            seals = np.arange(number)
        case "uniform":
            seals = draws.integers(workload.num_registered, size=number)
        case _:
            shares = np.arange(1, workload.num_registered + 1) ** -ZIPF_EXPONENT
            seals = draws.choice(workload.num_registered, size=number, p=shares / shares.sum())
    scenes = list(product(COLOURS, SURFACES))
    places = draws.permutation(number) % len(scenes)
    prompts = ["a {} wax seal of {trigger} on {}".format(*scenes[place], trigger=TRIGGER) for place in places]
    return tuple(Wish(f"{index}", prompts[index], index, int(seal)) for index, seal in enumerate(seals))


def gamma_arrivals(number: int, rate: float, variation: float, seed: int = 0) -> tuple[float, ...]:
    """When each request comes, in seconds from the first, rising.

    Gaps are gamma distributed with the mean 1 / `rate` and the coefficient of variation `variation`: at 1 they are
    those of independent clients (a Poisson process), at 8 requests come in bursts.
    """
    shape = 1 / variation**2
    gaps = np.random.default_rng(seed).gamma(shape, 1 / (shape * rate), size=number - 1)
    return (0.0, *np.cumsum(gaps).tolist())


def burst(number: int) -> tuple[float, ...]:
    """All at once."""
    return (0.0,) * number


def seals_of(asked: Sequence[Wish]) -> tuple[int, ...]:
    """The seals that are wanted, each once, in order of their first request."""
    return tuple(dict.fromkeys(wish.seal for wish in asked))
