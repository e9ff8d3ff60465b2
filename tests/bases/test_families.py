"""Every family on a tiny random base of its own."""

import json
from pathlib import Path

import pytest
from torch import nn

from sealsmith.bases import open_base
from sealsmith.bases.recognise import recognised_family

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


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2"), (32, "sd1")])
def test_the_width_of_the_text_tells_the_versions_of_stable_diffusion_apart(
    tiny_sd1_folder: Path, tmp_path: Path, width: int, family: str
) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "model_index.json").write_bytes((tiny_sd1_folder / "model_index.json").read_bytes())
    (tmp_path / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": width}))
    assert recognised_family("versions", tmp_path).name == family
