"""Pairs of trainings: what is common to both cancels, what is missing on one side is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.score.cells import Cell, TrainingFacts
from sealsmith.score.paired import paired_difference, paired_pace, paired_ratio

shares = st.floats(0, 1)


def cell(method: str, subject: str, seed: int, fidelity: float | None = None, **facts: float) -> Cell:
    seen = {} if fidelity is None else {"fidelity": [("a", fidelity), ("b", fidelity)]}
    known = TrainingFacts(1, 1, 100, facts.get("seconds", 1.0), None, 0.1, 1) if facts else None
    return Cell(method, seed, known, "pass", observations=seen, subject=subject)


@settings(max_examples=25)
@given(st.dictionaries(st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), shares, min_size=1), shares)
def test_what_is_hard_for_both_cancels(hard: dict[tuple[str, int], float], gap: float) -> None:
    cells = [cell("lora", *place, value) for place, value in hard.items()]
    cells += [cell("dora", *place, value + gap) for place, value in hard.items()]
    found = paired_difference(cells, "fidelity", "dora", "lora")
    assert found is not None
    assert found.num_pairs == len(hard)
    assert (found.value, *found.ci) == pytest.approx((gap,) * 3, abs=1e-9)


def test_a_training_without_its_pair_is_left_out() -> None:
    cells = [
        cell("lora", "x", 0, 0.5),
        cell("dora", "x", 0, 0.75),
        cell("dora", "x", 1, 0.0),
        cell("dora", "y", 0, 0.0),
    ]
    found = paired_difference(cells, "fidelity", "dora", "lora")
    assert found is not None
    assert (found.value, found.num_pairs) == (0.25, 1)
    assert paired_difference(cells, "fidelity", "loha", "lora") is None
    assert paired_difference(cells, "leak", "dora", "lora") is None


def test_prompts_are_what_one_pair_knows_of_chance() -> None:
    own = Cell("dora", 0, observations={"fidelity": [("a", 1.0), ("b", 1.0), ("c", 0.0)]})
    other = Cell("lora", 0, observations={"fidelity": [("a", 0.0), ("b", 1.0), ("c", 0.0)]})
    found = paired_difference([own, other], "fidelity", "dora", "lora")
    assert found is not None
    assert found.value == pytest.approx(1 / 3)
    assert found.ci == (0, 1)


def test_a_ratio_is_turned_over_by_turning_the_pair_over() -> None:
    cells = [cell("lora", "x", seed, seconds=each) for seed, each in enumerate((1.0, 2.0, 5.0))]
    cells += [cell("dora", "x", seed, seconds=each) for seed, each in enumerate((3.0, 2.0, 20.0))]
    one, other = (paired_ratio(cells, "seconds", *pair) for pair in (("dora", "lora"), ("lora", "dora")))
    assert one is not None
    assert other is not None
    assert one.value == pytest.approx((3 * 1 * 4) ** (1 / 3))
    assert one.value * other.value == pytest.approx(1)
    assert one.ci[0] < one.value < one.ci[1]


def test_pace_to_another_s_level_counts_those_that_never_come_there() -> None:
    lora = [Cell("lora", seed, curve=[(0, 0.0), (100, 0.5), (200, 1.0)]) for seed in (0, 1)]
    fast = Cell("pissa", 0, curve=[(0, 0.0), (100, 1.0), (200, 1.0)])
    weak = Cell("pissa", 1, curve=[(0, 0.0), (100, 0.4), (200, 0.4)])
    found = paired_pace([*lora, fast, weak], "pissa", "lora")
    assert found is not None
    pace, num_never = found
    assert num_never == 1
    assert pace.value == pytest.approx((90 / 180 * 200 / 180) ** 0.5)
    assert paired_pace([*lora, Cell("pissa", 0)], "pissa", "lora") is None
