"""What merging promises: exact where it says so, the nearest of its rank elsewhere, and an error that is true."""

from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from change_examples import PLAIN_KINDS, SHAPES, changes, random_change
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sealsmith.adapters.changes import Change, Full, LowRank
from sealsmith.adapters.merge import (
    METHODS,
    Merged,
    MergeSettings,
    Part,
    concat,
    disjoint_mean,
    merge,
    shrink,
    thin,
    trim,
)
from sealsmith.errors import ConfigError, SealShapeError

WEIGHTS = st.floats(-2, 2, allow_subnormal=False)


@st.composite
def parts(draw: st.DrawFn, max_size: int = 3) -> list[Part]:
    """Seals of a base with one layer a shape; each seal has some of them, and a weight."""
    num = draw(st.integers(1, max_size))
    paths = {f"unet.layer_{i}": shape for i, shape in enumerate(SHAPES)}
    chosen = [
        draw(st.lists(st.sampled_from(list(paths)), min_size=1, max_size=2, unique=True)) for _ in range(num)
    ]
    return [({path: draw(changes(paths[path])) for path in own}, draw(WEIGHTS)) for own in chosen]


def summed(several: Sequence[Part]) -> dict[str, Tensor]:
    """Path -> the weighted sum of the changes, multiplied out."""
    total: dict[str, Tensor] = {}
    for layers, weight in several:
        for path, change in layers.items():
            total[path] = total.get(path, torch.zeros(change.shape)) + weight * change.delta()
    return total


def assert_changes(found: dict[str, LowRank], wanted: dict[str, Tensor], atol: float = 1e-5) -> None:
    assert found.keys() == wanted.keys()
    for path, delta in wanted.items():
        torch.testing.assert_close(found[path].delta(), delta, rtol=1e-4, atol=atol)


@settings(max_examples=40, deadline=None)
@given(parts())
def test_concat_is_the_weighted_sum_and_keeps_what_only_some_have(several: list[Part]) -> None:
    merged = concat(several)
    assert_changes(merged, summed(several))
    assert all(layer.scale == 1 for layer in merged.values())


@settings(max_examples=40, deadline=None)
@given(parts())
def test_concat_is_never_wider_than_the_layer(several: list[Part]) -> None:
    for layer in concat(several).values():
        outputs, *inputs = layer.shape
        assert layer.rank <= min(outputs, torch.Size(inputs).numel())


@settings(max_examples=40, deadline=None)
@given(parts())
def test_svd_at_full_rank_is_the_weighted_sum(several: list[Part]) -> None:
    merged = merge(several, MergeSettings("svd", rank=99))
    assert_changes(merged.layers, summed(several))
    assert merged.loss.relative < 1e-6


@settings(max_examples=40, deadline=None)
@given(parts(), st.integers(1, 5))
def test_svd_is_the_nearest_of_its_rank_and_its_error_is_true(several: list[Part], rank: int) -> None:
    merged = merge(several, MergeSettings("svd", rank=rank))
    squares = 0.0
    for path, delta in summed(several).items():
        layer, loss = merged.layers[path], merged.losses[path]
        missed = float((layer.delta() - delta).double().norm())
        nearest = float(torch.linalg.svdvals(delta.double().flatten(1))[rank:].norm())
        assert layer.rank <= rank
        assert missed == pytest.approx(nearest, abs=1e-5)
        assert loss.lost == pytest.approx(nearest, abs=1e-5)
        assert loss.norm == pytest.approx(float(delta.norm()), abs=1e-5)
        squares += missed**2
    assert merged.loss.lost == pytest.approx(squares**0.5, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(parts(), st.floats(0.5, 1))
def test_svd_by_energy_keeps_at_least_that_much_of_every_layer(several: list[Part], energy: float) -> None:
    for loss in merge(several, MergeSettings("svd", energy=energy)).losses.values():
        assert loss.relative**2 <= 1 - energy + 1e-6


def test_the_factors_of_a_cut_share_its_size() -> None:
    layer = shrink({"unet.a": random_change("lora", (8, 8), rank=4)}, rank=2).layers["unet.a"]
    torch.testing.assert_close(layer.up.norm(dim=0), layer.down.norm(dim=1))
    assert layer.scale == 1


@settings(max_examples=40, deadline=None)
@given(changes((6, 4, 3, 3)), st.integers(1, 9))
def test_shrinking_twice_is_shrinking_once(change: Change, rank: int) -> None:
    once = shrink({"unet.a": change}, rank)
    twice = shrink(once.layers, rank)
    assert twice.loss.relative < 1e-6
    assert_changes(twice.layers, {"unet.a": once.layers["unet.a"].delta()})


@pytest.mark.parametrize("method", ["ties", "dare", "dare-ties"])
@settings(max_examples=40, deadline=None)
@given(changes((6, 9)), WEIGHTS)
def test_one_seal_of_which_nothing_is_dropped_is_that_seal(
    method: str, change: Change, weight: float
) -> None:
    merged = merge([({"unet.a": change}, weight)], MergeSettings(method, density=1.0, drop=0.0))
    assert_changes(merged.layers, {"unet.a": weight * change.delta()})


@settings(max_examples=40, deadline=None)
@given(parts(), st.sampled_from([name for name in METHODS if name not in ("concat", "svd")]))
def test_the_stated_error_of_every_method_is_what_the_cut_lost(several: list[Part], method: str) -> None:
    whole = merge(several, MergeSettings(method, density=0.6, drop=0.3))
    cut = merge(several, MergeSettings(method, rank=2, density=0.6, drop=0.3))
    for path, loss in cut.losses.items():
        missed = (cut.layers[path].delta() - whole.layers[path].delta()).norm()
        assert loss.lost == pytest.approx(float(missed), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(parts(), st.sampled_from(list(METHODS)))
def test_the_order_of_the_seals_does_not_matter(several: list[Part], method: str) -> None:
    rank = {"concat": None}.get(method, 2)

    def merged(order: Sequence[Part]) -> Merged:
        return merge(order, MergeSettings(method, rank=rank, density=0.6, drop=0.3))

    for order in list(permutations(several))[1:]:
        there, back = merged(several), merged(order)
        assert there.losses.keys() == back.losses.keys()
        assert there.loss == pytest.approx(back.loss, abs=1e-5)
        if rank is None:
            assert_changes(back.layers, {path: layer.delta() for path, layer in there.layers.items()})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 1))
