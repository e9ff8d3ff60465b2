"""What decoding promises: finite pixels or an error, and a VAE too small for its numbers is widened once."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sealsmith.adapters.beside import weight_of
from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.decoding import decode
from sealsmith.errors import DrawingError
from sealsmith.generate import Request, generate


def latents_of(base: Base, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1, *base.latent_shape_of(32, 32)), generator=generator).to(base.dtype)


def overflow(base: Base) -> None:
    """Makes the VAE's first feature map reach far beyond 65504, the largest number of fp16."""
    weight = weight_of(base.vae.decoder.conv_in)
    weight.mul_(6e4 / float(weight.abs().max()))


@pytest.fixture(params=["none", "model-offload", "sequential-offload"])
def held_base(request: pytest.FixtureRequest, tiny_base_folder: Path) -> Base:
    return open_base(str(tiny_base_folder), wanted=Wanted("fp16", request.param))


@pytest.fixture
def fp16_base(tiny_base_folder: Path) -> Base:
    return open_base(str(tiny_base_folder), wanted=Wanted("fp16", "none"))


@torch.no_grad()
def test_a_vae_that_overflows_becomes_fp32_for_good_and_says_it_once(held_base: Base) -> None:
    overflow(held_base)
    latents = latents_of(held_base)
    first, said = decode(held_base, latents)
    assert said == "the VAE's numbers were too large for fp16: it decodes in fp32 from now on"
    assert held_base.vae.dtype == torch.float32
    assert torch.isfinite(first).all()
    assert first.std() > 0.01
    again, said_again = decode(held_base, latents)
    assert said_again == ""
    assert torch.equal(first, again)


@torch.no_grad()
def test_the_retry_is_what_fp32_draws(tiny_base: Base, fp16_base: Base) -> None:
    overflow(fp16_base)
    tiny_base.vae.load_state_dict(fp16_base.vae.state_dict())
    latents = latents_of(fp16_base)
    expected, said = decode(tiny_base, latents.float())
    assert said == ""
    assert torch.equal(decode(fp16_base, latents)[0], expected)


@torch.no_grad()
def test_a_vae_that_fits_in_fp16_stays_there(fp16_base: Base) -> None:
    pixels, said = decode(fp16_base, latents_of(fp16_base))
    assert said == ""
    assert fp16_base.vae.dtype == torch.float16
    assert pixels.dtype == torch.float32


def test_only_the_picture_it_happened_to_carries_the_warning(fp16_base: Base) -> None:
    overflow(fp16_base)
    request = Request("a red wax seal", num_steps=1, num_pictures=2, width=32, height=32)
    first, second = generate(fp16_base, request)
    assert [len(picture.warnings) for picture in (first, second)] == [1, 0]


@torch.no_grad()
def test_numbers_lost_even_in_fp32_are_an_error(held_base: Base) -> None:
    weight_of(held_base.vae.decoder.conv_out).fill_(torch.inf)
    with pytest.raises(DrawingError, match=r"not finite .* even in fp32") as error:
        decode(held_base, latents_of(held_base))
    assert "VAE is damaged" in error.value.remedy


@torch.no_grad()
@pytest.mark.parametrize("lost", [torch.nan, torch.inf, -torch.inf])
def test_latents_already_lost_are_not_blamed_on_the_vae(fp16_base: Base, lost: float) -> None:
    latents = latents_of(fp16_base)
    latents[0, 0, 0, 0] = lost
    with pytest.raises(DrawingError, match="what the denoiser made is not finite") as error:
        decode(fp16_base, latents)
    assert "--precision bf16 or fp32" in error.value.remedy
    assert fp16_base.vae.dtype == torch.float16


@torch.no_grad()
def test_slices_of_several_pictures_are_the_pictures(tiny_base: Base, tiny_base_folder: Path) -> None:
    sliced = open_base(str(tiny_base_folder), wanted=Wanted("fp32", "none", vae_slicing=True))
    rows = rows_of_calls(sliced.vae.decoder)
    latents = torch.cat([latents_of(tiny_base, seed) for seed in range(3)])
    expected, _ = decode(tiny_base, latents)
    torch.testing.assert_close(decode(sliced, latents)[0], expected, rtol=0, atol=1e-5)
    assert rows == [1, 1, 1]


def rows_of_calls(module: nn.Module) -> list[int]:
    """Numbers of rows of each call of the module, from now on."""
    rows: list[int] = []
    module.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    return rows
