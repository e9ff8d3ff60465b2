"""What a denoiser is trained for, as one protocol: at which times, from what input, towards which target.

`Diffusion` is Stable Diffusion's (epsilon, v or sample), `Flow` is Flux's. Not for: the formulas of diffusion
themselves (losses.py).

Shape letters: N rows, C channels, H and W of the latents.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..bases import Base
from ..bases.flow import num_patches, shift
from ..errors import ConfigError
from . import losses

FLOW_TIMES = 1000
"""A flow's model time is its noise level times this."""


class Objective(Protocol):
    """Times are model times, [N], as the base's denoiser takes them."""

    def draw_times(self, count: int, draws: torch.Generator) -> Tensor:
        """[count] times, drawn on the CPU, so that a seed means the same on every device."""

    def add_noise(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the denoiser sees, [N, C, H, W]."""

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What it should predict, [N, C, H, W]."""

    def weights(self, times: Tensor, min_snr_gamma: float | None) -> Tensor:
        """How much each row's loss counts, [N]."""


@dataclass(frozen=True)
class Diffusion:
    """Times are drawn uniformly from the scheduler's own."""

    kind: str
    """One of `losses.PREDICTION_TYPES`."""
    alphas_cumprod: Tensor
    """[num_train_timesteps], the scheduler's own."""

    def draw_times(self, count: int, draws: torch.Generator) -> Tensor:
        times = torch.randint(len(self.alphas_cumprod), (count,), generator=draws)
        return times.to(self.alphas_cumprod.device)

    def add_noise(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return losses.add_noise(latents, noise, self.alphas_cumprod[times])

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return losses.target(self.kind, latents, noise, self.alphas_cumprod[times])

    def weights(self, times: Tensor, min_snr_gamma: float | None) -> Tensor:
        return losses.min_snr_weights(self.kind, self.alphas_cumprod[times], min_snr_gamma)


@dataclass(frozen=True)
class Flow:
    """Rectified flow: a straight line from the picture to the noise, and its direction as the target.

    Noise levels are sigmoid(z), z normal with deviation 1 around `mu`: logit-normal, with the shift to high
    noise that pictures of this size are drawn with.
    Source: Esser et al. 2024, arXiv:2403.03206, sections 3.1 and 5.3.2.
    """

    mu: float
    device: torch.device

    def draw_times(self, count: int, draws: torch.Generator) -> Tensor:
        levels = torch.sigmoid(self.mu + torch.randn(count, generator=draws))
        return (levels * FLOW_TIMES).to(self.device)

    def add_noise(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        level = (times / FLOW_TIMES).view(-1, 1, 1, 1)
        return (1 - level) * latents + level * noise

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return noise - latents

    def weights(self, times: Tensor, min_snr_gamma: float | None) -> Tensor:
        assert min_snr_gamma is None, "check_objective refuses it"
        return torch.ones_like(times)


def check_objective(base: Base, min_snr_gamma: float | None) -> None:
    """Raises: ConfigError when the base has another objective, or a setting that its objective has no use for."""
    if base.family.objective == "diffusion":
        losses.check_prediction_type(base.scheduler)
    elif min_snr_gamma is not None:
        raise ConfigError(
            f"min_snr_gamma is {min_snr_gamma}, and {base.name} is trained by flow matching, which has no "
            "signal-to-noise weighting",
            "leave min-SNR off for this base",
        )


def objective_of(base: Base) -> Objective:
    """The base's own objective, at the size of its pictures. Raises: ConfigError when it has another one."""
    if base.family.objective == "flow":
        return Flow(flow_shift(base), base.device)
    kind = losses.check_prediction_type(base.scheduler)
    return Diffusion(kind, base.scheduler.alphas_cumprod.to(base.device, torch.float32))


def flow_shift(base: Base) -> float:
    """The `mu` of a base's noise levels: the one its pictures are drawn with, or the logarithm of a fixed shift."""
    config = base.scheduler.config
    if config.use_dynamic_shifting:
        _, height, width = base.latent_shape
        return shift(config, num_patches(height, width))
    return math.log(config.shift)
