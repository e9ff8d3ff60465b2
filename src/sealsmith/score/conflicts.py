"""Whether seals get on in one picture, measured; and strengths with which they get on better, found by measuring.

The search is small and goes one question at a time: how strong all together, how strong against each other, which
blocks to turn down. It is done on pictures of its own; the proof is on others, so that what only looked better
by luck does not pass. Not for: what the weights alone predict (adapters/overlap.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..adapters import Seal
from ..adapters.blocks import Layout, find_layout
from ..adapters.fit import adaptable
from ..adapters.strength import Strength, constant, parse_strength
from ..bases import Base
from ..errors import ConfigError
from ..generate import Picture, generate_batch
from ..generate.seal_syntax import SealWish, dump_tag
from .judge import LoadedJudge
from .pairs import Find, PairPlan, find_seals, plan_pairs
from .record import reference_of
from .statistics import Interval, bootstrap_interval, mean, rate_interval

SCALES = (0.75, 1.25, 1.5)
"""What the search tries for all seals alike."""
TILT = 1.25
"""By how much it makes one seal stronger, and all others weaker, than they are."""
MUTED = 0.4
"""What it turns a block down to."""
NUM_MUTED = 2
"""In how many of the blocks where the seals are at each other most."""

Company = tuple[Strength, ...]
"""One strength a seal."""
OnPicture = Callable[[str, int, int], None]
"""Told after every picture: for what, how many are drawn, of how many."""


@dataclass(frozen=True)
class PairSettings:
    """How many pictures a measurement and a search take. Raises: ConfigError."""

    num_prompts: int = 8
    """Prompts that call two seals, for the figures."""
    num_seeds: int = 2
    """Pictures of each."""
    num_search: int = 6
    """Prompts, of one picture each, that every candidate of the search is tried on; 0: no search."""
    num_steps: int | None = None
    seed: int = 7000
    num_resamples: int = 2000

    def __post_init__(self) -> None:
        for name, least in (("num_prompts", 1), ("num_seeds", 1), ("num_search", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"use {least} or more")


@dataclass(frozen=True)
class Share:
    """Of pictures, 0..1."""

    value: float
    ci: Interval
    """95 %, resampling prompts, never narrower than Wilson's."""
    likeness: float
    """Mean cosine to the seal's reference in its better half; of several seals the lesser of theirs."""


@dataclass(frozen=True)
class Meeting:
    """How the seals came out in pictures that call two of them."""

    strengths: tuple[str, ...]
    """Ready to paste: `<lora:name:1>`, in order of the seals."""
    found: tuple[Share, ...]
    """Of the pictures that call it, how many show each seal."""
    both: Share
    """How many show both seals they call."""


@dataclass(frozen=True)
class Trial:
    """One candidate of the search."""

    strengths: tuple[str, ...]
    lead: float
    """Mean over pictures of the lesser of the two leads: likeness to the seal less that to its nearest rival."""
    both: float


@dataclass(frozen=True)
class ConflictReport:
    """What was measured of a company of seals."""

    seals: tuple[str, ...]
    alone: tuple[Share, ...]
    """Each seal found in the same prompts and seeds, loaded alone, with a plain emblem in the other one's place."""
    before: Meeting
    after: Meeting | None
    """With the advice; None where nothing better was found, or nothing was searched."""
    gain: float | None
    """Share of pictures with both seals, after less before, same prompts and seeds."""
    gain_ci: Interval | None
    trials: tuple[Trial, ...]
    advice: str
    num_pictures: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_conflict(
    base: Base,
    seals: Sequence[Seal],
    crossed: Mapping[str, float],
    judge: LoadedJudge,
    settings: PairSettings,
    on_picture: OnPicture | None = None,
) -> ConflictReport:
    """Every seal alone and in company, and, if the search finds one, better strengths with their proof.

    `crossed` says how much the seals are at each other in each block (`inspect.conflict`).
    Raises: PictureSetError when a seal does not say what it looks like; ConfigError as `plan_pairs` does.
    """
    table = _Table(base, seals, judge, settings, on_picture)
    plans = plan_pairs(seals, settings.num_prompts + settings.num_search, settings.num_seeds, settings.seed)
    fresh = plans[: settings.num_prompts * settings.num_seeds]
    trial_plans = plans[settings.num_prompts * settings.num_seeds :: settings.num_seeds]
    plain = tuple(constant(1.0) for _ in seals)
    alone = table.alone(fresh)
    before_finds = table.finds(fresh, plain, "together")
    before = table.meeting(fresh, plain, before_finds)
    trials: list[Trial] = []
    is_drawn = all(share.value > 0 for share in alone)  # else no strength could be told from another
    best = plain
    if trial_plans and is_drawn:
        best = search(plain, crossed, base, table.trial_of(trial_plans, trials))
    if best == plain:
        return table.report(alone, before, None, None, None, trials)
    after_finds = table.finds(fresh, best, "with the advice")
    rises = [
        float(_both(plan, late)) - float(_both(plan, early))
        for plan, early, late in zip(fresh, before_finds, after_finds, strict=True)
    ]
    interval = bootstrap_interval(rises, _prompts(fresh), settings.num_resamples, settings.seed)
    after = table.meeting(fresh, best, after_finds)
    return table.report(alone, before, after, mean(rises), interval, trials)


