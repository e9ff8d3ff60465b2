import json
from pathlib import Path

import pytest
import torch

from sealsmith.bases import FAMILIES, TARGET_GROUPS, Base, open_base
from sealsmith.errors import BaseError


def test_base_is_frozen_and_identified(tiny_base: Base, tiny_base_folder: Path) -> None:
    assert tiny_base.family.name == "sealworld"
    assert tiny_base.latent_shape == (8, 8, 8)
    assert tiny_base.picture_px == 64
    assert not any(p.requires_grad for p in tiny_base.unet.parameters())
    assert {p.dtype for p in tiny_base.text_encoder.parameters()} == {torch.float32}
    assert tiny_base.digest == open_base(str(tiny_base_folder)).digest


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="nowhere"):
        open_base(str(tmp_path / "nowhere"))


def test_broken_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(BaseError, match="cannot be opened"):
        open_base(str(tmp_path))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_family_names_its_targets(name: str) -> None:
    family = FAMILIES[name]
    assert set(family.default_targets) <= set(TARGET_GROUPS)
    assert family.targets(TARGET_GROUPS) == (
        *family.attention_targets,
        *family.feed_forward_targets,
        *family.conv_targets,
    )
