"""A convolution's change that its file keeps flat is the same change in the weight's own shape, and no larger."""

import math

import pytest
import torch
from change_examples import flat_change
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.adapters.changes import Decomposed, Full, Hadamard, Kronecker, LowRank, reshaped, tensors

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 6), st.sampled_from([1, 3])).map(
    lambda sizes: (2 * sizes[0], 2 * sizes[1], sizes[2], sizes[2])
)


@given(st.sampled_from(["loha", "lokr", "lokr-whole"]), SHAPES, st.integers(1, 4), st.integers(0, 99))
def test_it_is_the_same_change_and_no_more_numbers_than_the_weight(
    kind: str, shape: tuple[int, ...], rank: int, seed: int
) -> None:
    change = flat_change(kind, shape, rank, seed)
    fitting = reshaped(change, shape)
    assert fitting is not None
    assert fitting.shape == shape
    torch.testing.assert_close(fitting.delta(), change.delta().reshape(shape), rtol=1e-5, atol=1e-5)
    assert sum(tensor.numel() for tensor in tensors(fitting).values()) <= math.prod(shape)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_what_is_of_low_rank_stays_so(kind: str, kernel: int) -> None:
    shape = (48, 32, kernel, kernel)
    change = flat_change(kind, shape, rank=2)
    fitting = reshaped(change, shape)
    assert isinstance(fitting, LowRank)
    assert fitting.rank == 4
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    dora = reshaped(Decomposed(change, torch.ones(48)), shape)
    assert isinstance(dora, Decomposed)
    assert isinstance(dora.change, LowRank)
    flat = Decomposed(change, torch.ones(48)).delta(weight.flatten(1))
    torch.testing.assert_close(dora.delta(weight), flat.reshape(shape), rtol=1e-5, atol=1e-5)


def test_what_is_of_full_rank_is_the_change_itself_to_the_last_bit() -> None:
    shape = (8, 6, 3, 3)
    for change in (flat_change("loha", shape, rank=4), flat_change("lokr", shape, rank=4)):
        assert isinstance(change, Hadamard | Kronecker)
        fitting = reshaped(change, shape)
        assert isinstance(fitting, Full)
        assert torch.equal(fitting.diff, change.delta().reshape(shape))
