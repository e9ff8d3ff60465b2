"""Previews without the VAE: one pixel a latent, by a linear map from a latent's channels to a colour.

The map is fitted to the base's own VAE, by least squares over pictures of smooth random colours. Not for: finished
pictures (bases/decoding.py).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..bases import Base
from ..bases.latents import from_vae

FIT_PX = 256
"""Side of the pictures it is fitted to, at most: colours are the same at any size."""


@dataclass(frozen=True)
class PreviewMap:
    """`colour = weight @ latent + bias`. Shapes: weight [3, C], bias [3]; float32."""

    weight: Tensor
    bias: Tensor

    def colours(self, latents: Tensor) -> Tensor:
        """[N, 3, h, w], about 0..1, of latents [N, C, h, w] as the denoiser knows them."""
        x = latents.to(self.weight)
        return torch.einsum("dc,nchw->ndhw", self.weight, x) + self.bias[:, None, None]

    def preview(self, latents: Tensor) -> Tensor:
        """8-bit RGB [h, w, 3] of one picture's latents [1, C, h, w]."""
        levels = (self.colours(latents)[0].clamp(0, 1) * 255).round()
        return levels.to(torch.uint8).permute(1, 2, 0).cpu()


@torch.no_grad()
def fit_preview_map(base: Base, num_pictures: int = 16) -> PreviewMap:
    """The map that comes nearest to what the base's VAE decodes."""
    side_px = min(base.picture_px, FIT_PX)
    pixels = colour_fields(num_pictures, side_px).to(base.device, base.vae.dtype)
    latents = torch.cat([_encoded(base, picture[None]) for picture in pixels])
    colours = functional.adaptive_avg_pool2d(pixels.float(), (latents.shape[2], latents.shape[3]))
    x = latents.movedim(1, -1).flatten(0, 2)
    x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    y = colours.movedim(1, -1).flatten(0, 2)
    is_known = torch.isfinite(x).all(dim=1)  # in half precision some VAEs overflow
    solution = torch.linalg.lstsq(x[is_known].cpu(), y[is_known].cpu()).solution.to(base.device)
    return PreviewMap(solution[:-1].T.contiguous(), solution[-1])


def colour_fields(num_pictures: int, side_px: int, seed: int = 0) -> Tensor:
    """Pictures [N, 3, H, W] in 0..1 of colours that change smoothly, coarsely and finely at once."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(num_pictures, 3, side_px, side_px)
    for cells in (1, 2, 4, 8):
        noise = torch.randn(num_pictures, 3, cells, cells, generator=generator)
        total += functional.interpolate(noise, size=(side_px, side_px), mode="bilinear")
    return torch.sigmoid(total)


def _encoded(base: Base, pixels: Tensor) -> Tensor:
    latents = base.vae.encode(pixels * 2 - 1).latent_dist.mode()
    return from_vae(base.vae, latents).float()