def search(
    start: Company, crossed: Mapping[str, float], base: Base, value: Callable[[Company], float]
) -> Company:
    """The best of a few companies around `start`, by what `value` measures of each; higher is better.

    One question after another, each asked at the best answer so far: all seals weaker or stronger; each in turn
    stronger and the others weaker; the blocks with most of `crossed` turned down in all seals, then in each alone.
    """
    layout = find_layout(adaptable(base.denoiser))
    best, best_value = start, value(start)
    rounds: tuple[Callable[[Company], list[Company]], ...] = (
        lambda now: [tuple(_scaled(one, scale) for one in now) for scale in SCALES],
        _tilted,
        lambda now: _muted(now, crossed, layout),
    )
    for candidates in rounds:
        for company in candidates(best):
            found = value(company)
            if found > best_value:
                best, best_value = company, found
    return best


def tags(seals: Sequence[Seal], company: Company) -> tuple[str, ...]:
    """The strengths as a prompt takes them: `<lora:name:0.8:lbw=...>`."""
    return tuple(
        dump_tag(SealWish(seal.name, strength)) for seal, strength in zip(seals, company, strict=True)
    )


def _scaled(strength: Strength, factor: float) -> Strength:
    return replace(strength, te=constant(round(float(strength) * factor, 2)).te)


def _tilted(now: Company) -> list[Company]:
    return [
        tuple(_scaled(one, TILT if i == louder else 1 / TILT) for i, one in enumerate(now))
        for louder in range(len(now))
    ]


def _muted(now: Company, crossed: Mapping[str, float], layout: Layout) -> list[Company]:
    worst = sorted(crossed, key=lambda block: -crossed[block])[:NUM_MUTED]
    if not worst:
        return []
    numbers = ",".join(f"{MUTED if block in worst else 1:g}" for block in layout.ids)
    lower = parse_strength(f"1:lbw={numbers}").lbw
    turned = [replace(one, lbw=lower) for one in now]
    singles = [
        tuple(turned[i] if i == quiet else one for i, one in enumerate(now)) for quiet in range(len(now))
    ]
    return [tuple(turned), *singles]


def _both(plan: PairPlan, finds: Sequence[Find]) -> bool:
    return all(finds[index].is_found for index in plan.called)


def _prompts(plans: Sequence[PairPlan]) -> list[tuple[Any, ...]]:
    return [(plan.called, plan.contexts) for plan in plans]


