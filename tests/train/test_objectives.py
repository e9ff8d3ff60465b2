"""Flow matching against diffusers' own scheduler, and both objectives against what makes them objectives."""

from dataclasses import replace

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.train.objectives import (
    Diffusion,
    Flow,
    Objective,
    check_objective,
    flow_shift,
    objective_of,
)
from sealsmith.train.streams import stream

OBJECTIVES = (
    *(Diffusion(kind, torch.linspace(1, 0.01, 1000)) for kind in ("epsilon", "v_prediction", "sample")),
    Flow(0.0, torch.device("cpu")),
    Flow(1.15, torch.device("cpu")),
)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_times_are_a_function_of_the_draws_and_within_range(objective: Objective) -> None:
    times = objective.draw_times(2000, stream(0, "times"))
    assert torch.equal(times, objective.draw_times(2000, stream(0, "times")))
    assert times.min() >= 0
    assert times.max() < 1000
    assert len(times.unique()) > 500


@given(st.integers(0, 2**32), st.floats(-1, 2))
def test_a_flow_is_noised_as_its_scheduler_noises_and_its_target_leads_back(seed: int, mu: float) -> None:
    flow = Flow(mu, torch.device("cpu"))
    draws = torch.Generator().manual_seed(seed)
    latents, noise = torch.randn((2, 3, 4, 2, 2), generator=draws)
    scheduler = FlowMatchEulerDiscreteScheduler()
    times = scheduler.timesteps[torch.randint(1000, (3,), generator=draws)]
    noisy = flow.add_noise(latents, noise, times)
    torch.testing.assert_close(noisy, scheduler.scale_noise(latents, times, noise))
    level = (times / 1000).view(-1, 1, 1, 1)
    torch.testing.assert_close(noisy - level * flow.target(latents, noise, times), latents)


def test_half_of_all_noise_levels_are_above_the_shift() -> None:
    for mu in (0.0, 1.15):
        times = Flow(mu, torch.device("cpu")).draw_times(20_000, stream(0, "times"))
        middle = 1000 * torch.sigmoid(torch.tensor(mu))
        assert abs((times > middle).float().mean() - 0.5) < 0.02


def test_the_shift_is_the_one_pictures_are_drawn_with(tiny_flux: Base) -> None:
    noise = torch.zeros(1, *tiny_flux.latent_shape)
    drawn_with = tiny_flux.family.workings.scheduler(tiny_flux, 1001, noise).sigmas[500]
    plain = torch.tensor(1 - 500 / 1001)
    expected = torch.sigmoid(flow_shift(tiny_flux) + torch.logit(plain))
    torch.testing.assert_close(drawn_with, expected, rtol=1e-4, atol=1e-5)
    fixed = FlowMatchEulerDiscreteScheduler(shift=3.0)
    tiny_flux.pipeline.scheduler = fixed
    drawn_with = tiny_flux.family.workings.scheduler(tiny_flux, 1001, noise).sigmas[500]
    expected = torch.sigmoid(flow_shift(tiny_flux) + torch.logit(plain))
    torch.testing.assert_close(drawn_with, expected, rtol=1e-4, atol=1e-5)


def test_the_family_has_the_objective(tiny_flux: Base, tiny_sdxl: Base) -> None:
    assert isinstance(objective_of(tiny_flux), Flow)
    diffusion = objective_of(tiny_sdxl)
    assert isinstance(diffusion, Diffusion)
    assert diffusion.kind == "epsilon"


def test_a_weighting_by_snr_is_refused_where_there_is_none(tiny_flux: Base, tiny_sdxl: Base) -> None:
    check_objective(tiny_sdxl, 5.0)
    check_objective(tiny_flux, None)
    with pytest.raises(ConfigError, match=r"min_snr_gamma is 5\.0.*flow matching"):
        check_objective(tiny_flux, 5.0)
    odd = replace(tiny_sdxl, pipeline=tiny_sdxl.pipeline)
    odd.scheduler.register_to_config(prediction_type="flow")
    with pytest.raises(ConfigError, match="predicts 'flow'"):
        check_objective(odd, None)
