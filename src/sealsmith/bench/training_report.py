"""The training suite's figures as Markdown and JSON, with what must stand beside them."""

from dataclasses import asdict, dataclass
from typing import Any

from .learning_curve import Curve, Ingredient, Measured, Ratio, Time, ratio, waterfall
from .report import machine_words, markdown_table
from .training_arms import OURS, PLAIN, SAME_SETTINGS

SHARES = (0.5, 0.7, 0.9)
"""Of our own gain: the levels that are reported."""
WATERFALL_SHARE = 0.7
GOAL_RATIO = 0.5
"""Our time as a share of the plain loop's, to every level."""

_WORDS = {
    PLAIN: "stock's example as it is",
    SAME_SETTINGS: "the same loop with our rank, rate and layers",
    OURS: "`sealsmith train`",
}


@dataclass(frozen=True)
class TrainingReport:
    """Everything that one run of the suite found."""

    ingredients: tuple[Measured, ...]
    """From the plain loop to ours."""
    variants: tuple[Measured, ...]
    """Ours with one thing changed each."""
    emblems: tuple[str, ...]
    likeness: dict[str, dict[str, Curve]]
    """Emblem -> arm -> likeness by steps, as the judge gave it."""
    steps_s: dict[str, dict[str, float]]
    """Emblem -> arm -> seconds that the steps of the training itself took, unlike `pace` not in turns."""
    num_pictures: int
    """Of a look at the likeness."""
    draw_steps: int
    machine: dict[str, str | int]
    commit: str | None
    command: str

    def arm(self, name: str) -> Measured:
        return next(arm for arm in (*self.ingredients, *self.variants) if arm.name == name)

    @property
    def is_told(self) -> bool:
        """Whether ours learned anything that times could be measured to."""
        return bool(self.arm(OURS).gains)

    @property
    def num_steps(self) -> int:
        return next(iter(self.likeness.values()))[OURS].steps[-1]

    def ours_of(self, name: str, share: float) -> Ratio | None:
        """Our time to a level as a share of another arm's."""
        return ratio(self.arm(OURS).time_to(share), self.arm(name).time_to(share))

    @property
    def has_ingredients(self) -> bool:
        """Whether there are more arms than the three that are compared, and levels to compare them at."""
        return self.is_told and len(self.ingredients) > len(_WORDS)

    @property
    def waterfall(self) -> list[Ingredient]:
        """What each ingredient gives, by the time to WATERFALL_SHARE; none where ingredients were left out."""
        return waterfall(self.ingredients, WATERFALL_SHARE) if self.has_ingredients else []

    @property
    def is_within_goal(self) -> bool | None:
        """Whether ours needs at most half of the plain loop's time to every level; None where nobody can say."""
        found = [self.ours_of(PLAIN, share) for share in SHARES] if self.is_told else [None]
        answers = [None if each is None else each.is_at_most(GOAL_RATIO) for each in found]
        return False if False in answers else None if None in answers else True

    def to_dict(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "commit": self.commit,
            "machine": self.machine,
            "steps": self.num_steps,
            "emblems": list(self.emblems),
            "pictures_a_look": self.num_pictures,
            "draw_steps": self.draw_steps,
            "arms": {arm.name: _arm_facts(arm) for arm in (*self.ingredients, *self.variants)},
            "likeness": {
                emblem: {name: asdict(curve) for name, curve in found.items()}
                for emblem, found in self.likeness.items()
            },
            "training_steps_s": self.steps_s,
            "ours_of": {
                name: {f"{share:g}": _ratio_facts(self.ours_of(name, share)) for share in SHARES}
                for name in (PLAIN, SAME_SETTINGS)
                if self.is_told
            },
            "waterfall": [_row_facts(row) for row in self.waterfall],
            "goal_ratio": GOAL_RATIO,
            "within_goal": self.is_within_goal,
        }


def training_tables(report: TrainingReport) -> str:
    """The report as Markdown: who is how fast, which ingredient gave what, and the circumstances."""
    parts = []
    if report.is_told:
        parts += [_times(report), _verdict(report)]
        if report.has_ingredients:
            parts.append(_ingredients(report))
        if report.variants:
            parts.append(_variants(report))
    else:
        parts.append(
            "Our own training gained nothing that could be measured: there is no likeness to race to."
        )
    return "\n\n".join([*parts, _circumstances(report)])


