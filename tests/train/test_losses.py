"""The objective against diffusers' own and against its definition."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.errors import ConfigError
from sealsmith.train import losses


def scheduler(kind: str, zero_snr: bool) -> DDPMScheduler:
    return DDPMScheduler(prediction_type=kind, rescale_betas_zero_snr=zero_snr, beta_schedule="scaled_linear")


@pytest.mark.parametrize("zero_snr", [False, True])
def test_noise_and_velocity_are_the_schedulers_own(zero_snr: bool) -> None:
    stock = scheduler("v_prediction", zero_snr)
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn((2, 4, 8, 3, 3), generator=generator)
    t = torch.tensor([0, 10, 500, 999])
    a = stock.alphas_cumprod[t]
    torch.testing.assert_close(losses.add_noise(latents, noise, a), stock.add_noise(latents, noise, t))
    wanted = losses.target("v_prediction", latents, noise, a)
    torch.testing.assert_close(wanted, stock.get_velocity(latents, noise, t))


@given(st.floats(1e-4, 1 - 1e-4), st.floats(0.1, 20), st.sampled_from(losses.PREDICTION_TYPES))
def test_min_snr_weighs_the_loss_on_the_picture_alike_in_every_objective(
    a: float, gamma: float, kind: str
) -> None:
    """Whatever is predicted, weight x squared error = min(SNR, gamma) x squared error of x0."""
    alphas = torch.tensor([a], dtype=torch.float64)
    noise, x0, wrong_x0 = torch.randn(
        (3, 1, 1, 1, 1), dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    noisy = losses.add_noise(x0, noise, alphas)
    implied_noise = (noisy - math.sqrt(a) * wrong_x0) / math.sqrt(1 - a)
    error = losses.target(kind, x0, noise, alphas) - losses.target(kind, wrong_x0, implied_noise, alphas)
    weighted = losses.min_snr_weights(kind, alphas, gamma) * error.square().flatten()
    expected = min(a / (1 - a), gamma) * (x0 - wrong_x0).square().flatten()
    torch.testing.assert_close(weighted, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("kind", "limit"), [("epsilon", 1.0), ("v_prediction", 0.0), ("sample", 0.0)])
def test_min_snr_is_finite_where_nothing_but_noise_is_left(kind: str, limit: float) -> None:
    assert losses.min_snr_weights(kind, torch.zeros(1), 5.0).item() == limit


def test_without_gamma_every_row_weighs_the_same() -> None:
    assert torch.equal(losses.min_snr_weights("epsilon", torch.rand(3), None), torch.ones(3))


def test_a_full_mask_is_no_mask_and_outside_it_nothing_counts() -> None:
    prediction, wanted = torch.randn((2, 3, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    plain = losses.row_losses(prediction, wanted)
    torch.testing.assert_close(losses.row_losses(prediction, wanted, torch.ones(3, 1, 8, 8)), plain)
    mask = torch.zeros(3, 1, 8, 8)
    mask[..., :4] = 1
    elsewhere = prediction.clone()
    elsewhere[..., 4:] += 100
    masked = losses.row_losses(elsewhere, wanted, mask)
    torch.testing.assert_close(masked, losses.row_losses(prediction[..., :4], wanted[..., :4]))


def test_an_unknown_objective_is_refused() -> None:
    stock = DDPMScheduler(prediction_type="epsilon")
    stock.register_to_config(prediction_type="flow")
    with pytest.raises(ConfigError, match="predicts 'flow'"):
        losses.check_prediction_type(stock)
