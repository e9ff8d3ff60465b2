"""The diffusion objective as pure functions: noise in, target out, one loss a row.

Everything is computed from the scheduler's own `alphas_cumprod`, so that any noise schedule works, the
zero-terminal-SNR one included, and with schedulers that offer no `get_velocity`.

Shape letters: N rows, C channels, H and W of the latents.
"""

from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def check_prediction_type(scheduler: Any) -> str:
    """What the base predicts: "epsilon", "v_prediction" or "sample".

    Raises: ConfigError when its scheduler names another objective.
    """
    kind = scheduler.config.get("prediction_type")
    if kind not in PREDICTION_TYPES:
        raise ConfigError(
            f"the base predicts {kind!r}, which no training here can aim at",
            f"use a base whose scheduler has one of {', '.join(PREDICTION_TYPES)}",
        )
    return str(kind)


def add_noise(latents: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Latents `[N, C, H, W]` at the noise levels whose `alphas_cumprod` `[N]` are given."""
    a = alphas_cumprod.view(-1, 1, 1, 1)
    return a.sqrt() * latents + (1 - a).sqrt() * noise


def target(kind: str, latents: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """What the network should have predicted, `[N, C, H, W]`.

    Source of v: Salimans and Ho 2022, arXiv:2202.00512, section 4.
    """
    if kind == "epsilon":
        return noise
    if kind == "sample":
        return latents
    a = alphas_cumprod.view(-1, 1, 1, 1)
    return a.sqrt() * noise - (1 - a).sqrt() * latents


def min_snr_weights(kind: str, alphas_cumprod: Tensor, gamma: float | None) -> Tensor:
    """Weight of each row's loss, `[N]`; ones when `gamma` is None.

    `min(SNR, gamma)` is the weight of a loss on x0. A loss on epsilon is that on x0 times SNR, one on v is it
    times SNR + 1, hence the divisions. At SNR 0 the weight is its limit: 1 for epsilon, 0 for v.
    Source: Hang et al. 2023, arXiv:2303.09556, section 3.4.
    """
    if gamma is None:
        return torch.ones_like(alphas_cumprod)
    a = alphas_cumprod
    if kind == "epsilon":
        return (gamma * (1 - a) / a).clamp(max=1)
    snr = a / (1 - a)
    return snr.clamp(max=gamma) * (1 - a) if kind == "v_prediction" else snr.clamp(max=gamma)


def row_losses(prediction: Tensor, wanted: Tensor, masks: Tensor | None = None) -> Tensor:
    """Mean squared error of each row, `[N]`.

    With `masks` `[N, 1, H, W]` in 0..1 the mean is over the masked area, so that a small mask weighs as much
    as a large one.
    """
    squares = (prediction.float() - wanted.float()).square()
    if masks is None:
        return squares.mean(dim=(1, 2, 3))
    area = masks.mean(dim=(1, 2, 3)).clamp(min=1e-6)
    return (squares * masks).mean(dim=(1, 2, 3)) / area
