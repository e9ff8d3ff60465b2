"""From likeness by step to time to a given likeness, as pure functions.

Levels are shares of a gain: 0 is what the base draws without any seal, 1 is where our own training of the same
emblem ends. Several trainings of one arm are told by their median, in which one that never arrives counts as the
longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_high

SMALLEST_GAIN = 0.05
"""Of likeness. Below it our own training has learned nothing that levels could be shares of."""


@dataclass(frozen=True)
class Curve:
    """Likeness after so many steps of one training; the first point is the base's, after 0 steps."""

    steps: tuple[int, ...]
    likeness: tuple[float, ...]

    def __post_init__(self) -> None:
        assert len(self.steps) == len(self.likeness)
        assert self.steps[0] == 0
        assert all(a < b for a, b in pairwise(self.steps))

    def as_gain(self, start: float, final: float) -> "Curve":
        """The same curve on a scale where `start` is 0 and `final` is 1."""
        return Curve(self.steps, tuple((value - start) / (final - start) for value in self.likeness))

    def steps_to(self, level: float) -> float | None:
        """Steps until the curve first stands at `level`, by straight lines between its points; None for never."""
        if self.likeness[0] >= level:
            return 0.0
        points = list(zip(self.steps, self.likeness, strict=True))
        for (before, low), (after, high) in pairwise(points):
            if high >= level:
                return before + (after - before) * (level - low) / (high - low)
        return None


@dataclass(frozen=True)
class Time:
    """How long something took, in seconds; where `is_reached` is not set, how long it took in vain."""

    seconds: float
    is_reached: bool = True

    @property
    def words(self) -> str:
        return f"{self.seconds:.3g} s" if self.is_reached else f"never in {self.seconds:.3g} s"


@dataclass(frozen=True)
class Ratio:
    """One time as a share of another; with `bound` "<" or ">" the true one is below or above it."""

    value: float
    bound: str = ""

    @property
    def words(self) -> str:
        return f"{self.bound} {self.value:.2f}".strip()

    def is_at_most(self, limit: float) -> bool | None:
        """Whether the true ratio is within `limit`; None where its bound leaves that open."""
        if self.bound == "<":
            return True if self.value <= limit else None
        if self.bound == ">":
            return False if self.value >= limit else None
        return self.value <= limit


def ratio(time: Time, other: Time) -> Ratio | None:
    """`time` as a share of `other`, None where neither arrived, or the other needed no time.

    One that never arrived needs longer than it had, which bounds the ratio.
    """
    if not (time.is_reached or other.is_reached) or other.seconds == 0:
        return None
    bound = "" if time.is_reached and other.is_reached else "<" if time.is_reached else ">"
    return Ratio(time.seconds / other.seconds, bound)


@dataclass(frozen=True)
class Measured:
    """One arm: what its steps cost, and what each of its trainings learned by them."""

    name: str
    adds: str
    """What it has that the arm before it lacks."""
    setup_s: float
    """From the pictures in memory to the first step."""
    paces: tuple[float, ...]
    """Seconds a step, turn by turn."""
    gains: tuple[Curve, ...]
    """One a training, as shares of our own training's gain."""

    @property
    def pace(self) -> float:
        return float(median_high(self.paces))

    def seconds_at(self, step: float) -> float:
        """Seconds of training after which `step` steps are taken."""
        return self.setup_s + self.pace * step

    def steps_to(self, share: float) -> float | None:
        """Steps to a share of the gain, the median over the trainings, of two the larger; None when it is never."""
        found = [curve.steps_to(share) for curve in self.gains]
        steps = median_high([float("inf") if each is None else each for each in found])
        return None if steps == float("inf") else steps

    def time_to(self, share: float) -> Time:
        """Seconds to a share of the gain."""
        steps = self.steps_to(share)
        if steps is None:
            return Time(self.seconds_at(self.gains[0].steps[-1]), is_reached=False)
        return Time(self.seconds_at(steps))

    @property
    def final_gain(self) -> float:
        """Where its trainings end, their mean."""
        return sum(curve.likeness[-1] for curve in self.gains) / len(self.gains)

    @property
    def mean_gain(self) -> Curve:
        """The mean of its trainings at each step."""
        columns: list[Sequence[float]] = list(zip(*(curve.likeness for curve in self.gains), strict=True))
        return Curve(self.gains[0].steps, tuple(sum(column) / len(column) for column in columns))


@dataclass(frozen=True)
class Ingredient:
    """One row of the waterfall: what an arm adds to the one before it, and what that gives."""

    arm: Measured
    time: Time
    of_before: Ratio | None
    """Its time as a share of the row above; below 1 the ingredient helps."""
    of_first: Ratio | None
    """Its time as a share of the first row."""


def waterfall(arms: Sequence[Measured], share: float) -> list[Ingredient]:
    """What each arm's ingredient gives, by the time to a share of the gain; the first arm stands for itself."""
    times = [arm.time_to(share) for arm in arms]
    return [
        Ingredient(arm, time, ratio(time, times[i - 1]) if i else None, ratio(time, times[0]) if i else None)
        for i, (arm, time) in enumerate(zip(arms, times, strict=True))
    ]
