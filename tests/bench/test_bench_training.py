"""The training suite runs every arm for real on a tiny base; its tables say what was measured."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sealsmith.adapters import read_seal
from sealsmith.bases import Base
from sealsmith.bench.emblems import EMBLEMS, emblem_pictures
from sealsmith.bench.learning_curve import Curve, Measured
from sealsmith.bench.likeness import likeness_test
from sealsmith.bench.plain_training import PlainRecipe
from sealsmith.bench.trainees import OurTrainee, PlainTrainee
from sealsmith.bench.training import Race, TrainingPlan, figures, measure_training
from sealsmith.bench.training_arms import OURS, PLAIN, SAME_SETTINGS, Arm, arms, variants
from sealsmith.bench.training_plot import HEIGHT_PX, PAPER, WIDTH_PX, training_plot
from sealsmith.bench.training_report import TrainingReport, training_tables
from sealsmith.errors import ConfigError
from sealsmith.train import TrainConfig

MACHINE: Mapping[str, str | int] = dict.fromkeys(
    ("processor", "cores", "threads", "python", "torch", "diffusers", "sealsmith"), "x"
)


def test_the_way_from_the_plain_loop_to_ours_adds_one_thing_at_a_time(tiny_base: Base) -> None:
    ours = TrainConfig()
    found = arms(tiny_base, ours)
    assert [arm.name for arm in found][:: len(found) - 1] == [PLAIN, OURS]
    assert found[-1].how == ours
    for before, after in pairwise(found):
        if type(before.how) is type(after.how):
            old, new = vars(before.how), vars(after.how)
            changed = {name for name in new if old[name] != new[name]}
            assert len(changed) == 1 or after.name == "schedule", changed
    plain = found[0].how
    assert isinstance(plain, PlainRecipe)
    assert (plain.rank, plain.learning_rate, plain.targets) == (4, 1e-4, tiny_base.family.attention_targets)
    same = next(arm.how for arm in found if arm.name == SAME_SETTINGS)
    assert isinstance(same, PlainRecipe)
    assert (same.rank, same.learning_rate) == (ours.rank, tiny_base.family.learning_rate)


def test_each_variant_changes_one_thing_of_ours() -> None:
    ours = vars(TrainConfig())
    for arm in variants(TrainConfig()):
        assert sum(ours[name] != value for name, value in vars(arm.how).items()) == 1


@pytest.mark.parametrize("name", EMBLEMS)
def test_every_emblem_becomes_pictures_that_differ(name: str, tiny_base: Base, tmp_path: object) -> None:
    pictures = emblem_pictures(name, tiny_base, tmp_path).pictures
    assert len({picture.image.tobytes() for picture in pictures}) == len(pictures) == 24


def test_both_sides_leave_a_seal_at_every_checkpoint(tiny_base: Base, tmp_path: Path) -> None:
    pictures = emblem_pictures("peak", tiny_base, tmp_path)
    recipe = PlainRecipe(tiny_base.family.attention_targets, rank=2, learning_rate=1e-2)
    config = TrainConfig(rank=2, prior="none")
    test = likeness_test(tiny_base, pictures, num_prompts=2, num_seeds=1, num_steps=2)
    alone = test.of(tiny_base, None)
    for trainee in (PlainTrainee(tiny_base, pictures, recipe), OurTrainee(tiny_base, pictures, config)):
        folder = tmp_path / type(trainee).__name__
        folder.mkdir()
        trained = trainee.train(num_steps=5, every=2, seed=0, folder=folder)
        assert list(trained.checkpoints) == [2, 4, 5]
        assert trained.setup_s > 0
        assert trained.steps_s > 0
        seals = [read_seal(path) for path in trained.checkpoints.values()]
        norms = [sum(float(c.delta().norm()) for c in seal.layers.values()) for seal in seals]
        assert 0 < norms[0] < norms[-1]
        assert test.of(tiny_base, seals[-1]) != alone
        assert trainee.seconds_a_step(1) > 0


def test_the_test_of_likeness_asks_for_contexts_that_were_not_trained_in(
    tiny_base: Base, tmp_path: Path
) -> None:
    pictures = emblem_pictures("peak", tiny_base, tmp_path)
    test = likeness_test(tiny_base, pictures, num_prompts=3, num_seeds=2, num_steps=2)
    assert len(set(test.requests)) == 6
    contexts = {tuple((picture.caption or "").split(" of sks emblem ")) for picture in pictures.pictures}
    for request in test.requests:
        assert tuple(request.prompt.split(" of sks emblem ")) not in contexts


def test_a_race_runs_its_arms_and_no_training_twice(tiny_base: Base) -> None:
    heard: list[str] = []
    plan = TrainingPlan(
        num_steps=2, every=1, patience=2, num_emblems=1, num_prompts=1, num_seeds=1, draw_steps=1, pace_turns=1,
        pace_steps=1, only=(*TrainingPlan.quick().only, "latents"), config=TrainConfig(rank=2),
    )  # fmt: skip
    report = measure_training(tiny_base, plan, "sealsmith bench training", heard.append)
    assert [arm.name for arm in report.ingredients] == [PLAIN, SAME_SETTINGS, "latents", OURS]
    assert len(heard) == 4, "three trainings and the pace"
    assert report.likeness["peak"]["latents"] == report.likeness["peak"][SAME_SETTINGS]
    assert report.likeness["peak"][OURS].steps == (0, 1, 2)
    assert report.likeness["peak"][PLAIN].steps == (0, 2, 4), "the plain loop has more patience"
    assert all(arm.pace > 0 and arm.setup_s > 0 for arm in report.ingredients)
    assert json.loads(json.dumps(report.to_dict()))["machine"]["threads"]
    assert "sealsmith bench training" in training_tables(report)


def test_a_base_without_a_judge_is_refused(tiny_sd1: Base) -> None:
    with pytest.raises(ConfigError, match="whose pictures a judge knows, and tiny-sd1 is of the family sd1"):
        measure_training(tiny_sd1, TrainingPlan(), "bench", lambda _: None)


def test_a_plan_that_looks_later_than_it_ends_is_refused() -> None:
    with pytest.raises(ConfigError, match="every is 40"):
        TrainingPlan(num_steps=30)


def race(**finals: float) -> Race:
    """Likeness from .2 in a straight line to each arm's final one, in 100 steps."""
    names = {name.replace("_", " "): final for name, final in finals.items()}
    curves = {name: Curve((0, 50, 100), (0.2, (0.2 + final) / 2, final)) for name, final in names.items()}
    return Race("peak", curves, dict.fromkeys(names, 1.0), dict.fromkeys(names, 1.0))