class _Table:
    """What stays the same over one measurement, and the count of its pictures."""

    def __init__(
        self,
        base: Base,
        seals: Sequence[Seal],
        judge: LoadedJudge,
        settings: PairSettings,
        on_picture: OnPicture | None,
    ):
        self.base, self.seals, self.judge, self.settings = base, seals, judge, settings
        self.references: Tensor = torch.stack([reference_of(seal) for seal in seals])
        self.on_picture = on_picture
        self.num_pictures = 0

    def alone(self, plans: Sequence[PairPlan]) -> tuple[Share, ...]:
        shares = []
        for index, seal in enumerate(self.seals):
            own = [plan for plan in plans if index in plan.called]
            requests = [plan.request(self.seals, self.settings.num_steps, index) for plan in own]
            pictures = self._draw(requests, [(seal, 1.0)], f"{seal.name} alone")
            finds = find_seals(pictures, self.judge, self.references)
            shares.append(self._share([[found[index]] for found in finds], own))
        return tuple(shares)

    def finds(self, plans: Sequence[PairPlan], company: Company, what: str) -> list[list[Find]]:
        requests = [plan.request(self.seals, self.settings.num_steps) for plan in plans]
        pictures = self._draw(requests, list(zip(self.seals, company, strict=True)), what)
        return find_seals(pictures, self.judge, self.references)

    def meeting(self, plans: Sequence[PairPlan], company: Company, finds: list[list[Find]]) -> Meeting:
        found = []
        for index in range(len(self.seals)):
            own = [i for i, plan in enumerate(plans) if index in plan.called]
            found.append(self._share([[finds[i][index]] for i in own], [plans[i] for i in own]))
        both = [[one[i] for i in plan.called] for plan, one in zip(plans, finds, strict=True)]
        return Meeting(tags(self.seals, company), tuple(found), self._share(both, plans))

    def trial_of(self, plans: Sequence[PairPlan], trials: list[Trial]) -> Callable[[Company], float]:
        """What the search asks: the mean lesser lead of a company on its own pictures; `trials` keeps them all."""

        def value(company: Company) -> float:
            finds = self.finds(plans, company, "searching")
            leads = [min(one[i].lead for i in plan.called) for plan, one in zip(plans, finds, strict=True)]
            both = mean([_both(plan, one) for plan, one in zip(plans, finds, strict=True)])
            trials.append(Trial(tags(self.seals, company), mean(leads), both))
            return mean(leads)

        return value

    def report(
        self,
        alone: tuple[Share, ...],
        before: Meeting,
        after: Meeting | None,
        gain: float | None,
        gain_ci: Interval | None,
        trials: Sequence[Trial],
    ) -> ConflictReport:
        names = tuple(seal.name for seal in self.seals)
        advice = _advice(before, after, gain, gain_ci, bool(trials))
        if any(share.value == 0 for share in alone):
            advice = _no_advice(names, alone, before)
        return ConflictReport(
            names, alone, before, after, gain, gain_ci, tuple(trials), advice, self.num_pictures
        )

    def _draw(self, requests: list[Any], seals: list[Any], what: str) -> list[Picture]:
        def tell(done: int) -> None:
            self.num_pictures += 1
            if self.on_picture is not None:
                self.on_picture(what, done, len(requests))

        return generate_batch(self.base, requests, seals, tell)

    def _share(self, wanted: Sequence[Sequence[Find]], plans: Sequence[PairPlan]) -> Share:
        """Of pictures in which all that is `wanted` of each is found."""
        hits = [all(find.is_found for find in finds) for finds in wanted]
        interval = rate_interval(hits, _prompts(plans), self.settings.num_resamples, self.settings.seed)
        return Share(mean(hits), interval, mean([min(find.similarity for find in finds) for finds in wanted]))


def _no_advice(names: Sequence[str], alone: Sequence[Share], before: Meeting) -> str:
    """Why nothing is advised where the base cannot draw a seal beside another mark, whatever the strengths."""
    lost = [name for name, share in zip(names, alone, strict=True) if share.value == 0]
    falls = ", ".join(
        f"{name} {one.likeness:.2f} alone and {two.likeness:.2f} together"
        for name, one, two in zip(names, alone, before.found, strict=True)
    )
    return (
        f"none that could be proven: {' and '.join(lost)} cannot be told even alone where two marks are in one "
        f"picture, which is this base's limit; likeness: {falls}"
    )


def _advice(
    before: Meeting, after: Meeting | None, gain: float | None, interval: Interval | None, searched: bool
) -> str:
    """What to do, in one sentence, never more sure than the measurement."""
    if after is None or gain is None or interval is None:
        tried = "no other strengths did better in the search" if searched else "no others were searched"
        return f"keep {' '.join(before.strengths)}: {tried}"
    change = f"both seals in {before.both.value:.0%} of the pictures before, {after.both.value:.0%} after"
    if gain <= 0:
        return (
            f"keep {' '.join(before.strengths)}: what was best in the search did not help in other pictures "
            f"({change})"
        )
    doubt = "" if interval[0] > 0 else "; with so few pictures that may be luck"
    return f"use {' '.join(after.strengths)} ({change}{doubt})"
