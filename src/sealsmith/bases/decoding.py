"""From latents to pixels by a base's VAE, in tiles where its plan has it so, and never with a NaN left in them."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import DrawingError
from .latents import to_vae

if TYPE_CHECKING:
    from .base import Base


def decode(base: "Base", latents: Tensor) -> tuple[Tensor, str]:
    """Pixels [N, 3, H, W] in 0..1, on the CPU, of latents as a denoiser knows them, and what users should know.

    In half precision a VAE's numbers can be too large. Then it becomes fp32 for the rest of the base's life and
    decodes again, which is said this once.
    Raises: DrawingError when the latents are not finite, or what fp32 makes of them.
    """
    check_latents(base, latents)
    decoded = _decode(base, latents)
    said = ""
    if not torch.isfinite(decoded).all() and base.vae.dtype != torch.float32:
        said = f"the VAE's numbers were too large for {_name(base.vae.dtype)}: it decodes in fp32 from now on"
        base.vae.float()
        decoded = _decode(base, latents)
    if not torch.isfinite(decoded).all():
        raise DrawingError(
            "the picture is lost: what the VAE made of it is not finite (NaN or infinite), even in fp32",
            "the base's VAE is damaged, or the latents are absurd: lower the strengths of the seals",
        )
    return (decoded.float() / 2 + 0.5).clamp(0, 1).cpu(), said


def check_latents(base: "Base", latents: Tensor) -> None:
    """Raises: DrawingError when one of the latents is not finite."""
    if not torch.isfinite(latents).all():
        raise DrawingError(
            "the picture is lost: what the denoiser made is not finite (NaN or infinite)",
            "lower the strengths of the seals or the guidance" + _or_more_precision(base.dtype),
        )


def _decode(base: "Base", latents: Tensor) -> Tensor:
    vae, limit_px = base.vae, base.plan.tile_above_px
    num_pixels = latents.shape[2] * latents.shape[3] * base.pipeline.vae_scale_factor**2
    vae.use_tiling = limit_px is not None and num_pixels > limit_px**2
    decoded: Tensor = vae.decode(to_vae(vae, latents.to(vae.dtype)), return_dict=False)[0]
    return decoded


def _or_more_precision(dtype: torch.dtype) -> str:
    return ", or compute with --precision bf16 or fp32" if dtype == torch.float16 else ""


def _name(dtype: torch.dtype) -> str:
    return {torch.float16: "fp16", torch.bfloat16: "bf16"}[dtype]
