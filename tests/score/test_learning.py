"""How fast likeness comes: where a curve crosses, and that few pictures of a card are its end."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.bases import Base
from sealsmith.score import ScoreSettings, record_reference, score_seal
from sealsmith.score.learning import (
    LEAST_RISE,
    NUM_CALLS,
    likeness,
    likeness_of_card,
    likeness_untaught,
    steps_to,
    steps_to_level,
)

values = st.lists(st.floats(-1, 1), min_size=2, max_size=9)


@given(values, st.floats(0.05, 1))
def test_the_steps_lie_where_the_curve_first_has_come_so_far(likenesses: list[float], share: float) -> None:
    curve = [(50 * i, value) for i, value in enumerate(likenesses)]
    found = steps_to(curve, share)
    first, last = likenesses[0], likenesses[-1]
    if last - first < LEAST_RISE:
        assert found is None
        return
    level = first + share * (last - first)
    assert found is not None
    assert 0 < found <= curve[-1][0] + 1e-6
    assert all(value < level + 1e-9 for step, value in curve if step < found - 1e-6)


def test_between_two_points_the_curve_is_a_line() -> None:
    assert steps_to([(0, 0.2), (100, 0.2), (200, 1.2)]) == pytest.approx(190)
    assert steps_to([]) is None
    assert steps_to_level([(0, 0.1), (10, 0.3)], 0.4) is None
    assert steps_to_level([(0, 0.5), (10, 0.3)], 0.4) == 0


def test_a_curve_s_ends_are_the_base_and_the_scorecard(tiny_base: Base) -> None:
    judge, seal = random_judge(), random_seal(tiny_base, ("to_q",))
    reference = torch.nn.functional.normalize(torch.ones(16), dim=0)
    settings = ScoreSettings(num_prompts=5, num_without=0, num_others=0, num_steps=1)
    settings = settings.for_family(tiny_base.family)

    seal = record_reference(seal, reference)
    card = score_seal(tiny_base, seal, (), settings, judge)
    end = likeness_of_card(card.shots, seal, settings)
    told: list[tuple[int, int]] = []
    again = likeness(tiny_base, seal, settings, judge, reference, lambda *done: told.append(done))
    assert end == pytest.approx(again, abs=1e-5)
    assert told[-1] == (NUM_CALLS, NUM_CALLS)
    kept: dict = {}
    start = likeness_untaught(tiny_base, seal, settings, judge, reference, kept)
    assert len(kept) == NUM_CALLS
    assert start != pytest.approx(end, abs=1e-6)
    assert start == likeness_untaught(tiny_base, seal, settings, judge, reference, kept)
