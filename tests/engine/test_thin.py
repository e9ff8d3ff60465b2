"""Thin products of linear layers: what is put into them, in whatever order, is what they add."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sealsmith.engine.kernels.thin import DEPTH_STEP, LinearThin, Scaled, linear_thin

INPUTS, OUTPUTS, PIXELS, WIDTH = 5, 7, 3, 16
Ranks = list[list[int]]
"""Of each segment's parts."""

ranks = st.lists(st.integers(1, 8), min_size=1, max_size=2)
changes = st.lists(st.tuples(st.integers(0, 2), ranks), max_size=4)


def parts_of(ranks: list[int], seed: int) -> list[Scaled]:
    draws = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(rank, INPUTS, generator=draws),
            torch.randn(rank, OUTPUTS, generator=draws),
            (1.0, 0.5, -2.0)[(seed + number) % 3],
        )
        for number, rank in enumerate(ranks)
    ]


def assert_adds(thin: LinearThin, members: list[list[Scaled]]) -> None:
    x = torch.randn(len(members), PIXELS, INPUTS, generator=torch.Generator().manual_seed(1))
    y = torch.ones(len(members), PIXELS, OUTPUTS)
    expected: list[Tensor] = [
        each + sum((factor * row @ down.T @ up for down, up, factor in parts), torch.zeros(()))
        for row, each, parts in zip(x, y, members, strict=True)
    ]
    thin.add(x, y)
    torch.testing.assert_close(y, torch.stack(expected), rtol=1e-5, atol=1e-5)


@given(st.lists(ranks, min_size=3, max_size=3), changes)
def test_it_adds_what_was_put_into_it_last(first: Ranks, then: list[tuple[int, list[int]]]) -> None:
    members = [parts_of(each, seed) for seed, each in enumerate(first)]
    thin = linear_thin(0, 3, WIDTH, members, torch.zeros(1))
    assert_adds(thin, members)
    for seed, (index, each) in enumerate(then, len(first)):
        members[index] = parts_of(each, seed)
        thin.put(index, members[index])
        assert_adds(thin, members)
        largest = max(sum(len(up) for _, up, _ in parts) for parts in members)
        assert thin.depth - DEPTH_STEP < largest <= thin.depth <= WIDTH


@given(st.integers(1, WIDTH), st.integers(1, 4))
def test_many_of_one_rank_are_put_in_at_once(rank: int, number: int) -> None:
    members = [parts_of([rank], seed) for seed in range(number)]
    assert_adds(linear_thin(0, number, WIDTH, members, torch.zeros(1)), members)
