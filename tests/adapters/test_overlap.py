"""Laws of how two seals meet in a layer."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import torch
from change_examples import SHAPES, changes, random_change
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.adapters.changes import Change, Decomposed, LowRank
from sealsmith.adapters.overlap import damage, overlap, overlaps, plain, principal_angles
from sealsmith.errors import SealShapeError

ANY_CHANGE = st.sampled_from(SHAPES).flatmap(lambda shape: changes(shape))
ANY_TWO = st.sampled_from(SHAPES).flatmap(lambda shape: st.tuples(changes(shape), changes(shape)))


@settings(max_examples=40)
@given(ANY_CHANGE, st.floats(0.1, 10))
def test_a_change_overlaps_wholly_with_itself_at_any_strength(change: Change, strength: float) -> None:
    low = change.as_low_rank()
    found = overlap(change, replace(low, alpha=low.alpha * strength))
    assert found.cosine == pytest.approx(1, abs=1e-6)
    assert float(found.written.max()) < 1e-3
    assert float(found.read.max()) < 1e-3
    assert found.damage == pytest.approx((strength, 1 / strength), rel=1e-4)


@settings(max_examples=40)
@given(ANY_TWO)
def test_what_is_read_from_factors_is_true_of_the_changes_multiplied_out(two: tuple[Change, Change]) -> None:
    a, b = (change.delta().double().flatten(1) for change in two)
    found = overlap(*two)
    cosine = float((a * b).sum() / (a.norm() * b.norm()))
    assert found.cosine == pytest.approx(cosine, abs=1e-5)
    assert found.crossed == pytest.approx(float((a @ b.T).norm()), rel=1e-4, abs=1e-6)
    answers = [float((one @ one.T).norm()) for one in (a, b)]
    assert found.answers == pytest.approx(tuple(answers), rel=1e-4)
    assert found.damage == pytest.approx(tuple(found.crossed / answer for answer in answers), rel=1e-4)
    for angles, sides in ((found.written, (a, b)), (found.read, (a.T, b.T))):
        bases = [scipy.linalg.orth(side.numpy(), rcond=1e-5) for side in sides]
        wanted = np.sort(np.rad2deg(scipy.linalg.subspace_angles(*bases)))
        np.testing.assert_allclose(angles.numpy(), wanted, atol=1e-2)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_nothing_depends_on_how_a_change_is_cut_into_factors(seed: int, rank: int) -> None:
    a, b = random_change("lora", (9, 6), seed, rank), random_change("lora", (9, 6), seed + 1, 3)
    assert isinstance(a, LowRank)
    mixing = torch.linalg.qr(torch.randn(rank, rank, generator=torch.Generator().manual_seed(seed)))[0] * 1.7
    turned = replace(a, up=a.up @ mixing, down=torch.linalg.solve(mixing, a.down))
    one, other = overlap(a, b), overlap(turned, b)
    torch.testing.assert_close(one.written, other.written, atol=1e-3, rtol=0)
    torch.testing.assert_close(one.read, other.read, atol=1e-3, rtol=0)
    assert (one.cosine, one.crossed) == pytest.approx((other.cosine, other.crossed), abs=1e-5)


@settings(max_examples=40)
@given(ANY_TWO)
def test_the_two_may_change_places(two: tuple[Change, Change]) -> None:
    one, other = overlap(*two), overlap(*reversed(two))
    torch.testing.assert_close(one.written, other.written, atol=1e-6, rtol=0)
    assert (one.cosine, one.crossed) == pytest.approx((other.cosine, other.crossed), abs=1e-6)
    assert one.damage == pytest.approx(tuple(reversed(other.damage)), rel=1e-6)


def test_changes_without_a_common_direction_stand_at_right_angles_and_harm_nobody() -> None:
    a = LowRank(torch.eye(6)[:2], torch.eye(8)[:, :2], 2.0)
    b = LowRank(torch.eye(6)[3:5], torch.eye(8)[:, 4:6], 2.0)
    found = overlap(a, b)
    assert found.written.tolist() == found.read.tolist() == [90.0, 90.0]
    assert (found.cosine, found.crossed, found.damage) == (0.0, 0.0, (0.0, 0.0))


def test_opposed_changes_have_the_cosine_of_minus_one() -> None:
    change = random_change("lora", (6, 9))
    assert isinstance(change, LowRank)
    assert overlap(change, replace(change, up=-change.up)).cosine == pytest.approx(-1)


def test_a_change_of_nothing_overlaps_with_nothing() -> None:
    change = random_change("lora", (6, 9))
    assert isinstance(change, LowRank)
    found = overlap(change, replace(change, up=change.up * 0))
    assert len(found.written) == len(found.read) == 0
    assert (found.cosine, found.damage) == (0.0, (0.0, 0.0))


def test_small_angles_keep_their_digits() -> None:
    angle = 1e-5
    a = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    b = torch.tensor([[math.cos(angle)], [math.sin(angle)]], dtype=torch.float64)
    assert float(principal_angles(a, b)[0]) == pytest.approx(math.degrees(angle), rel=1e-6)


def test_over_several_layers_the_louder_ones_count_more() -> None:
    change = random_change("lora", (6, 9))
    assert isinstance(change, LowRank)
    loud, deaf = overlap(change, change), overlap(change, replace(change, up=change.up * 0))
    assert damage([loud]) == pytest.approx((1, 1))
    assert damage([loud, deaf])[0] == pytest.approx(1 / math.sqrt(2))
    assert damage([]) == (0, 0)


def test_only_layers_that_both_change_are_compared() -> None:
    change = random_change("lora", (6, 9))
    assert list(overlaps({"a": change, "b": change}, {"b": change, "c": change})) == ["b"]


def test_layers_of_other_shapes_are_refused_by_name() -> None:
    with pytest.raises(SealShapeError, match=r"layer 'unet.x'.*\(6, 9\) and \(8, 8\)"):
        overlaps({"unet.x": random_change("lora", (6, 9))}, {"unet.x": random_change("lora", (8, 8))})


def test_dora_is_compared_by_what_it_does_to_the_weight() -> None:
    change, weight = random_change("dora", (8, 8)), torch.randn(8, 8)
    assert isinstance(change, Decomposed)
    resolved = plain({"x": change}, {"x": weight})["x"]
    assert torch.equal(resolved.delta(), change.delta(weight))
    with pytest.raises(SealShapeError, match="DoRA"):
        plain({"x": change}, {})
