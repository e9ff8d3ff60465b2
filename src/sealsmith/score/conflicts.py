"""Whether seals get on in one picture, measured; and a way of putting them together that was proven to be better.

What is compared is the likeness of the seal that came out worse, which says something also where neither is told
from other emblems. The search is done on pictures of its own; the proof is on others, so that what only looked
better by luck does not pass. Not for: what the weights alone predict (adapters/overlap.py), what is tried
(conflict_search.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..adapters import Seal
from ..adapters.strength import constant
from ..bases import Base
from ..errors import ConfigError
from ..generate import generate_batch
from ..generate.mix_choice import choose_mix
from .conflict_search import Company, SearchSpace, search
from .judge import LoadedJudge
from .pairs import Find, PairPlan, find_seals, plan_pairs
from .prompts import with_class_noun
from .record import reference_of
from .statistics import Interval, bootstrap_interval, mean, rate_interval

NUM_SHOWN = 6
"""Prompts whose pictures are kept for the page."""
TOGETHER, ADVISED, SEARCHING = "together", "with the advice", "searching"

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
    mix: str
    """One of `generate.mixing.MIXES`."""
    guidance: float | None
    """None: the base's own."""
    found: tuple[Share, ...]
    """Of the pictures that call it, how many show each seal."""
    both: Share
    """How many show both seals they call."""

    @property
    def words(self) -> str:
        guided = "" if self.guidance is None else f" --guidance {self.guidance:g}"
        return f"{' '.join(self.strengths)} with --mix {self.mix}{guided}"


@dataclass(frozen=True)
class Trial:
    """One candidate of the search."""

    strengths: tuple[str, ...]
    mix: str
    guidance: float | None
    likeness: float
    """Mean over pictures of the lesser of the two likenesses: what the search goes by."""
    both: float


@dataclass(frozen=True)
class Rise:
    """A figure after, less before, over the same prompts and seeds; 95 %, resampling prompts."""

    value: float
    ci: Interval


@dataclass(frozen=True)
class View:
    """One picture for the page."""

    what: str
    """For what it was drawn: "together", "with the advice", or the name of the seal that is alone in it."""
    image: Image.Image
    found: tuple[bool, ...]
    """Which of the seals the judge found."""


@dataclass(frozen=True)
class Scene:
    """One prompt and seed, with what was drawn for it."""

    prompt: str
    seed: int
    views: tuple[View, ...]


@dataclass(frozen=True)
class ConflictReport:
    """What was measured of a company of seals."""

    seals: tuple[str, ...]
    alone: tuple[Share, ...]
    """Each seal found in the same prompts and seeds, loaded alone, with a plain emblem in the other one's place."""
    before: Meeting
    after: Meeting | None
    """With what was best in the search; None where nothing better was found, or nothing was searched."""
    gain: Rise | None
    """Of the share of pictures with both seals."""
    likeness_gain: Rise | None
    """Of the lesser likeness."""
    trials: tuple[Trial, ...]
    advice: str
    num_pictures: int
    scenes: tuple[Scene, ...] = ()
    """Some of the pictures; not part of `to_dict`."""

    @property
    def advised(self) -> Meeting:
        """How the seals came out in the way that is advised: the old one where nothing was proven to be better."""
        return self.after if self.after is not None and self.is_better else self.before

    @property
    def is_better(self) -> bool:
        """Whether another way than the old one is advised."""
        return bool(self.gain and self.likeness_gain and helps(self.gain, self.likeness_gain))

    @property
    def is_sure(self) -> bool:
        """Whether that it is better is more than luck with the pictures."""
        return bool(self.gain and self.likeness_gain and is_sure(self.gain, self.likeness_gain))

    def to_dict(self) -> dict[str, Any]:
        return {
            field.name: _plain(getattr(self, field.name)) for field in fields(self) if field.name != "scenes"
        }


