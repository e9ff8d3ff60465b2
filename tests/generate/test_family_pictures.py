"""Pictures of every family equal those of its stock pipeline, at any size it can draw."""

import dataclasses
from pathlib import Path

import pytest
import torch
from stock_pictures import largest_difference, stock

from sealsmith.bases import Base, open_base
from sealsmith.bench.tiny_bases import write_flux
from sealsmith.errors import ConfigError
from sealsmith.generate import Request, generate

REQUEST = Request(
    "a red wax seal of sks emblem on wood", "blue ink", seed=5, num_steps=2, guidance=3.5, width=64, height=64
)
WITH_UNET = ("sd1", "sdxl")
ALL = (*WITH_UNET, "flux")


@pytest.fixture(params=ALL)
def base(request: pytest.FixtureRequest) -> Base:
    opened: Base = request.getfixturevalue(f"tiny_{request.param}")
    return opened


@pytest.mark.parametrize(
    "change",
    [{}, {"negative": ""}, {"guidance": 1.0}, {"width": 96, "height": 32}, {"num_steps": 5, "seed": 6}],
    ids=str,
)
def test_equals_the_stock_pipeline(base: Base, change: dict[str, object]) -> None:
    request = dataclasses.replace(REQUEST, **change)
    (ours,) = generate(base, request)
    assert ours.pixels.shape == (3, request.height, request.width)
    assert (ours.recipe.width, ours.recipe.height) == (request.width, request.height)
    assert largest_difference(ours.pixels, stock(base.pipeline, request)) <= 1e-5


def test_the_prompt_decides_the_picture(base: Base) -> None:
    (one,) = generate(base, REQUEST)
    (other,) = generate(base, dataclasses.replace(REQUEST, prompt="a gold coin of a dragon on snow"))
    assert largest_difference(one.pixels, other.pixels) > 1e-4


@pytest.mark.parametrize("family", WITH_UNET)
def test_a_negative_prompt_is_pushed_away_from(family: str, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(f"tiny_{family}")
    (one,) = generate(base, REQUEST)
    (other,) = generate(base, dataclasses.replace(REQUEST, negative="a gold coin of a dragon on snow"))
    assert largest_difference(one.pixels, other.pixels) > 1e-4
    assert one.warnings == ()


def test_flux_takes_guidance_as_an_input_and_says_that_a_negative_prompt_is_not_used(tiny_flux: Base) -> None:
    (one,) = generate(tiny_flux, REQUEST)
    (other,) = generate(tiny_flux, dataclasses.replace(REQUEST, guidance=30.0, negative=""))
    assert largest_difference(one.pixels, other.pixels) > 1e-4
    assert one.warnings == ("the negative prompt is not used: tiny-flux draws without one at guidance 3.5",)
    assert other.warnings == ()


def test_flux_without_guidance_draws_as_stock_does(tmp_path: Path) -> None:
    schnell = open_base(str(write_flux(tmp_path / "schnell", guidance_embeds=False)))
    (ours,) = generate(schnell, REQUEST)
    assert largest_difference(ours.pixels, stock(schnell.pipeline, REQUEST)) <= 1e-5
    (other,) = generate(schnell, dataclasses.replace(REQUEST, guidance=30.0))
    assert torch.equal(ours.pixels, other.pixels)


def test_the_base_decides_the_size_left_open(base: Base) -> None:
    request = Request("a wax seal").resolved(base)
    assert (request.width, request.height) == (64, 64)


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("sd1", {"width": 60}, "the width is 60 px"),
        ("sdxl", {"height": 0}, "the height is 0 px"),
        ("flux", {"width": 72}, "the width is 72 px"),
        ("sd1", {"height": 8200}, "the height is 8200 px"),
    ],
)
def test_sizes_the_base_cannot_draw_are_refused(
    family: str, change: dict[str, int], message: str, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(f"tiny_{family}")
    with pytest.raises(ConfigError, match=message) as error:
        generate(base, dataclasses.replace(REQUEST, **change))
    assert f"multiple of {16 if family == 'flux' else 8}" in error.value.remedy


@pytest.mark.parametrize("family", ALL)
def test_a_prompt_beyond_the_limit_is_said(family: str, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(f"tiny_{family}")
    long = dataclasses.replace(REQUEST, negative="", num_steps=1, long_prompts="cut")
    words = 600 if family == "flux" else 80
    (picture,) = generate(base, dataclasses.replace(long, prompt="wood " * words))
    [warning] = picture.warnings
    assert warning.count("wood") == (600 - 511 if family == "flux" else 80 - 75)
    (short,) = generate(base, dataclasses.replace(long, prompt="wood " * 75))
    assert short.warnings == ()


def test_a_u_net_that_guidance_was_distilled_into_draws_as_stock_does(tiny_sd1: Base) -> None:
    unet = tiny_sd1.pipeline.unet
    torch.manual_seed(0)
    tiny_sd1.pipeline.unet = type(unet).from_config(unet.config, time_cond_proj_dim=16).eval()
    for guidance in (1.0, 8.0):
        request = dataclasses.replace(REQUEST, negative="", guidance=guidance)
        (ours,) = generate(tiny_sd1, request)
        assert largest_difference(ours.pixels, stock(tiny_sd1.pipeline, request)) <= 1e-5
