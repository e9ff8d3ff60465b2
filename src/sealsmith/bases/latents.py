"""Between a VAE's own latents and those a denoiser knows: a scale, and for some a shift or a normalisation."""

from typing import Any

import torch
from torch import Tensor


def from_vae(vae: Any, latents: Tensor) -> Tensor:
    """Latents [N, C, h, w] as the denoiser knows them."""
    mean, std = _normalisation(vae, latents)
    return (latents - mean) * (vae.config.scaling_factor / std)


def to_vae(vae: Any, latents: Tensor) -> Tensor:
    """The inverse of `from_vae`."""
    mean, std = _normalisation(vae, latents)
    return latents * std / vae.config.scaling_factor + mean


def _normalisation(vae: Any, latents: Tensor) -> tuple[Tensor | float, Tensor | float]:
    """Mean and deviation of the VAE's latents: one a channel where it lists them, else its shift and 1."""
    mean, std = vae.config.get("latents_mean"), vae.config.get("latents_std")
    if mean is None or std is None:
        return vae.config.get("shift_factor") or 0.0, 1.0
    return (torch.tensor(mean).view(1, -1, 1, 1).to(latents), torch.tensor(std).view(1, -1, 1, 1).to(latents))
