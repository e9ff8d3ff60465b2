"""The training suite: how soon a seal resembles its emblem, by stock's plain loop and by ours, in one run.

    each emblem: every arm trains -> likeness of its checkpoints          what the steps give
    all arms in turn, a few steps each, over and over                     what a step costs
    time to a likeness = setting up + steps to it * seconds a step

Steps are timed apart from the trainings because these take minutes each: a slow minute of the machine would hit one
arm alone. Drawing and judging are in no figure. Not for: the figures (learning_curve.py) or tables
(training_report.py).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..adapters import read_seal
from ..bases import Base
from ..errors import ConfigError
from ..score import judge_of
from ..train import TrainConfig
from .emblems import EMBLEMS, emblem_pictures
from .learning_curve import SMALLEST_GAIN, Curve, Measured
from .likeness import LikenessTest, likeness_test
from .machine import commit, machine
from .speed import PEERS_PIPELINE
from .taking_turns import taking_turns
from .trainees import Trained, Trainee
from .training_arms import OURS, PLAIN, SAME_SETTINGS, Arm, arms, variants
from .training_report import TrainingReport


@dataclass(frozen=True)
class TrainingPlan:
    """What to run, and how often."""

    num_steps: int = 240
    every: int = 40
    """Steps between two looks at the likeness."""
    patience: int = 4
    """The plain loop is given so many times as many steps, and looked at as often."""
    num_emblems: int = 2
    """Trainings of each arm: an emblem and a seed of its own each."""
    num_prompts: int = 4
    num_seeds: int = 2
    draw_steps: int = 10
    """Of each of the `num_prompts * num_seeds` pictures of a look."""
    pace_turns: int = 5
    pace_steps: int = 5
    only: tuple[str, ...] = ()
    """Names of arms; none: every ingredient."""
    with_variants: bool = False
    """Whether ours is also trained with one thing changed each."""
    config: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        for name, most in (("num_steps", 100_000), ("every", self.num_steps), ("num_emblems", len(EMBLEMS))):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"give a whole number from 1 to {most}")

    @classmethod
    def quick(cls) -> "TrainingPlan":
        """The plain loop, the plain loop with our settings, and ours, on one emblem."""
        return cls(
            num_steps=160, patience=3, num_emblems=1, num_prompts=3, pace_turns=3,
            only=(PLAIN, SAME_SETTINGS, OURS),
        )  # fmt: skip


@dataclass(frozen=True)
class Race:
    """All trainings on one emblem: each arm's likeness by steps, and what setting it up took."""

    emblem: str
    curves: dict[str, Curve]
    setups_s: dict[str, float]
    steps_s: dict[str, float]
    """Spent on all steps of the training itself, beside whatever the machine did then."""


def measure_training(
    base: Base, plan: TrainingPlan, command: str, say: Callable[[str], None]
) -> TrainingReport:
    """The race on this machine, run now; `say` hears what runs.

    Raises: ConfigError for a base that the plain loop is not written for, or whose pictures no judge knows.
    """
    check_base(base)
    ingredients = [arm for arm in arms(base, plan.config) if not plan.only or arm.name in plan.only]
    changed = variants(plan.config) if plan.with_variants else []
    everyone = [*ingredients, *changed]
    races = []
    with tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as name:
        for number, emblem in enumerate(list(EMBLEMS)[: plan.num_emblems]):
            races.append(run_race(base, plan, everyone, emblem, number, Path(name), say))
        setups, paces = measure_paces(base, plan, everyone, Path(name), say)
    measured = figures(everyone, races, paces, setups)
    return TrainingReport(
        ingredients=tuple(measured[arm.name] for arm in ingredients),
        variants=tuple(measured[arm.name] for arm in changed),
        emblems=tuple(race.emblem for race in races),
        likeness={race.emblem: race.curves for race in races},
        steps_s={race.emblem: race.steps_s for race in races},
        num_pictures=plan.num_prompts * plan.num_seeds,
        draw_steps=plan.draw_steps,
        machine=machine(),
        commit=commit(),
        command=command,
    )


