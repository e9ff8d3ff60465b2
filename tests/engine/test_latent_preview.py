"""Previews say roughly what the VAE would."""

import torch
from torch.nn import functional

from sealsmith.bases import Base, open_base
from sealsmith.bases.decoding import decode
from sealsmith.bases.latents import from_vae
from sealsmith.engine.latent_preview import colour_fields, fit_preview_map


@torch.no_grad()
def test_the_embedded_bases_previews_are_near_its_decoded_pictures() -> None:
    base = open_base()
    preview_map = fit_preview_map(base, num_pictures=4)
    pixels = colour_fields(2, base.picture_px, seed=1)
    latents = from_vae(base.vae, base.vae.encode(pixels * 2 - 1).latent_dist.mode())
    decoded = functional.adaptive_avg_pool2d(decode(base, latents)[0], tuple(latents.shape[2:]))
    error = (preview_map.colours(latents) - decoded).square().mean()
    spread = (decoded - decoded.mean(dim=(0, 2, 3), keepdim=True)).square().mean()
    assert error < 0.25 * spread


def test_a_preview_is_one_pixel_a_latent_in_8_bits(tiny_flux: Base) -> None:
    preview_map = fit_preview_map(tiny_flux, num_pictures=2)
    pixels = preview_map.preview(torch.randn(1, 16, 4, 6))
    assert (pixels.shape, pixels.dtype) == ((4, 6, 3), torch.uint8)
