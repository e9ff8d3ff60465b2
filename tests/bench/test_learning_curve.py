"""The laws of time to a given likeness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bench.learning_curve import Curve, Measured, Ratio, Time, ratio, waterfall

LIKENESSES = st.lists(st.floats(-1, 1), min_size=2, max_size=9)


def curve(*likeness: float) -> Curve:
    return Curve(tuple(range(0, 10 * len(likeness), 10)), likeness)


def measured(*gains: Curve, pace: float = 1.0, setup_s: float = 0.0, name: str = "") -> Measured:
    return Measured(name, name, setup_s, (pace,), gains)


def test_a_level_between_two_checkpoints_is_reached_between_them() -> None:
    assert curve(0.0, 0.2, 0.6).steps_to(0.3) == pytest.approx(12.5)


def test_a_level_counts_when_it_is_first_reached() -> None:
    assert curve(0.0, 0.8, 0.1, 0.9).steps_to(0.8) == 10


def test_a_level_above_all_points_is_never_reached() -> None:
    assert curve(0.0, 0.5, 0.4).steps_to(0.51) is None


def test_what_the_base_draws_already_needs_no_step() -> None:
    assert curve(0.4, 0.5).steps_to(0.4) == 0


@given(LIKENESSES, st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_level_is_reached_no_earlier(likenesses: list[float], one: float, other: float) -> None:
    steps = [curve(*likenesses).steps_to(level) for level in sorted((one, other))]
    low, high = (float("inf") if each is None else each for each in steps)
    assert low <= high


@given(LIKENESSES, st.floats(-1, 1))
def test_at_the_step_that_is_named_the_curve_stands_at_the_level(
    likenesses: list[float], level: float
) -> None:
    found = curve(*likenesses)
    steps = found.steps_to(level)
    if steps is None:
        assert max(likenesses) < level
        return
    left = min(int(steps // 10), len(likenesses) - 2)
    share = (steps - 10 * left) / 10
    height = likenesses[left] + share * (likenesses[left + 1] - likenesses[left])
    assert height == pytest.approx(level, abs=1e-6) or (steps == 0 and likenesses[0] >= level)


def test_a_gain_is_nothing_at_the_base_and_one_at_the_end() -> None:
    assert curve(0.2, 0.5, 0.8).as_gain(0.2, 0.8).likeness == pytest.approx((0, 0.5, 1))


def test_time_is_setting_up_and_the_steps() -> None:
    arm = measured(curve(0.0, 1.0), pace=0.5, setup_s=3)
    assert arm.time_to(0.7) == Time(pytest.approx(3 + 7 * 0.5))


def test_the_pace_is_the_middle_turn_s() -> None:
    assert Measured("", "", 0, (9.0, 1.0, 2.0), (curve(0, 1),)).pace == 2.0


def test_a_training_that_never_arrives_counts_as_the_longest() -> None:
    fast, slow, never = curve(0, 1, 1), curve(0, 0, 1), curve(0, 0, 0)
    assert measured(fast, slow, never).steps_to(1) == 20
    assert measured(fast, never).steps_to(1) is None
    assert measured(fast, never).time_to(1) == Time(20, is_reached=False)


def test_who_never_arrives_bounds_the_ratio() -> None:
    assert ratio(Time(10), Time(40)).words == "0.25"
    assert ratio(Time(10), Time(40, False)).words == "< 0.25"
    assert ratio(Time(10, False), Time(40)).words == "> 0.25"
    assert ratio(Time(10, False), Time(40, False)) is None


def test_a_bound_answers_only_what_it_settles() -> None:
    assert [Ratio(0.4, bound).is_at_most(0.5) for bound in ("", "<", ">")] == [True, True, None]
    assert [Ratio(0.6, bound).is_at_most(0.5) for bound in ("", "<", ">")] == [False, None, False]


def test_the_ratios_of_a_waterfall_multiply_to_the_whole() -> None:
    arms = [measured(curve(0, 0.5, 1), pace=pace) for pace in (4.0, 2.0, 3.0)]
    rows = waterfall(arms, 0.9)
    assert [row.of_before and row.of_before.value for row in rows] == [None, 0.5, 1.5]
    assert rows[-1].of_first is not None
    assert rows[-1].of_first.value == pytest.approx(0.75)


def test_the_mean_of_trainings_is_taken_step_by_step() -> None:
    arm = measured(curve(0, 0.2), curve(0, 0.6))
    assert arm.mean_gain.likeness == pytest.approx((0, 0.4))
    assert arm.final_gain == pytest.approx(0.4)
