import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

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


def test_damaged_weights_are_refused(tiny_base_folder: Path, tmp_path: Path) -> None:
    for part in ("unet/diffusion_pytorch_model", "text_encoder/model"):
        folder = tmp_path / part.partition("/")[0]
        shutil.copytree(tiny_base_folder, folder)
        weights = folder / f"{part}.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(BaseError, match="cannot be opened"):
            open_base(str(folder))


def test_pickled_weights_are_never_opened(tiny_base_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_base_folder, folder)
    safe = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(safe), safe.with_suffix(".bin"))
    safe.unlink()
    with pytest.raises(BaseError, match="cannot be opened"):
        open_base(str(folder))


@pytest.mark.parametrize("declared", ["{}", "[]", "sealworld", '{"family": "sdxxl"}'])
def test_a_family_nobody_knows_is_refused(tiny_base_folder: Path, tmp_path: Path, declared: str) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(tiny_base_folder, folder)
    (folder / "sealsmith.json").write_text(declared)
    with pytest.raises(BaseError, match=r"sealsmith\.json"):
        open_base(str(folder))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_family_names_its_targets(name: str) -> None:
    family = FAMILIES[name]
    assert set(family.default_targets) <= set(TARGET_GROUPS)
    assert family.targets(TARGET_GROUPS) == (
        *family.attention_targets,
        *family.feed_forward_targets,
        *family.conv_targets,
    )
