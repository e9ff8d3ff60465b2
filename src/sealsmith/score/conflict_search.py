"""Which ways of putting seals together are tried, and in what order: the search behind the advice of `conflicts`.

Pure: what a way is worth is asked of a function. Not for: drawing and proving (conflicts.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..adapters import Seal
from ..adapters.blocks import Layout, find_layout
from ..adapters.fit import adaptable
from ..adapters.strength import Moment, Strength, constant, parse_strength
from ..bases import Base
from ..generate.mixing import MIXES
from ..generate.seal_syntax import SealWish, dump_tag
from ..inspect.conflict import WeightConflict, crossed_by_block, spare_blocks

SCALES = (0.75, 1.25, 1.5)
"""What the search tries for all seals alike."""
TILT = 1.25
"""By how much it makes one seal stronger, and all others weaker, than they are."""
MUTED = 0.4
"""What it turns a block down to where the seals are at each other."""
NUM_MUTED = 2
"""In how many blocks; and in how many a seal is switched off that carry little of it."""
LATE, EARLY = Moment(0.2, "fraction"), Moment(0.8, "fraction")
"""When seals start that leave the layout to the base, and stop that leave the last touch to it."""


@dataclass(frozen=True)
class Company:
    """Seals together: one strength a seal, and how they are mixed."""

    strengths: tuple[Strength, ...]
    mix: str = "sum"

    def tags(self, seals: Sequence[Seal]) -> tuple[str, ...]:
        """The strengths as a prompt takes them: `<lora:name:0.8:lbw=...>`."""
        return tuple(
            dump_tag(SealWish(seal.name, strength))
            for seal, strength in zip(seals, self.strengths, strict=True)
        )

    def turned(self, change: Callable[[Strength], Strength], only: int | None = None) -> "Company":
        """The company with a change to every seal's strength, or to that of seal `only`."""
        turned = (change(one) if only in (None, i) else one for i, one in enumerate(self.strengths))
        return replace(self, strengths=tuple(turned))


@dataclass(frozen=True)
class SearchSpace:
    """What the weights say about where to look."""

    layout: Layout
    crossed: Mapping[str, float]
    """Block -> its share of what the seals answer of each other's."""
    spare: tuple[Mapping[str, float], ...]
    """Of each seal, block -> by how much the block's share of that is more than its share of the seal."""
    mixes: tuple[str, ...] = MIXES


def search_space(base: Base, conflicts: Sequence[WeightConflict], num_seals: int) -> SearchSpace:
    """The space for these seals on this base. Raises: ConfigError for a base without blocks."""
    can_mask = base.family.denoiser == "unet" and num_seals == 2  # every prompt calls two
    mixes = tuple(mix for mix in MIXES if mix != "masked" or can_mask)
    layout = find_layout(adaptable(base.denoiser))
    return SearchSpace(layout, crossed_by_block(conflicts), spare_blocks(conflicts, num_seals), mixes)


def search(start: Company, space: SearchSpace, value: Callable[[Company], float]) -> Company:
    """The best of a few companies around `start`, by what `value` measures of each; higher is better.

    One question after another, each asked at the best answer so far: how mixed; all seals weaker or stronger; each
    in turn stronger and the others weaker; which blocks turned down; when they start and stop.
    """
    best, best_value = start, value(start)
    rounds: tuple[Callable[[Company, SearchSpace], list[Company]], ...] = (
        _mixed,
        _scaled,
        _tilted,
        _muted,
        _timed,
    )
    for candidates in rounds:
        for company in candidates(best, space):
            found = value(company)
            if found > best_value:
                best, best_value = company, found
    return best


def _mixed(now: Company, space: SearchSpace) -> list[Company]:
    return [replace(now, mix=mix) for mix in space.mixes if mix != now.mix]


def _scaled(now: Company, space: SearchSpace) -> list[Company]:
    return [now.turned(_times(scale)) for scale in SCALES]


def _tilted(now: Company, space: SearchSpace) -> list[Company]:
    return [
        now.turned(_times(1 / TILT)).turned(_times(TILT * TILT), louder)
        for louder in range(len(now.strengths))
    ]


def _muted(now: Company, space: SearchSpace) -> list[Company]:
    """The worst blocks lower in all seals and in each; and each seal off where it disturbs more than it carries."""
    worst = _highest(space.crossed)
    lower = _blocks(space.layout, worst, MUTED)
    companies = [now.turned(lower, only) for only in (None, *range(len(now.strengths)))] if worst else []
    everywhere = now
    for index, spare in enumerate(space.spare):
        idle = _highest({block: value for block, value in spare.items() if value > 0})
        if idle:
            off = _blocks(space.layout, idle, 0)
            companies.append(now.turned(off, index))
            everywhere = everywhere.turned(off, index)
    return [*dict.fromkeys([*companies, everywhere])] if everywhere != now else companies


def _timed(now: Company, space: SearchSpace) -> list[Company]:
    return [
        now.turned(lambda one: replace(one, start=LATE)),
        now.turned(lambda one: replace(one, stop=EARLY)),
    ]


def _times(factor: float) -> Callable[[Strength], Strength]:
    return lambda one: replace(one, te=constant(round(float(one) * factor, 2)).te)


def _blocks(layout: Layout, blocks: Sequence[str], weight: float) -> Callable[[Strength], Strength]:
    numbers = ",".join(f"{weight if block in blocks else 1:g}" for block in layout.ids)
    lbw = parse_strength(f"1:lbw={numbers}").lbw
    return lambda one: replace(one, lbw=lbw)


def _highest(shares: Mapping[str, float]) -> list[str]:
    return sorted(shares, key=lambda block: -shares[block])[:NUM_MUTED]
