"""Spectra read from the factors are those of the change multiplied out."""

import math

import pytest
import torch
from change_examples import KINDS, SHAPES, changes, random_change
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.adapters.changes import Change, LowRank
from sealsmith.adapters.spectrum import (
    effective_rank,
    rank_for_energy,
    singular_values,
    spectra,
    stable_rank,
)
from sealsmith.errors import SealShapeError

ANY_CHANGE = st.sampled_from(SHAPES).flatmap(lambda shape: changes(shape))


@settings(max_examples=40, deadline=None)
@given(ANY_CHANGE)
def test_singular_values_are_those_of_the_whole_change(change: Change) -> None:
    wanted = torch.linalg.svdvals(change.delta().double().flatten(1))
    found = singular_values(change)
    assert len(found) <= len(wanted)
    torch.testing.assert_close(found, wanted[: len(found)], rtol=1e-5, atol=1e-6)
    assert wanted[len(found) :].norm() < 1e-5 * wanted[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY_CHANGE, min_size=1, max_size=6))
def test_norms_are_the_layers_own_and_shares_make_a_whole(several: list[Change]) -> None:
    layers = {f"unet.{i}": change for i, change in enumerate(several)}
    found = spectra(layers)
    assert list(found) == list(layers)
    for path, change in layers.items():
        assert found[path].norm == pytest.approx(float(change.delta().double().norm()), rel=1e-5)
    assert sum(spectrum.share for spectrum in found.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_spectrum_once_its_weight_is_known(kind: str) -> None:
    change, weight = random_change(kind, (8, 8)), torch.randn(8, 8)
    found = spectra({"unet.a": change}, {"unet.a": weight})["unet.a"]
    assert found.norm == pytest.approx(float(change.delta(weight).norm()), rel=1e-5)
    assert 1 <= found.stable_rank <= found.effective_rank <= 8


def test_dora_without_its_weight_is_refused() -> None:
    with pytest.raises(SealShapeError, match="without the base's weight"):
        spectra({"unet.a": random_change("dora", (8, 8))})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=8))
def test_ranks_lie_between_one_direction_and_all_and_ignore_the_scale(values: list[float]) -> None:
    sigma = torch.tensor(sorted(values, reverse=True), dtype=torch.float64)
    for rank in (effective_rank, stable_rank):
        assert 1 - 1e-9 <= rank(sigma) <= len(values) + 1e-9
        assert rank(7 * sigma) == pytest.approx(rank(sigma))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9))
def test_equal_directions_are_counted_and_noughts_are_not(num: int) -> None:
    sigma = torch.cat([torch.full((num,), 0.3), torch.zeros(3)])
    assert effective_rank(sigma) == pytest.approx(num, rel=1e-5)
    assert stable_rank(sigma) == pytest.approx(num, rel=1e-5)


def test_a_change_of_nothing_has_no_rank_and_no_share() -> None:
    nothing = spectra({"unet.a": LowRank(torch.randn(2, 8), torch.zeros(8, 2), 1.0)})["unet.a"]
    assert (nothing.norm, nothing.share, nothing.effective_rank, nothing.stable_rank) == (0, 0, 0, 0)
    assert rank_for_energy(nothing.singular_values, 0.9) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=8), st.floats(0.01, 1))
def test_the_rank_for_an_energy_holds_it_and_one_less_does_not(values: list[float], energy: float) -> None:
    squares = [value**2 for value in sorted(values, reverse=True)]
    rank = rank_for_energy(torch.tensor(squares, dtype=torch.float64).sqrt(), energy)
    whole = math.fsum(squares)
    assert sum(squares[:rank]) >= energy * whole * (1 - 1e-9)
    assert rank == 1 or sum(squares[: rank - 1]) < energy * whole * (1 + 1e-9)
