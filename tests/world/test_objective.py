"""Whatever is predicted, the right prediction means the right picture."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from world.objective import OBJECTIVES, amplitudes, build_scheduler, clean_from, wanted, weight


@pytest.mark.parametrize("name", OBJECTIVES)
@given(level=st.floats(0.01, 0.99))
def test_what_is_wanted_means_the_clean_latent(name: str, level: float) -> None:
    clean, noise = torch.randn(2, 3, 8, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    a, s = amplitudes(torch.full((3,), level))
    noisy = a * clean + s * noise
    predicted = wanted(name, clean, noise, a, s)
    torch.testing.assert_close(clean_from(name, predicted, noisy, a, s), clean, atol=1e-4, rtol=1e-4)


@given(level=st.floats(0.01, 0.99), gamma=st.floats(0.5, 20))
def test_min_snr_weighs_the_same_error_of_the_clean_latent_alike_for_every_objective(
    level: float, gamma: float
) -> None:
    clean, noise = torch.randn(2, 1, 8, 4, 4, generator=torch.Generator().manual_seed(1)).unbind()
    signal = torch.tensor([level])
    a, s = amplitudes(signal)
    noisy, wrong = a * clean + s * noise, clean + 0.1
    losses = []
    for name in OBJECTIVES:
        meant = {"epsilon": (noisy - a * wrong) / s, "v": (a * noisy - wrong) / s, "x": wrong}[name]
        error = (meant - wanted(name, clean, noise, a, s)).square().mean()
        losses.append(float(weight(name, signal, gamma) * error))
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)
    assert losses[0] == pytest.approx(min(level / (1 - level), gamma) * 0.01, rel=1e-3)


def test_without_gamma_every_time_counts_alike() -> None:
    assert weight("v", torch.tensor([0.0, 0.5, 1.0]), None).tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_schedule_knows_what_is_predicted_and_keeps_something_of_the_picture_for_epsilon(
    name: str,
) -> None:
    scheduler = build_scheduler(name)
    assert scheduler.config.prediction_type == OBJECTIVES[name]
    assert (float(scheduler.alphas_cumprod[-1]) > 1e-4) == (name == "epsilon")
