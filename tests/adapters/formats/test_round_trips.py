"""read(write(layers)) changes every weight as the layers did, for every kind, dialect and family."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import KINDS, LAYERS, random_change, random_layers, weight_for

from sealsmith.adapters.changes import Change, Decomposed, LowRank, reshaped, tensors
from sealsmith.adapters.formats import WRITERS, header_entries, read_layers, write_layers
from sealsmith.adapters.formats.fused import joined, split, swapped
from sealsmith.adapters.formats.place import Place
from sealsmith.errors import ConfigError, SealShapeError

QKV = Place(("q", "k", "v"))


def delta(change: Change, shape: tuple[int, ...]) -> torch.Tensor:
    fitting = reshaped(change, shape)
    assert fitting is not None
    return fitting.delta(weight_for(shape))


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize("dialect", WRITERS)
@settings(max_examples=12, deadline=None)
@given(
    kinds=st.one_of(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.just(["dora"])),
    ranks=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    alphas=st.lists(st.sampled_from([0.5, 1.0, 3.0, 4.0]), min_size=1, max_size=3),
)
def test_what_is_written_reads_back_as_the_same_change(
    dialect: str, family: str, kinds: list[str], ranks: list[int], alphas: list[float]
) -> None:
    shapes = LAYERS[family]
    layers = random_layers(shapes, kinds, ranks, alphas)
    written, unwritable = write_layers(layers, dialect, family)
    assert all("DoRA" in reason for reason in unwritable.values())
    parsed = read_layers(written, header_entries(layers, dialect))
    assert parsed.unknown == ()
    assert parsed.dialect in ("", dialect.replace("lycoris", "diffusers")), "its names are diffusers'"
    assert parsed.layers.keys() | unwritable.keys() == layers.keys()
    for path, change in parsed.layers.items():
        expected = delta(layers[path], shapes[path])
        torch.testing.assert_close(delta(change, shapes[path]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize("kind", ["lora", "loha", "dora"])
def test_the_order_of_the_layers_plays_no_part(kind: str, family: str) -> None:
    layers = random_layers(LAYERS[family], [kind], [2], [1.0])
    written = write_layers(layers, "kohya", family).tensors
    backwards = write_layers(dict(reversed(layers.items())), "kohya", family).tensors
    assert written.keys() == backwards.keys()
    assert all(torch.equal(written[name], backwards[name]) for name in written)


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize("dialect", WRITERS)
def test_dora_of_every_layer_can_be_written(dialect: str, family: str) -> None:
    layers = random_layers(LAYERS[family], ["dora"], [2], [1.0])
    written, unwritable = write_layers(layers, dialect, family)
    assert unwritable == {}
    again = read_layers(written, header_entries(layers, dialect)).layers
    assert {change.kind for change in again.values()} == {"dora"}


@pytest.mark.parametrize(
    "kind", ["loha", "loha-core", "lokr", "lokr-whole", "lokr-core", "full", "dora-input"]
)
def test_kohya_files_keep_each_kind_as_it_is(kind: str) -> None:
    layers = random_layers(LAYERS["sdxl"], [kind], [2], [1.0])
    again = read_layers(write_layers(layers, "kohya", "sdxl").tensors).layers
    for path, change in layers.items():
        assert again[path].kind == change.kind
        assert again[path].alpha == change.alpha
        assert tensors(again[path]).keys() == tensors(change).keys()


def test_what_a_dialect_cannot_say_comes_with_its_reason() -> None:
    path, other = list(LAYERS["sd1"])[:2]
    by_input = {path: random_change("dora-input", (8, 8), 2, 1.0, 0)}
    assert "magnitude an input" in write_layers(by_input, "diffusers", "sd1").unwritable[path]
    mixed = {path: random_change("dora", (8, 8), 2, 1.0, 0), other: random_change("lora", (16, 8), 2, 1.0, 0)}
    assert write_layers(mixed, "diffusers", "sd1").unwritable.keys() == {path}
    strange = {"unet.motion": random_change("lora", (8, 8), 2, 1.0, 0)}
    assert "have no name for it" in write_layers(strange, "kohya", "sd1").unwritable["unet.motion"]
    part = "transformer.transformer_blocks.0.attn.to_k"
    alone = {part: random_change("dora", (8, 8), 2, 1.0, 0)}
    assert "needs all of its parts" in write_layers(alone, "kohya", "flux").unwritable[part]


def test_other_dialects_are_not_written() -> None:
    with pytest.raises(ConfigError, match="cannot be written in the dialect 'first'"):
        write_layers({}, "first", "sd1")


def low_rank(rank: int, outputs: int, alpha: float, seed: int) -> LowRank:
    change = random_change("lora", (outputs, 8), rank, alpha, seed)
    assert isinstance(change, LowRank)
    return LowRank(change.down + 0.01, change.up.abs() + 0.01, alpha)


@given(ranks=st.lists(st.integers(1, 3), min_size=3, max_size=3), alpha=st.sampled_from([1.0, 2.5]))
def test_joining_and_splitting_again_gives_the_parts_with_their_ranks(ranks: list[int], alpha: float) -> None:
    parts = {i: low_rank(rank, 8, alpha, seed=i) for i, rank in enumerate(ranks)}
    fused = joined(parts, 3)
    assert fused.rank == sum(ranks)
    for i, change in enumerate(split(QKV, fused).values()):
        assert change.rank == ranks[i]
        torch.testing.assert_close(change.delta(), parts[i].delta())


def test_splitting_and_joining_again_gives_the_same_tensors() -> None:
    fused = low_rank(3, 24, 2.0, seed=0)
    again = joined(dict(enumerate(split(QKV, fused).values())), 3)
    assert isinstance(again, LowRank)
    assert torch.equal(again.down, fused.down)
    assert torch.equal(again.up, fused.up)
    assert again.alpha == fused.alpha


def test_a_split_loha_joins_into_the_same_loha() -> None:
    fused = random_change("loha", (24, 8), 2, 1.0, 0)
    again = joined(dict(enumerate(split(QKV, fused).values())), 3)
    assert again.kind == "loha"
    assert torch.equal(again.delta(), fused.delta())


@pytest.mark.parametrize("kind", ["lora", "loha", "full", "dora"])
def test_absent_parts_of_a_fused_layer_stay_unchanged(kind: str) -> None:
    parts = {1: random_change(kind, (8, 8), 2, 1.0, 0)}
    if kind == "dora":
        with pytest.raises(SealShapeError, match="needs all of its parts"):
            joined(parts, 4)
        return
    fused = joined(parts, 4)
    assert fused.shape == (8 * 3 + 32, 8)
    torch.testing.assert_close(fused.delta()[8:16], parts[1].delta())
    assert not fused.delta()[:8].any()
    assert not fused.delta()[16:].any()


def test_joined_scales_are_kept_apart() -> None:
    parts = {0: low_rank(2, 8, 1.0, 0), 1: low_rank(2, 8, 8.0, 1), 2: low_rank(1, 8, 3.0, 2)}
    fused = joined(parts, 3)
    torch.testing.assert_close(fused.delta(), torch.cat([part.delta() for part in parts.values()]))


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "full", "dora"])
def test_swapping_twice_changes_nothing(kind: str) -> None:
    change = random_change(kind, (16, 8), 2, 1.0, 0)
    weight = weight_for((16, 8))
    once = swapped(change)
    turned = torch.cat([weight[8:], weight[:8]])
    torch.testing.assert_close(once.delta(turned), change.delta(weight).roll(8, 0))
    torch.testing.assert_close(swapped(once).delta(weight), change.delta(weight))


def test_rows_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(SealShapeError, match=r"fused with others into 25 x 8"):
        split(QKV, low_rank(2, 25, 1.0, 0))
    with pytest.raises(SealShapeError, match=r"fused with others into 24 x 8"):
        split(Place(("q", "k", "v", "mlp")), low_rank(2, 24, 1.0, 0))


def test_dora_parts_are_cut_with_their_magnitudes() -> None:
    fused = random_change("dora", (24, 8), 2, 1.0, 0)
    parts = split(QKV, fused)
    weight = weight_for((24, 8))
    found = torch.cat([part.delta(weight[8 * i : 8 * i + 8]) for i, part in enumerate(parts.values())])
    torch.testing.assert_close(found, fused.delta(weight))
    assert all(isinstance(part, Decomposed) for part in parts.values())