def made(race: Race, plain_pace: float = 0.2) -> TrainingReport:
    everyone = [Arm(name, f"{name} added", TrainConfig()) for name in race.curves]
    paces = {name: (plain_pace if name == PLAIN else 0.1,) for name in race.curves}
    measured = tuple(figures(everyone, [race], paces, {}).values())
    return TrainingReport(
        measured,
        (),
        ("peak",),
        {"peak": race.curves},
        {"peak": race.steps_s},
        8,
        10,
        dict(MACHINE),
        "abc",
        "bench",
    )


def test_the_goal_is_half_of_the_plain_loop_s_time_at_every_level() -> None:
    assert made(race(plain=0.4, same_settings=1.0, ours=1.0)).is_within_goal, (
        "it stops at a quarter of the way"
    )
    assert made(race(plain=1.0, same_settings=1.0, ours=1.0), plain_pace=0.4).is_within_goal
    assert made(race(plain=1.0, same_settings=1.0, ours=1.0), plain_pace=0.15).is_within_goal is False
    assert made(race(plain=0.4, same_settings=1.0, ours=1.0), plain_pace=0.1).is_within_goal is None


def test_what_never_arrives_is_said_as_such() -> None:
    report = made(race(plain=0.4, same_settings=1.0, ours=1.0))
    tables = training_tables(report)
    assert "never in 21 s" in tables
    assert "< 0.38" in tables, "1 s and 70 steps of 0.1 s, of 21 s"
    assert report.to_dict()["ours_of"][PLAIN]["0.7"]["bound"] == "<"


def test_the_waterfall_stands_in_the_tables_and_says_what_never_arrived() -> None:
    report = made(race(plain=0.4, rate=0.6, same_settings=1.0, ours=1.0))
    rows = [line.split("|")[1:-1] for line in training_tables(report).splitlines() if " added " in line]
    shown = [[cell.strip() for cell in row] for row in rows]
    assert [row[0] for row in shown] == ["plain added", "rate added", "same settings added", "ours added"]
    assert [row[3] for row in shown] == ["never", "never", "70", "70"]
    assert [row[5] for row in shown] == ["", "", "< 0.73", "1.00"], "8 s of 11 s"
    assert [row[7] for row in shown] == ["25%", "50%", "100%", "100%"]
    assert [row["arm"] for row in report.to_dict()["waterfall"]] == [arm.name for arm in report.ingredients]
    assert made(race(plain=0.4, same_settings=1.0, ours=1.0)).waterfall == [], (
        "three arms are no way of ingredients"
    )


def test_a_training_that_gained_nothing_is_no_level_to_race_to() -> None:
    still = race(plain=0.2, same_settings=0.2, ours=0.21)
    report = made(still)
    assert not report.is_told
    assert report.is_within_goal is None
    assert report.to_dict()["waterfall"] == []
    assert "nothing that could be measured" in training_tables(report)


def test_a_plot_has_a_line_for_each_arm() -> None:
    report = made(race(plain=0.4, same_settings=1.0, ours=1.0))
    picture = training_plot(report.ingredients, "a race")
    assert picture.size == (WIDTH_PX, HEIGHT_PX)
    alone = training_plot(report.ingredients[2:], "a race")
    drawn = [(np.asarray(each) != PAPER).sum() for each in (picture, alone)]
    assert drawn[0] > drawn[1] > 0
    with pytest.raises(ValueError, match="without a curve"):
        training_plot([Measured("a", "a", 0, (1.0,), ())], "nothing")