def _times(report: TrainingReport) -> str:
    levels = [f"to {share:.0%}" for share in SHARES]
    head = ["training", "s a step", *levels, "ours of its time: " + ", ".join(f"{s:.0%}" for s in SHARES)]
    rows = []
    for name, words in _WORDS.items():
        arm = report.arm(name)
        found = [report.ours_of(name, share) for share in SHARES]
        rows.append(
            [
                words,
                f"{arm.pace:.3g}",
                *(arm.time_to(share).words for share in SHARES),
                "" if name == OURS else ", ".join(_words(each) for each in found),
            ]
        )
    return markdown_table([head, *rows])


def _ingredients(report: TrainingReport) -> str:
    level = f"{WATERFALL_SHARE:.0%}"
    head = ["each row adds", "s a step", "set-up, s", f"steps to {level}", f"time to {level}", "of the row above",
            "of the first row", "gain at the end"]  # fmt: skip
    rows = []
    for row in report.waterfall:
        steps = row.arm.steps_to(WATERFALL_SHARE)
        rows.append(
            [
                row.arm.adds,
                f"{row.arm.pace:.3g}",
                f"{row.arm.setup_s:.2g}",
                "never" if steps is None else f"{steps:.0f}",
                row.time.words,
                _words(row.of_before),
                _words(row.of_first),
                f"{row.arm.final_gain:.0%}",
            ]
        )
    return "Which ingredient gave how much:\n\n" + markdown_table([head, *rows])


def _variants(report: TrainingReport) -> str:
    share, ours = WATERFALL_SHARE, report.arm(OURS)
    head = ["ours, but", "s a step", f"time to {share:.0%}", "of ours", "gain at the end"]
    rows = [
        [arm.adds, f"{arm.pace:.3g}", arm.time_to(share).words,
         _words(ratio(arm.time_to(share), ours.time_to(share))), f"{arm.final_gain:.0%}"]
        for arm in report.variants
    ]  # fmt: skip
    return "What else a training could be made of:\n\n" + markdown_table([head, *rows])


def _verdict(report: TrainingReport) -> str:
    words = {
        True: "reached",
        False: "missed",
        None: "open, for the plain loop did not arrive in its time, which was not long enough to tell",
    }
    return f"Goal: at most {GOAL_RATIO:g} of the plain loop's time to every level: {words[report.is_within_goal]}."


def _circumstances(report: TrainingReport) -> str:
    return (
        f"Levels are shares of the likeness that ours gains in {report.num_steps} steps over the base alone. "
        f"Likeness is the judge's cosine to the emblem, over {report.num_pictures} pictures of {report.draw_steps} "
        f"steps in unseen contexts. Emblems: {', '.join(report.emblems)}, one training of each arm on each. Times "
        "are setting up plus steps, at the median pace of turns taken by all arms; drawing and judging are not in "
        f"them.\n\n{machine_words(report.machine, report.commit)}; `{report.command}`"
    )


def _row_facts(row: Ingredient) -> dict[str, Any]:
    return {
        "arm": row.arm.name,
        "adds": row.arm.adds,
        "share": WATERFALL_SHARE,
        "time": _time_facts(row.time),
        "of_before": _ratio_facts(row.of_before),
        "of_plain": _ratio_facts(row.of_first),
    }


def _arm_facts(arm: Measured) -> dict[str, Any]:
    return {
        "adds": arm.adds,
        "setup_s": arm.setup_s,
        "seconds_a_step": {"median": arm.pace, "turns": list(arm.paces)},
        "gain_at_the_end": arm.final_gain if arm.gains else None,
        "time_to": {f"{share:g}": _time_facts(arm.time_to(share)) for share in SHARES} if arm.gains else None,
    }


def _time_facts(time: Time) -> dict[str, Any]:
    return {"seconds": time.seconds, "reached": time.is_reached}


def _ratio_facts(found: Ratio | None) -> dict[str, Any] | None:
    return None if found is None else {"value": found.value, "bound": found.bound or None}


def _words(found: Ratio | None) -> str:
    return "" if found is None else found.words
