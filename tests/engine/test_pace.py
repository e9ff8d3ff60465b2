"""How fast the machine draws, as it was measured lately."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.engine.pace import HALF_LIFE_S, Pace

TURNS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(1e-3, 100)), min_size=1, max_size=30)


@given(TURNS)
def test_it_lies_between_the_slowest_and_the_fastest_turn(turns: list[tuple[float, float]]) -> None:
    pace = Pace()
    for work, seconds in turns:
        pace = pace.after(work, seconds)
    rates = [work / seconds for work, seconds in turns]
    assert pace.cost_per_s is not None
    assert min(rates) * (1 - 1e-9) <= pace.cost_per_s <= max(rates) * (1 + 1e-9)


def test_what_is_long_ago_is_forgotten() -> None:
    pace = Pace().after(1000, 1)
    for _ in range(20):
        pace = pace.after(10 * HALF_LIFE_S, HALF_LIFE_S)
    assert pace.cost_per_s == pytest.approx(10, rel=1e-3)


def test_nothing_drawn_is_no_pace() -> None:
    assert Pace().cost_per_s is None
    assert Pace().after(0, 0).cost_per_s is None
