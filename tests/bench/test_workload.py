"""Requests are drawn from fixed seeds, by the popularity and at the times that they are said to be."""

import numpy as np
import pytest

from sealsmith.bench.workload import (
    DISTINCT,
    IDENTICAL,
    POPULARITIES,
    TRIGGER,
    UNIFORM,
    ZIPF,
    ZIPF_EXPONENT,
    Workload,
    gamma_arrivals,
    wishes,
)
from sealsmith.errors import ConfigError

MANY = 20_000


@pytest.mark.parametrize("popularity", POPULARITIES)
def test_the_same_seed_gives_the_same_requests(popularity: str) -> None:
    workload = Workload(popularity, 20, 20)
    assert wishes(workload, 3) == wishes(workload, 3)
    assert len({wish.id for wish in wishes(workload)}) == 20
    assert all(TRIGGER in wish.prompt.split() for wish in wishes(workload))


def test_another_seed_draws_other_seals() -> None:
    for popularity in (UNIFORM, ZIPF):
        workload = Workload(popularity, 20, 20)
        assert [wish.seal for wish in wishes(workload, 0)] != [wish.seal for wish in wishes(workload, 1)]


def test_identical_wants_one_seal_and_distinct_each_another() -> None:
    assert {wish.seal for wish in wishes(Workload(IDENTICAL, 5, 7))} == {0}
    assert sorted(wish.seal for wish in wishes(Workload(DISTINCT, 9, 7))) == list(range(7))
    with pytest.raises(ConfigError, match="7 requests want a seal each, and 6 are registered"):
        Workload(DISTINCT, 6, 7)
    with pytest.raises(ConfigError, match="no workload 'popular'"):
        Workload("popular", 1, 1)


def test_zipf_s_seals_are_as_popular_as_their_place_says() -> None:
    counts = np.bincount([wish.seal for wish in wishes(Workload(ZIPF, 20, MANY))], minlength=20)
    shares = np.arange(1, 21) ** -ZIPF_EXPONENT
    assert counts / MANY == pytest.approx(shares / shares.sum(), abs=0.01)
    even = np.bincount([wish.seal for wish in wishes(Workload(UNIFORM, 20, MANY))], minlength=20)
    assert even / MANY == pytest.approx(np.full(20, 0.05), abs=0.01)


@pytest.mark.parametrize("variation", [1.0, 8.0])
@pytest.mark.parametrize("rate", [0.1, 3.0])
def test_arrivals_have_the_rate_and_the_variation_asked_for(variation: float, rate: float) -> None:
    times = np.array(gamma_arrivals(200_000, rate, variation))
    gaps = np.diff(times)
    assert times[0] == 0
    assert gaps.min() >= 0
    assert gaps.mean() * rate == pytest.approx(1, rel=0.1)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.1)


def test_a_workload_s_name_says_what_is_drawn() -> None:
    assert Workload(ZIPF, 20, 8).name == "zipf 0.8 over 20, rank 8"
    assert Workload(DISTINCT, 8, 8, (4, 64)).name == "distinct, ranks 4 to 64"
