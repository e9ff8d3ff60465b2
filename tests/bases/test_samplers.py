"""Samplers: each is stock diffusers' scheduler of that name on the base's own noise schedule."""

from dataclasses import replace

import diffusers
import pytest
import torch

from sealsmith.bases import Base
from sealsmith.bases.samplers import (
    DIFFUSION_SAMPLERS,
    FLOW_SAMPLERS,
    Sampler,
    find_sampler,
    fresh_scheduler,
    sampler_title,
)
from sealsmith.errors import ConfigError
from sealsmith.generate import Request, generate
from tests.stock_pictures import stock

REQUEST = Request("a red wax seal on paper", seed=5, num_steps=5, guidance=3.0)


def stock_picture(base: Base, sampler: Sampler) -> torch.Tensor:
    """What the stock pipeline draws with the scheduler of `sampler`."""
    own = base.pipeline.scheduler
    kind = getattr(diffusers, sampler.scheduler)
    base.pipeline.scheduler = kind.from_config(own.config, **sampler.options)
    try:
        return stock(base.pipeline, replace(REQUEST, sampler=None).resolved(base))
    finally:
        base.pipeline.scheduler = own


@pytest.mark.parametrize("sampler", DIFFUSION_SAMPLERS, ids=lambda s: s.name)
def test_every_sampler_draws_stocks_picture(sampler: Sampler, tiny_sd1: Base) -> None:
    [picture] = generate(tiny_sd1, replace(REQUEST, sampler=sampler.name))
    torch.testing.assert_close(picture.pixels, stock_picture(tiny_sd1, sampler), atol=1e-5, rtol=0)
    assert picture.recipe.sampler == sampler.title


@pytest.mark.parametrize("sampler", FLOW_SAMPLERS, ids=lambda s: s.name)
def test_a_flow_draws_with_each_of_its_samplers(sampler: Sampler, tiny_flux: Base) -> None:
    pictures = [generate(tiny_flux, replace(REQUEST, sampler=name))[0] for name in (None, sampler.name)]
    assert pictures[1].recipe.sampler == sampler.title
    assert pictures[1].pixels.isfinite().all()
    assert torch.equal(pictures[0].pixels, pictures[1].pixels) == (sampler.name == "euler")


@pytest.mark.parametrize("sampler", DIFFUSION_SAMPLERS, ids=lambda s: s.name)
def test_a_sampler_begins_at_pure_noise_as_the_base_does_or_is_refused(
    sampler: Sampler, tiny_base: Base
) -> None:
    request = replace(REQUEST, sampler=sampler.name)
    assert tiny_base.scheduler.config.rescale_betas_zero_snr
    if sampler.name in ("pndm", "lms", "heun"):
        with pytest.raises(ConfigError, match="cannot begin at pure noise"):
            generate(tiny_base, request)
        return
    assert fresh_scheduler(tiny_base, sampler.name).config.rescale_betas_zero_snr
    assert generate(tiny_base, request)[0].pixels.isfinite().all()


def test_names_and_titles_are_found_in_any_case_and_typos_get_a_hint(tiny_sd1: Base) -> None:
    for sampler in DIFFUSION_SAMPLERS:
        assert find_sampler(tiny_sd1, sampler.name.upper()) is sampler
        assert find_sampler(tiny_sd1, sampler.title) is sampler
    with pytest.raises(ConfigError, match="no sampler 'dpm\\+\\+2m'") as caught:
        replace(REQUEST, sampler="dpm++2m").resolved(tiny_sd1)
    assert "dpm++-2m" in str(caught.value.remedy)


def test_the_bases_own_sampler_has_its_title(tiny_base: Base, tiny_flux: Base) -> None:
    assert sampler_title(tiny_base, None) == "DDIM"
    assert sampler_title(tiny_flux, None) == "Euler"


OFFSET = ("ddim", "ddpm", "pndm")
"""Whose times are moved up by one, beyond the last noise level, when they take all."""


@pytest.mark.parametrize("sampler", DIFFUSION_SAMPLERS, ids=lambda s: s.name)
def test_any_number_of_steps_is_taken_to_its_end_or_refused(sampler: Sampler, tiny_sd1: Base) -> None:
    """Of many steps some schedules have the same time twice, or one beyond the last noise level."""
    latents = torch.randn(1, *tiny_sd1.latent_shape, generator=torch.Generator().manual_seed(0))
    for num_steps in (1, 2, 51, 1000):
        if num_steps > {"lcm": 50, **dict.fromkeys(OFFSET, 999)}.get(sampler.name, 1000):
            with pytest.raises(ConfigError, match=f"cannot take {num_steps} steps"):
                tiny_sd1.family.workings.scheduler(tiny_sd1, num_steps, latents, sampler.name)
            continue
        scheduler = tiny_sd1.family.workings.scheduler(tiny_sd1, num_steps, latents, sampler.name)
        x = latents * scheduler.init_noise_sigma
        for t in scheduler.timesteps[:60]:
            x = scheduler.step(scheduler.scale_model_input(x, t) * 0.1, t, x).prev_sample
        assert num_steps == 1000 or x.isfinite().all()  # solvers divide by the time between two steps
