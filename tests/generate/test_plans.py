"""Whatever its plan, a base draws what it draws without one: bare, with seals, with others, bare again."""

import dataclasses
from pathlib import Path

import pytest
import torch
from change_examples import mixed_seal
from stock_pictures import largest_difference, stock
from torch import Tensor

from sealsmith.adapters import Seal
from sealsmith.adapters.match import Weighted
from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.base import DTYPES
from sealsmith.generate import Request, generate, generate_batch

FAMILIES = ("base", "sd1", "sdxl", "flux")
REQUEST = Request(
    "a red wax seal of sks emblem on wood", seed=5, num_steps=1, guidance=3.5, width=32, height=32
)
LARGE = dataclasses.replace(REQUEST, width=128, height=96)
"""Larger than a tile of the tiny bases' VAEs, which is 64 px."""


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}_folder")
    return found


@pytest.fixture(scope="module")
def whole(folder: Path) -> Base:
    """The base without any plan. Tests leave it as they found it."""
    return open_base(str(folder))


@pytest.fixture(scope="module")
def whole_history(whole: Base) -> list[Tensor]:
    return history(whole)


def seals_of(base: Base) -> list[Seal]:
    """Two seals in all components: one beside the weights, and DoRA, which asks for them."""
    return [mixed_seal(base.components, seed, (kind,)) for seed, kind in enumerate(("lora", "dora"))]


def history(base: Base) -> list[Tensor]:
    """Pictures: bare, one seal, switched to another, both, both fused, bare again."""
    first, second = seals_of(base)
    uses: list[Weighted] = [(), [(first, 0.3)], [(second, 0.2)], [(first, 0.3), (second, -0.2)]]
    beside = [generate(base, REQUEST, use)[0].pixels for use in uses]
    inside = generate_batch(base, [REQUEST], uses[-1])[0].pixels
    return [*beside, inside, generate(base, REQUEST)[0].pixels]


@pytest.mark.parametrize("memory", ["model-offload", "sequential-offload"])
def test_offloaded_bases_draw_the_pictures_of_whole_ones(
    memory: str, folder: Path, whole_history: list[Tensor]
) -> None:
    offloaded = open_base(str(folder), wanted=Wanted("fp32", memory))
    assert offloaded.plan.vae_slicing
    planned = history(offloaded)
    for picture, other in zip(whole_history, planned, strict=True):
        assert largest_difference(picture, other) <= 1e-5
    bare, *sealed, again = planned
    assert torch.equal(bare, again)
    assert all(largest_difference(bare, picture) > 1e-3 for picture in sealed)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.1), ("fp16", 0.02)])
def test_half_precision_draws_nearly_the_picture_of_fp32(
    precision: str, tolerance: float, folder: Path, whole: Base
) -> None:
    half = open_base(str(folder), wanted=Wanted(precision))
    seal = seals_of(whole)[0]
    for use in ([], [(seal, 0.1)]):
        [picture], [expected] = generate(half, REQUEST, use), generate(whole, REQUEST, use)
        assert picture.recipe == dataclasses.replace(expected.recipe, precision=precision)
        assert picture.warnings == ()
        assert picture.pixels.dtype == torch.float32
        assert largest_difference(picture.pixels, expected.pixels) < tolerance
    assert {weight.dtype for weight in half.denoiser.parameters()} == {DTYPES[precision]}


def test_only_pictures_larger_than_a_tile_are_drawn_as_stock_tiles_them(folder: Path, whole: Base) -> None:
    """Near the untiled one only on average: random VAEs see far, and each tile is normalised by itself."""
    tiled = open_base(str(folder), wanted=Wanted("fp32", "none", vae_tiling=True))
    assert torch.equal(generate(tiled, REQUEST)[0].pixels, generate(whole, REQUEST)[0].pixels)
    uses: list[Weighted] = [(), [(seals_of(whole)[0], 0.3)]]
    pictures = [generate(tiled, LARGE, use)[0].pixels for use in uses]
    untiled = [generate(whole, LARGE, use)[0].pixels for use in uses]
    for picture, other in zip(pictures, untiled, strict=True):
        assert 1e-3 < (picture - other).abs().mean() < 0.1
    tiled.plan = dataclasses.replace(tiled.plan, tile_above_px=112)
    assert torch.equal(generate(tiled, LARGE)[0].pixels, untiled[0])
    tiled.vae.enable_tiling()
    assert largest_difference(pictures[0], stock(tiled.pipeline, LARGE)) <= 1e-5