def check_base(base: Base) -> None:
    """Raises: ConfigError for a base that this suite has no peer or no judge for."""
    if base.family.pipeline != PEERS_PIPELINE or judge_of(base.family) is None:
        raise ConfigError(
            f"the training suite needs a {PEERS_PIPELINE} whose pictures a judge knows, "
            f"and {base.name} is of the family {base.family.name}",
            "measure on sealworld",
        )


def run_race(
    base: Base,
    plan: TrainingPlan,
    everyone: Sequence[Arm],
    emblem: str,
    seed: int,
    folder: Path,
    say: Callable[[str], None],
) -> Race:
    """Every arm's training on one emblem, one after the other, and the likeness of all their checkpoints."""
    pictures = emblem_pictures(emblem, base, folder)
    test = likeness_test(base, pictures, plan.num_prompts, plan.num_seeds, plan.draw_steps)
    start = test.of(base, None)
    curves: dict[str, Curve] = {}
    setups_s: dict[str, float] = {}
    steps_s: dict[str, float] = {}
    for arm in everyone:
        if arm.learns_as:
            continue
        times = plan.patience if arm.is_patient else 1
        say(f"{emblem}: {plan.num_steps * times} steps, {arm.name} ({arm.adds})")
        place = folder / emblem / arm.name
        place.mkdir(parents=True)
        trained = arm.trainee(base, pictures).train(plan.num_steps * times, plan.every * times, seed, place)
        curves[arm.name] = likeness_curve(base, test, start, trained)
        setups_s[arm.name], steps_s[arm.name] = trained.setup_s, trained.steps_s
    for arm in everyone:
        if arm.learns_as:
            curves[arm.name] = curves[arm.learns_as]
    return Race(emblem, curves, setups_s, steps_s)


def likeness_curve(base: Base, test: LikenessTest, start: float, trained: Trained) -> Curve:
    """Likeness by steps; `start` is the base's own."""
    points = {step: test.of(base, read_seal(path)) for step, path in trained.checkpoints.items()}
    return Curve((0, *points), (start, *points.values()))


def measure_paces(
    base: Base, plan: TrainingPlan, everyone: Sequence[Arm], folder: Path, say: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Seconds to set up of the arms that are not trained, and seconds a step of all, taking turns."""
    say(f"pace: {plan.pace_turns + 1} turns of {plan.pace_steps} steps of every arm")
    pictures = emblem_pictures(next(iter(EMBLEMS)), base, folder)
    trainees: dict[str, Trainee] = {arm.name: arm.trainee(base, pictures) for arm in everyone}
    setups: dict[str, float] = {}
    for arm in everyone:
        if arm.learns_as:
            place = folder / arm.name
            place.mkdir()
            setups[arm.name] = trainees[arm.name].train(1, 1, 0, place).setup_s
    runs = {name: partial(trainee.seconds_a_step, plan.pace_steps) for name, trainee in trainees.items()}
    return setups, taking_turns(runs, plan.pace_turns)


def figures(
    everyone: Sequence[Arm],
    races: Sequence[Race],
    paces: dict[str, tuple[float, ...]],
    setups: dict[str, float],
) -> dict[str, Measured]:
    """Each arm's figures. Gains are shares of what ours gains on the same emblem.

    An emblem on which ours gained less than SMALLEST_GAIN says nothing and is left out; `gains` may be empty then.
    """
    usable = [race for race in races if gain(race) >= SMALLEST_GAIN]
    measured = {}
    for arm in everyone:
        found = [race.setups_s[arm.name] for race in races if arm.name in race.setups_s]
        setup_s = sorted(found)[len(found) // 2] if found else setups[arm.name]
        gains = [
            race.curves[arm.name].as_gain(race.curves[OURS].likeness[0], race.curves[OURS].likeness[-1])
            for race in usable
        ]
        measured[arm.name] = Measured(arm.name, arm.adds, setup_s, paces[arm.name], tuple(gains))
    return measured


def gain(race: Race) -> float:
    """What our own training gained in likeness over the base alone."""
    likeness = race.curves[OURS].likeness
    return likeness[-1] - likeness[0]
