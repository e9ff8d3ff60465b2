import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.cli import main


@pytest.fixture
def mark(tiny_base, tmp_path):
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("attn2.to_k",)))
    return path


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr()


def test_one_command_writes_page_overlays_and_arrays(tiny_base_folder, mark, tmp_path, capsys):
    out = tmp_path / "attention"
    status, said = run(
        capsys, "attention", f"a red wax seal on wood <lora:{mark.stem}:0.8>", "--seals-folder", tmp_path,
        "--base", tiny_base_folder, "--seed", 3, "--steps", 2, "--out", out, "--json",
    )  # fmt: skip
    assert status == 0
    told = json.loads(said.out)
    assert told["prompt"] == "a red wax seal of sks on wood"
    assert list(told["words"]) == ["sks", "red", "wax", "seal", "wood"]
    assert Path(told["paths"]["page"]).read_text().startswith("<!doctype html>")
    assert [Path(path).name for path in told["paths"]["overlays"]][:2] == ["01-sks.png", "02-red.png"]
    assert json.loads((out / "summary.json").read_text())["seed"] == 3
    with np.load(told["paths"]["arrays"]) as arrays:
        assert arrays["words"].tolist() == list(told["words"])
        assert np.array_equal(arrays["after.picture"], np.asarray(Image.open(out / "after.png")))


def test_words_and_a_region_can_be_named(tiny_base_folder, mark, tmp_path, capsys):
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :16] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    status, said = run(
        capsys, "attention", "a red wax seal on wood", "--seal", mark, "--base", tiny_base_folder, "--seed", 3,
        "--steps", 1, "--out", tmp_path / "out", "--word", "wax seal", "--region", tmp_path / "mask.png", "--json",
    )  # fmt: skip
    assert status == 0
    told = json.loads(said.out)
    assert list(told["words"]) == ["sks", "wax seal"]
    assert told["region"] == {"area": 0.25, "is_given": True}


def test_without_a_seal_there_is_nothing_to_compare(tmp_path, capsys):
    status, said = run(capsys, "attention", "a seal", "--out", tmp_path / "out")
    assert status == 2
    assert "no seal is given" in said.err


def test_flux_is_looked_into_as_well(tiny_flux, tiny_flux_folder, tmp_path, capsys):
    write_seal(tmp_path / "f.safetensors", random_seal(tiny_flux, ("attn.to_k",)))
    status, said = run(
        capsys, "attention", "a red seal on wood", "--seal", tmp_path / "f.safetensors", "--base", tiny_flux_folder,
        "--seed", 1, "--steps", 1, "--rows", "image", "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert status == 0
    told = json.loads(said.out)
    assert (told["family"], told["rows"], told["layers"]) == (
        "joint attention",
        "image",
        ["double", "single"],
    )