def measure_conflict(
    base: Base,
    seals: Sequence[Seal],
    space: SearchSpace,
    judge: LoadedJudge,
    settings: PairSettings,
    on_picture: OnPicture | None = None,
) -> ConflictReport:
    """Every seal alone and in company, and, if the search finds one, a better company with its proof.

    Raises: PictureSetError when a seal does not say what it looks like; ConfigError as `plan_pairs` does.
    """
    seals = [with_class_noun(seal, base.family) for seal in seals]
    num_prompts = settings.num_prompts + settings.num_search
    plans = plan_pairs(base, seals, num_prompts, settings.num_seeds, settings.seed)
    fresh = plans[: settings.num_prompts * settings.num_seeds]
    trial_plans = plans[settings.num_prompts * settings.num_seeds :: settings.num_seeds]
    shown = fresh[:: settings.num_seeds][:NUM_SHOWN]
    table = _Table(base, seals, judge, settings, on_picture, shown)
    plain = Company(tuple(constant(1.0) for _ in seals), _usual_mix(base, seals, fresh))
    alone = table.alone(fresh)
    before_finds = table.finds(fresh, plain, TOGETHER)
    before = table.meeting(fresh, plain, before_finds)
    trials: list[Trial] = []
    best = search(plain, space, table.trial_of(trial_plans, trials)) if trial_plans else plain
    after = gain = likeness_gain = None
    if best != plain:
        after_finds = table.finds(fresh, best, ADVISED)
        after = table.meeting(fresh, best, after_finds)
        gain = table.rise(fresh, before_finds, after_finds, _both)
        likeness_gain = table.rise(fresh, before_finds, after_finds, _likeness)
    names = tuple(seal.name for seal in seals)
    advice = advise(before, after, gain, likeness_gain, bool(trials)) + _caveat(names, alone)
    return ConflictReport(
        names, alone, before, after, gain, likeness_gain, tuple(trials), advice, table.num_pictures,
        table.scenes(),
    )  # fmt: skip


def advise(
    before: Meeting, after: Meeting | None, gain: Rise | None, likeness: Rise | None, searched: bool
) -> str:
    """What to do, in one sentence, never more sure than the measurement."""
    if after is None or gain is None or likeness is None:
        tried = "nothing else did better in the search" if searched else "nothing else was searched"
        return f"keep {before.words}: {tried}"
    change = (
        f"both seals in {before.both.value:.0%} of the pictures before, {after.both.value:.0%} after; "
        f"likeness of the lesser one {before.both.likeness:.2f} before, {after.both.likeness:.2f} after"
    )
    if not helps(gain, likeness):
        return (
            f"keep {before.words}: what was best in the search, {after.words}, did not help in other pictures "
            f"({change})"
        )
    doubt = "" if is_sure(gain, likeness) else "; with so few pictures that may be luck"
    return f"use {after.words} ({change}{doubt})"


def helps(gain: Rise, likeness: Rise) -> bool:
    """Whether it came out better on fresh pictures: more often both, or as often and the lesser one more alike."""
    return gain.value > 0 or (gain.value == 0 and likeness.value > 0)


def is_sure(gain: Rise, likeness: Rise) -> bool:
    """Whether one of the two rose beyond its interval, and the pictures with both did not become fewer."""
    return gain.ci[0] > 0 or (gain.value >= 0 and likeness.ci[0] > 0)


def _caveat(names: Sequence[str], alone: Sequence[Share]) -> str:
    """What no way of mixing can mend: seals that the base cannot draw beside another mark at all."""
    lost = [name for name, share in zip(names, alone, strict=True) if share.value == 0]
    if not lost:
        return ""
    return (
        f". {' and '.join(lost)} cannot be told from other emblems even alone where two marks are in one picture, "
        "which is the base's limit or the seal's; there likeness is all there is to go by"
    )


def _usual_mix(base: Base, seals: Sequence[Seal], plans: Sequence[PairPlan]) -> str:
    """How the seals are mixed where nothing is said of it, in every one of the pictures."""
    requests = [plan.request(seals, None).resolved(base) for plan in plans]
    mixes = {choose_mix(base, request, [(seal, 1.0) for seal in seals]).mix for request in requests}
    return mixes.pop() if len(mixes) == 1 else "sum"


def _both(plan: PairPlan, finds: Sequence[Find]) -> float:
    return float(all(finds[index].is_found for index in plan.called))


def _likeness(plan: PairPlan, finds: Sequence[Find]) -> float:
    return min(finds[index].similarity for index in plan.called)


def _prompts(plans: Sequence[PairPlan]) -> list[tuple[Any, ...]]:
    return [(plan.called, plan.contexts) for plan in plans]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


