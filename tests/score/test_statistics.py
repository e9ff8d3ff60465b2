import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.score.statistics import bootstrap_interval, mean, rate_interval, wilson_interval

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=20)


@given(VALUES)
def test_the_bootstrap_holds_the_mean_and_stays_among_the_values(values):
    low, high = bootstrap_interval(values, range(len(values)), 400, seed=1)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    if len(values) > 8:
        assert low - 1e-9 <= mean(values) <= high + 1e-9


@given(VALUES, st.integers(0, 5))
def test_the_same_seed_gives_the_same_interval(values, seed):
    groups = [i // 2 for i in range(len(values))]
    assert bootstrap_interval(values, groups, 50, seed) == bootstrap_interval(values, groups, 50, seed)


def test_pictures_that_agree_within_their_prompts_are_worth_no_more_than_one():
    values = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    low, high = bootstrap_interval(values, [i // 2 for i in range(8)], 2000, seed=0)
    alone = bootstrap_interval(values[::2], range(4), 2000, seed=0)
    assert (low, high) == alone
    narrow = bootstrap_interval(values, range(8), 2000, seed=0)
    assert narrow[1] - narrow[0] < high - low


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_never_closes(case):
    hits, tries = case
    low, high = wilson_interval(hits, tries)
    assert 0 <= low <= hits / tries <= high <= 1
    assert high > low


def test_wilson_of_the_literature():
    assert wilson_interval(16, 16) == pytest.approx((0.8064, 1.0), abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


@given(st.lists(st.booleans(), min_size=1, max_size=16))
def test_a_rates_interval_holds_both_of_its_parts(hits):
    low, high = rate_interval(hits, range(len(hits)), 100, seed=3)
    wilson = wilson_interval(sum(hits), len(hits))
    assert low <= wilson[0]
    assert high >= wilson[1]


def test_nothing_has_no_interval():
    with pytest.raises(ValueError, match="0 values"):
        bootstrap_interval([], [], 10, 0)