def test_trimming_keeps_the_largest_entries(seed: int, density: float) -> None:
    delta = torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    kept = trim(delta, density)
    assert torch.equal(kept[kept != 0], delta[kept != 0])
    assert int((kept != 0).sum()) == -int(-density * 35 // 1)
    dropped = delta[kept == 0].abs()
    assert (dropped <= kept[kept != 0].abs().min()).all()


def test_the_larger_mass_elects_the_sign_and_only_its_side_is_averaged() -> None:
    deltas = torch.tensor([[3.0, 1.0, 0.0, 2.0], [1.0, -4.0, 0.0, -2.0], [-2.0, -2.0, 5.0, 0.0]])
    assert disjoint_mean(deltas).tolist() == [2.0, -3.0, 5.0, 0.0]


def test_thinning_keeps_the_expectation() -> None:
    delta = torch.tensor([[1.0, -2.0], [0.5, 0.0]])
    mean = torch.stack([thin(delta, 0.7, seed) for seed in range(4000)]).mean(0)
    torch.testing.assert_close(mean, delta, rtol=0, atol=0.15)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 0.9), st.integers(0, 2**40))
def test_thinning_drops_or_rescales_and_repeats_itself(drop: float, seed: int) -> None:
    delta = torch.randn(9, 9, generator=torch.Generator().manual_seed(1))
    once = thin(delta, drop, seed)
    torch.testing.assert_close(once[once != 0], delta[once != 0] / (1 - drop))
    assert torch.equal(once, thin(delta, drop, seed))


def test_every_layer_and_seed_is_thinned_by_a_draw_of_its_own() -> None:
    delta = torch.ones(64, 64)
    one, other_seed, other_layer = (
        thin(delta, 0.5, 0, "a"),
        thin(delta, 0.5, 1, "a"),
        thin(delta, 0.5, 0, "b"),
    )
    assert 0.4 < float((one == other_seed).float().mean()) < 0.6
    assert 0.4 < float((one == other_layer).float().mean()) < 0.6


@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_progress_counts_every_layer(kind: str) -> None:
    told: list[tuple[int, int]] = []
    layers = {name: random_change(kind, (8, 8)) for name in ("a", "b", "c")}
    merge([(layers, 1.0)], MergeSettings(), lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_dora_is_refused_by_name() -> None:
    layers: dict[str, Change] = {"unet.a": random_change("dora", (8, 8))}
    with pytest.raises(SealShapeError, match=r"'unet\.a' is DoRA"):
        concat([(layers, 1.0)])


def test_a_kernel_that_one_file_keeps_flat_is_no_other_shape() -> None:
    whole, flat = random_change("lora", (6, 4, 3, 3)), random_change("loha", (6, 36))
    merged = concat([({"unet.a": flat}, 2.0), ({"unet.a": whole}, 1.0)])
    assert_changes(merged, {"unet.a": whole.delta() + 2 * flat.delta().reshape(6, 4, 3, 3)})


def test_layers_of_two_shapes_are_refused_by_name() -> None:
    one: dict[str, Change] = {"unet.a": Full(torch.zeros(2, 3))}
    other: dict[str, Change] = {"unet.a": Full(torch.zeros(3, 2))}
    with pytest.raises(SealShapeError, match=r"'unet\.a'.*\(., .\) and \(., .\)"):
        concat([(one, 1.0), (other, 1.0)])


@pytest.mark.parametrize("weights", [[], [1.0, float("nan")], [float("inf")]])
def test_nothing_and_weights_that_are_no_numbers_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="cannot be merged"):
        concat([({"unet.a": Full(torch.ones(2, 2))}, weight) for weight in weights])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "slerp"}, "unknown method 'slerp'"),
        ({"method": "svd"}, "how far to go"),
        ({"method": "svd", "rank": 0}, "rank is 0"),
        ({"method": "svd", "energy": 1.5}, r"energy to keep is 1\.5"),
        ({"method": "concat", "rank": 4}, "concat is exact"),
        ({"method": "ties", "density": 0.0}, r"density is 0\.0"),
        ({"method": "dare", "drop": 1.0}, r"drop is 1\.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MergeSettings(**wrong)  # type: ignore[arg-type]
