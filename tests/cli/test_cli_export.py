"""`sealsmith export`: a folder that stock tools open, sidecars, and refusals that leave nothing behind."""

import json
import os
from pathlib import Path

import pytest
import torch
from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open
from seal_examples import random_seal

from sealsmith.adapters import read_seal, write_seal
from sealsmith.adapters.sidecars import facts_beside
from sealsmith.bases import Base
from sealsmith.cli import main
from sealsmith.generate import Picture, write_picture
from sealsmith.generate.recipe import Recipe
from sealsmith.settings import ENV_PREFIX


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def seal(tiny_base: Base, tmp_path: Path) -> Path:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("to_q",)))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    recipe = Recipe(
        "a red wax seal of sks emblem", "a red wax seal", "blurry", 1, 2, 3.0, "DDIM", 64, 64, "b", "d"
    )
    write_picture(Picture(torch.ones(3, 64, 64), recipe), tmp_path / "red.png")
    return tmp_path / "red.png"


def test_the_folder_has_the_same_seal_a_card_and_the_pictures_prompt(
    seal: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = ["--license", "mit", "--author", "me", "--tag", "logo", "--base-model", "someone/base"]
    assert main(["export", str(seal), "--hub", "hub", "-p", str(picture), *stated]) == 0
    paths = capsys.readouterr().out.splitlines()
    assert paths == ["hub/pytorch_lora_weights.safetensors", "hub/images/01.png", "hub/README.md"]
    before, after = read_seal(seal), read_seal(tmp_path / "hub" / LORA_WEIGHT_NAME_SAFE)
    assert after.header.trigger == before.header.trigger
    with safe_open(seal, "pt") as old, safe_open(tmp_path / paths[0], "pt") as new:
        assert set(old.keys()) == set(new.keys())
        assert all(torch.equal(old.get_tensor(key), new.get_tensor(key)) for key in old.keys())  # noqa: SIM118
        metadata = new.metadata()
    assert metadata["modelspec.thumbnail"].startswith("data:image/jpeg;base64,")
    assert (metadata["modelspec.author"], metadata["modelspec.license"]) == ("me", "mit")
    card = ModelCard.load(tmp_path / "hub" / "README.md").data.to_dict()
    assert (card["base_model"], card["license"], card["tags"][-1]) == ("someone/base", "mit", "logo")
    assert card["widget"] == [
        {
            "text": "a red wax seal of sks emblem",
            "parameters": {"negative_prompt": "blurry"},
            "output": {"url": "images/01.png"},
        }
    ]


def test_a_stock_pipeline_loads_the_folder_as_the_card_says(seal: Path, tiny_base: Base) -> None:
    assert main(["export", str(seal), "--hub", "hub"]) == 0
    assert 'pipeline.load_lora_weights("this folder")' in Path("hub/README.md").read_text()
    tiny_base.pipeline.load_lora_weights("hub")
    adapted = {name for name, module in tiny_base.denoiser.named_modules() if hasattr(module, "lora_A")}
    assert {f"unet.{name}" for name in adapted} == set(read_seal(seal).layers)


def test_sidecars_stand_beside_the_file_which_stays_as_it_was(
    seal: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = seal.read_bytes()
    assert main(["export", str(seal), "--sidecars", "-p", str(picture), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [Path(path).name for path in report["paths"]] == [
        "mark.json",
        "mark.civitai.info",
        "mark.preview.png",
    ]
    assert report["trigger"] == facts_beside(seal).trigger == "sks"
    assert seal.read_bytes() == before


def test_a_picture_without_a_recipe_is_shown_and_said(
    seal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")
    assert main(["export", str(seal), "--hub", "hub", "-p", "plain.png"]) == 0
    assert "warning: 'plain.png' carries no recipe" in capsys.readouterr().err
    assert ModelCard.load("hub/README.md").data.to_dict()["widget"][0]["text"] == "-"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "nothing to write was asked for"),
        (["--hub", "hub", "-p", "mark.safetensors"], "is no PNG"),
        (["--hub", "hub", "-p", "cut.png"], "cut.png"),
        (["--hub", "hub", "-p", "none.png"], "cannot read the picture 'none.png'"),
        (["--hub", "."], "is not empty"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    arguments: list[str], sentence: str, seal: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.png").write_bytes(picture.read_bytes()[:100])
    before = sorted(Path().rglob("*"))
    assert main(["export", str(seal), *arguments]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("error: ")
    assert said.out == ""
    assert sorted(Path().rglob("*")) == before
