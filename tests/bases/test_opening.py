"""Every word for a base opens it, and what is no base is refused with what to do."""

import json
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from original_checkpoint import write_original
from safetensors.torch import load_file, save_file

from sealsmith.bases import Base, open_base
from sealsmith.errors import BaseError, ConfigError


def assert_same_weights(one: Base, other: Base) -> None:
    for name, part in {**one.components, "vae": one.vae}.items():
        theirs = getattr(other.pipeline, name).state_dict()
        for key, tensor in part.state_dict().items():
            assert torch.equal(theirs[key], tensor), f"{name}.{key}"


def without_weights(folder: Path, target: Path) -> Path:
    """The configuration and tokenizers of a base alone, as a companion of a single file needs them."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
    return target


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty local cache, and no network."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return cache


@pytest.mark.parametrize("place", ["beside", "around"])
def test_a_single_file_opens_by_the_folder_beside_or_around_it(
    tiny_sd1: Base, tiny_sd1_folder: Path, tmp_path: Path, no_hub: Path, place: str
) -> None:
    if place == "beside":
        without_weights(tiny_sd1_folder, tmp_path / "tuned")
        path = tmp_path / "tuned.safetensors"
    else:
        path = without_weights(tiny_sd1_folder, tmp_path / "repository") / "v1-tuned.safetensors"
    base = open_base(str(write_original(tiny_sd1_folder, path)))
    assert (base.family.name, base.name) == ("sd1", path.stem)
    assert_same_weights(tiny_sd1, base)
    assert base.digest != tiny_sd1.digest


def test_a_single_file_of_xl_opens_with_both_its_text_encoders(
    tiny_sdxl: Base, tiny_sdxl_folder: Path, tmp_path: Path, no_hub: Path
) -> None:
    path = write_original(tiny_sdxl_folder, tmp_path / "xl.safetensors")
    without_weights(tiny_sdxl_folder, tmp_path / "xl")
    base = open_base(str(path))
    assert base.family.name == "sdxl"
    assert_same_weights(tiny_sdxl, base)


def test_what_a_single_file_lacks_comes_from_the_folder_beside_it(
    tiny_sd1: Base, tiny_sd1_folder: Path, tmp_path: Path, no_hub: Path
) -> None:
    path = write_original(tiny_sd1_folder, tmp_path / "denoiser.safetensors")
    denoiser = {name: t for name, t in load_file(path).items() if name.startswith("model.diffusion_model.")}
    save_file(denoiser, path)
    shutil.copytree(tiny_sd1_folder, tmp_path / "denoiser")
    base = open_base(str(path))
    assert_same_weights(tiny_sd1, base)
    assert [file.parent.name for file in base.weights] == [tmp_path.name, "vae", "text_encoder"]
    (tmp_path / "denoiser" / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(BaseError, match=r"cannot be opened.*vae"):
        open_base(str(path))


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.out.2.weight",
        "first_stage_model.decoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.final_layer_norm.weight",
    ],
)
def test_a_single_file_that_lacks_one_weight_is_refused(
    tiny_sd1_folder: Path, tmp_path: Path, no_hub: Path, name: str
) -> None:
    path = write_original(tiny_sd1_folder, tmp_path / "holed.safetensors")
    save_file({key: tensor for key, tensor in load_file(path).items() if key != name}, path)
    without_weights(tiny_sd1_folder, tmp_path / "holed")
    with pytest.raises(BaseError, match="lacks weights"):
        open_base(str(path))


@pytest.mark.parametrize(
    ("names", "repository"),
    [
        (["model.diffusion_model.input_blocks.0.0.weight"], "stable-diffusion-v1-5"),
        (
            [
                "model.diffusion_model.input_blocks.0.0.weight",
                "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias",
            ],
            "stable-diffusion-xl-base",
        ),
        (["double_blocks.0.img_attn.norm.key_norm.scale"], "FLUX"),
    ],
)
def test_the_kind_of_a_lone_file_is_told_from_its_names(
    tmp_path: Path, no_hub: Path, names: list[str], repository: str
) -> None:
    path = tmp_path / "alone.safetensors"
    save_file({name: torch.zeros(2, 2) for name in names}, path)
    with pytest.raises(BaseError, match=f"those of .*{repository}"):
        open_base(str(path))


def test_a_single_file_alone_says_what_is_missing_and_where_to_put_it(
    tiny_sd1_folder: Path, tmp_path: Path, no_hub: Path
) -> None:
    path = write_original(tiny_sd1_folder, tmp_path / "alone.safetensors")
    with pytest.raises(BaseError, match=r"weights alone.*tokenizers and configuration") as error:
        open_base(str(path))
    assert str(tmp_path / "alone") in error.value.remedy


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path, no_hub: Path) -> None:
    pickled = tmp_path / "model.ckpt"
    torch.save({}, pickled)
    with pytest.raises(BaseError, match=r"no \.safetensors file"):
        open_base(str(pickled))
    lora = tmp_path / "mark.safetensors"
    save_file({"lora_unet_x.lora_up.weight": torch.ones(2, 2)}, lora)
    with pytest.raises(BaseError, match="no denoiser") as error:
        open_base(str(lora))
    assert "give it as a seal" in error.value.remedy
    lora.write_bytes(b"\xff" * 100)
    with pytest.raises(BaseError, match="is damaged"):
        open_base(str(lora))


def test_a_hub_id_opens_from_the_local_cache(tiny_sd1: Base, tiny_sd1_folder: Path, no_hub: Path) -> None:
    repository = no_hub / "models--somebody--tiny"
    commit = "0" * 40
    shutil.copytree(tiny_sd1_folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    base = open_base("somebody/tiny")
    assert base.name == "somebody/tiny"
    assert base.digest == tiny_sd1.digest


def test_a_hub_id_that_is_nowhere_is_refused(no_hub: Path) -> None:
    with pytest.raises(BaseError, match=r"no base 'somebody/nothing'.*the local cache lacks it"):
        open_base("somebody/nothing")


def test_a_folder_comes_before_a_hub_id(
    tiny_sd1_folder: Path, tmp_path: Path, no_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_sd1_folder, tmp_path / "somebody" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert open_base("somebody/tiny").name == "tiny"


def test_weights_of_a_variant_alone_are_opened(tiny_sd1: Base, tiny_sd1_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(tiny_sd1_folder, folder)
    for path in folder.glob("*/*.safetensors"):
        path.rename(path.with_suffix(".fp16.safetensors"))
    assert_same_weights(tiny_sd1, open_base(str(folder)))


def test_a_variant_beside_plain_weights_changes_nothing(
    tiny_sd1: Base, tiny_sd1_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    shutil.copytree(tiny_sd1_folder, folder)
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"of no interest")
    assert open_base(str(folder)).digest == tiny_sd1.digest


def test_a_pipeline_of_another_kind_is_named(tiny_sd1_folder: Path, tmp_path: Path) -> None:
    folder = without_weights(tiny_sd1_folder, tmp_path / "other")
    index = folder / "model_index.json"
    facts = json.loads(index.read_text())
    index.write_text(json.dumps(facts | {"_class_name": "KandinskyPipeline"}))
    with pytest.raises(BaseError, match="is a KandinskyPipeline") as error:
        open_base(str(folder))
    assert "FluxPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline" in error.value.remedy
    (folder / "sealsmith.json").write_text(json.dumps({"family": "sdxl"}))
    with pytest.raises(BaseError, match=r"not a sdxl as its sealsmith.json says"):
        open_base(str(folder))
    index.write_text("{")
    with pytest.raises(BaseError, match=r"model_index\.json is damaged"):
        open_base(str(folder))


def test_a_denoiser_that_wants_more_than_noise_is_refused(
    tiny_sd1: Base, tiny_sd1_folder: Path, tmp_path: Path
) -> None:
    pipeline = tiny_sd1.pipeline
    pipeline.unet = type(pipeline.unet).from_config(pipeline.unet.config, in_channels=9)
    pipeline.save_pretrained(tmp_path / "inpainting")
    with pytest.raises(BaseError, match="takes 9 channels and its VAE has 4"):
        open_base(str(tmp_path / "inpainting"))


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=device):
        open_base("sealworld", device)


def test_what_only_u_nets_have_is_refused_for_a_transformer(tiny_flux: Base) -> None:
    with pytest.raises(BaseError, match="no U-Net but a transformer"):
        _ = tiny_flux.unet
