"""The suite runs whole on a tiny base, and measures what its plan says."""

import pytest

from sealsmith.bases import Base
from sealsmith.bench import SpeedPlan, measure_speed
from sealsmith.bench.speed import GOAL_TRAINING_STEPS
from sealsmith.bench.taking_turns import alternate
from sealsmith.errors import ConfigError


def test_runs_take_turns_after_one_unmeasured_each() -> None:
    called: list[str] = []
    seconds = alternate({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, repeats=3)
    assert "".join(called) == "abababab"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3}


def test_every_part_of_the_plan_gives_its_figures(tiny_base: Base) -> None:
    heard: list[str] = []
    plan = SpeedPlan(picture_repeats=1, picture_steps=2, training_steps=2, load_repeats=0, help_repeats=0)
    made = measure_speed(tiny_base, plan, "sealsmith bench speed", heard.append)
    figures = {figure.name: figure for figure in made.figures}
    assert set(figures) == {"picture", "training, plain objective", "training, default"}
    assert len(heard) == 2
    assert (figures["picture"].ratio or 0) > 0
    assert (figures["training, plain objective"].ratio or 0) > 0
    assert figures["training, default"].scale == GOAL_TRAINING_STEPS / 2
    assert made.machine["threads"]


def test_a_part_with_zero_runs_is_left_out(tiny_base: Base) -> None:
    plan = SpeedPlan(picture_repeats=0, training_steps=0, load_repeats=0, help_repeats=0)
    assert measure_speed(tiny_base, plan, "bench", lambda _: None).figures == ()


def test_a_base_the_stock_side_cannot_open_is_refused(tiny_flux: Base) -> None:
    with pytest.raises(ConfigError, match="tiny-flux is a FluxPipeline"):
        measure_speed(tiny_flux, SpeedPlan(), "bench", lambda _: None)