class _Table:
    """What stays the same over one measurement, the count of its pictures, and those that are kept."""

    def __init__(
        self,
        base: Base,
        seals: Sequence[Seal],
        judge: LoadedJudge,
        settings: PairSettings,
        on_picture: OnPicture | None,
        shown: Sequence[PairPlan],
    ):
        self.base, self.seals, self.judge, self.settings = base, seals, judge, settings
        self.references: Tensor = torch.stack([reference_of(seal) for seal in seals])
        self.on_picture = on_picture
        self.num_pictures = 0
        self.views: dict[PairPlan, list[View]] = {plan: [] for plan in shown}

    def alone(self, plans: Sequence[PairPlan]) -> tuple[Share, ...]:
        shares = []
        for index, seal in enumerate(self.seals):
            own = [plan for plan in plans if index in plan.called]
            company = Company((constant(1.0),))
            finds = self.finds(own, company, f"{seal.name} alone", index)
            shares.append(self._share([[found[index]] for found in finds], own))
        return tuple(shares)

    def finds(
        self, plans: Sequence[PairPlan], company: Company, what: str, alone: int | None = None
    ) -> list[list[Find]]:
        """How every seal came out in a picture of each plan, with all of them or one `alone` on the base."""

        def tell(done: int) -> None:
            self.num_pictures += 1
            if self.on_picture is not None:
                self.on_picture(what, done, len(plans))

        steps, mix, guidance = self.settings.num_steps, company.mix, company.guidance
        requests = [plan.request(self.seals, steps, alone, mix, guidance) for plan in plans]
        loaded = self.seals if alone is None else [self.seals[alone]]
        pictures = generate_batch(
            self.base, requests, list(zip(loaded, company.strengths, strict=True)), tell
        )
        finds = find_seals(pictures, self.judge, self.references)
        if what != SEARCHING:
            for plan, picture, found in zip(plans, pictures, finds, strict=True):
                if plan in self.views:
                    seen = tuple(find.is_found for find in found)
                    self.views[plan].append(View(what, picture.image, seen))
        return finds

    def meeting(self, plans: Sequence[PairPlan], company: Company, finds: list[list[Find]]) -> Meeting:
        found = []
        for index in range(len(self.seals)):
            own = [i for i, plan in enumerate(plans) if index in plan.called]
            found.append(self._share([[finds[i][index]] for i in own], [plans[i] for i in own]))
        both = [[one[i] for i in plan.called] for plan, one in zip(plans, finds, strict=True)]
        tags = company.tags(self.seals)
        return Meeting(tags, company.mix, company.guidance, tuple(found), self._share(both, plans))

    def trial_of(self, plans: Sequence[PairPlan], trials: list[Trial]) -> Callable[[Company], float]:
        """What the search asks: the mean lesser likeness of a company on the search's prompts; all are kept."""

        def value(company: Company) -> float:
            seen = list(zip(plans, self.finds(plans, company, SEARCHING), strict=True))
            likeness = mean([_likeness(plan, finds) for plan, finds in seen])
            both = mean([_both(plan, finds) for plan, finds in seen])
            trials.append(Trial(company.tags(self.seals), company.mix, company.guidance, likeness, both))
            return likeness

        return value

    def rise(
        self,
        plans: Sequence[PairPlan],
        before: list[list[Find]],
        after: list[list[Find]],
        value: Callable[[PairPlan, Sequence[Find]], float],
    ) -> Rise:
        rises = [
            value(plan, late) - value(plan, early)
            for plan, early, late in zip(plans, before, after, strict=True)
        ]
        interval = bootstrap_interval(rises, _prompts(plans), self.settings.num_resamples, self.settings.seed)
        return Rise(mean(rises), interval)

    def scenes(self) -> tuple[Scene, ...]:
        return tuple(
            Scene(plan.prompt(self.seals), plan.seed, tuple(views)) for plan, views in self.views.items()
        )

    def _share(self, wanted: Sequence[Sequence[Find]], plans: Sequence[PairPlan]) -> Share:
        """Of pictures in which all that is `wanted` of each is found."""
        hits = [all(find.is_found for find in finds) for finds in wanted]
        interval = rate_interval(hits, _prompts(plans), self.settings.num_resamples, self.settings.seed)
        return Share(mean(hits), interval, mean([min(find.similarity for find in finds) for finds in wanted]))
