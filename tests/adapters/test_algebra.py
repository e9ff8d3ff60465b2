"""delta is the weight change that the low-rank path computes: merged = bypassed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from sealsmith.adapters import delta
from sealsmith.errors import SealShapeError

SIZES = st.integers(1, 7)


@given(SIZES, SIZES, SIZES, st.floats(-4, 4), st.integers(0, 2**31))
def test_merged_equals_bypassed_for_linear_layers(
    rank: int, inputs: int, outputs: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, inputs, generator=generator)
    up = torch.randn(outputs, rank, generator=generator)
    x = torch.randn(3, inputs, generator=generator)
    merged = functional.linear(x, delta(down, up, scale))
    bypassed = scale * functional.linear(functional.linear(x, down), up)
    torch.testing.assert_close(merged, bypassed, rtol=1e-4, atol=1e-4)


@given(SIZES, SIZES, SIZES, st.sampled_from([1, 3]), st.floats(-4, 4), st.integers(0, 2**31))
def test_merged_equals_bypassed_for_convolutions(
    rank: int, inputs: int, outputs: int, kernel: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, inputs, kernel, kernel, generator=generator)
    up = torch.randn(outputs, rank, 1, 1, generator=generator)
    x = torch.randn(2, inputs, 5, 5, generator=generator)
    merged = functional.conv2d(x, delta(down, up, scale), padding=kernel // 2)
    bypassed = scale * functional.conv2d(functional.conv2d(x, down, padding=kernel // 2), up)
    torch.testing.assert_close(merged, bypassed, rtol=1e-4, atol=1e-4)


def test_ranks_must_agree() -> None:
    with pytest.raises(SealShapeError, match=r"down \(2, 5\) and up \(4, 3\)"):
        delta(torch.zeros(2, 5), torch.zeros(4, 3), 1.0)
