"""What a sweep's axes mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.errors import ConfigError
from sealsmith.score.axes import AXES, Axis, parse_axis


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(0, 40))
def test_a_range_has_both_its_ends_and_even_steps(low: int, step: int, count: int) -> None:
    values = parse_axis(f"strength={low / 10}:{(low + step * count) / 10}:{step / 10}").values
    assert len(values) == count + 1
    assert values == pytest.approx([(low + step * i) / 10 for i in range(count + 1)], abs=1e-9)


def test_a_range_stops_before_an_end_it_does_not_meet() -> None:
    assert parse_axis("strength=0:1:0.4").values == (0.0, 0.4, 0.8)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20, unique=True))
def test_a_list_is_taken_as_it_is_written(values: list[float]) -> None:
    assert parse_axis(f"guidance={','.join(map(repr, values))}") == Axis("guidance", tuple(values))


def test_whole_numbers_are_whole() -> None:
    assert parse_axis("steps=5:15:5").values == (5, 10, 15)
    assert all(isinstance(value, int) for value in parse_axis("seed=0,1,2").values)


def test_prompts_are_parted_by_bars_and_may_hold_commas() -> None:
    axis = parse_axis("prompt=a coin, gold | a stamp")
    assert axis.values == ("a coin, gold", "a stamp")
    assert axis.label("a stamp") == "a stamp"


def test_all_checkpoints_are_those_there_are() -> None:
    assert parse_axis("checkpoint=all", (100, 200)).values == (100, 200)
    with pytest.raises(ConfigError, match="no values"):
        parse_axis("checkpoint=all")


@pytest.mark.parametrize("name", AXES)
def test_every_axis_can_be_written(name: str) -> None:
    assert parse_axis(f"{name}=1,2" if name != "prompt" else "prompt=1|2").name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strenght=1", "no axis"),
        ("strength", "no axis"),
        ("strength=", "no values"),
        ("strength=0:1", "no range"),
        ("strength=1:0:0.1", "no range"),
        ("strength=0:1:0", "no range"),
        ("strength=0:1:0.001", "no range"),
        ("strength=1,1", "2 values, 1 of them"),
        ("strength=nan", "no finite number"),
        ("steps=1.5", "no whole number"),
        ("guidance=x", "no finite number"),
    ],
)
def test_what_is_no_axis_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_axis(text)


def test_a_misspelt_axis_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no axis") as error:
        parse_axis("strenght=1")
    assert "strength=" in error.value.remedy
