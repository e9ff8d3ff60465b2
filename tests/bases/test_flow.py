"""Patches and places as stock Flux has them."""

import torch
from diffusers import FluxPipeline
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases.flow import num_patches, pack, patch_places, shift, unpack

HALF = st.integers(1, 6)


@given(HALF, HALF, st.integers(1, 3))
def test_packing_is_stock_and_comes_back(rows: int, columns: int, num_rows: int) -> None:
    height, width = 2 * rows, 2 * columns
    latents = torch.arange(num_rows * 4.0 * height * width).view(num_rows, 4, height, width)
    packed = pack(latents)
    assert torch.equal(packed, FluxPipeline._pack_latents(latents, num_rows, 4, height, width))
    assert packed.shape[1] == num_patches(height, width)
    assert torch.equal(unpack(packed, height, width), latents)


@given(HALF, HALF)
def test_places_are_stock(rows: int, columns: int) -> None:
    stock = FluxPipeline._prepare_latent_image_ids(1, rows, columns, "cpu", torch.float32)
    assert torch.equal(patch_places(rows, columns).float(), stock)


def test_the_shift_of_published_sizes() -> None:
    assert shift({}, 256) == 0.5
    assert abs(shift({}, 4096) - 1.15) < 1e-12
