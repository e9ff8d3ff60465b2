"""What a denoiser may be asked to predict, with which schedule of noise, and how much each time counts.

With `signal` the share of the clean latent's variance at a time (`alphas_cumprod`), a noisy latent is
`a * clean + s * noise`, a = sqrt(signal), s = sqrt(1 - signal).

Sources: v, Salimans & Ho 2022, arXiv:2202.00512; min-SNR, Hang et al. 2023, arXiv:2303.09556, equation 7.
"""

import torch
from diffusers import DDIMScheduler
from torch import Tensor

OBJECTIVES = {"epsilon": "epsilon", "v": "v_prediction", "x": "sample"}
"""Each by its name here: what diffusers' schedulers call it."""


def build_scheduler(predicted: str = "v") -> DDIMScheduler:
    """The schedule of an objective. At zero terminal signal-to-noise epsilon says nothing of the picture."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=OBJECTIVES[predicted],
        rescale_betas_zero_snr=predicted != "epsilon",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


def amplitudes(signal: Tensor) -> tuple[Tensor, Tensor]:
    """a and s [N, 1, 1, 1] of shares `signal` [N]."""
    return signal.sqrt()[:, None, None, None], (1 - signal).sqrt()[:, None, None, None]


def wanted(objective: str, clean: Tensor, noise: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """What is to be predicted."""
    return {"epsilon": lambda: noise, "v": lambda: a * noise - s * clean, "x": lambda: clean}[objective]()


def clean_from(objective: str, predicted: Tensor, noisy: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """The clean latent that a prediction means; where nothing but noise is left, epsilon means none (infinite)."""
    if objective == "epsilon":
        return (noisy - s * predicted) / a
    return a * noisy - s * predicted if objective == "v" else predicted


def weight(objective: str, signal: Tensor, gamma: float | None) -> Tensor:
    """How much the squared error of a prediction counts at each time [N]; 1 without min-SNR's `gamma`.

    With it the errors of v at pure noise count nothing, although sampling begins there.
    """
    if gamma is None:
        return torch.ones_like(signal)
    snr = signal / (1 - signal)
    capped = snr.clamp_max(gamma)
    if objective == "x":
        return capped
    return capped / (snr if objective == "epsilon" else snr + 1)
