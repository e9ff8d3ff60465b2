"""Every family on a tiny random base of its own."""

from pathlib import Path

import pytest
from torch import nn

from sealsmith.bases import open_base

PARTS = {
    "sd1": ["unet", "text_encoder"],
    "sdxl": ["unet", "text_encoder", "text_encoder_2"],
    "flux": ["transformer", "text_encoder", "text_encoder_2"],
}


@pytest.mark.parametrize("family", sorted(PARTS))
def test_the_pipeline_decides_the_family_and_its_parts(family: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(f"tiny_{family}_folder")
    base = open_base(str(folder))
    assert base.family.name == family
    assert list(base.components) == PARTS[family]
    assert base.components[PARTS[family][0]] is base.denoiser
    for part in base.components.values():
        assert isinstance(part, nn.Module)
        assert not part.training
        assert not any(parameter.requires_grad for parameter in part.parameters())
    assert base.picture_px == 64
    assert base.latent_shape == (base.vae.config.latent_channels, 8, 8)
