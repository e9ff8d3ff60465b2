"""Precision and memory on the command line: chosen, said with their reasons, kept in the recipe."""

import json
from pathlib import Path

import pytest
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.bases import Base
from sealsmith.cli import main
from sealsmith.generate import read_recipe

HELD = ["--precision", "bf16", "--memory", "sequential-offload", "--vae-tiling", "--no-vae-slicing"]


pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def seal_path(tiny_base: Base, tmp_path: Path) -> Path:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("to_q", "to_k", "to_v", "to_out.0")))
    return path


def generate(folder: Path, *arguments: str) -> int:
    return main(
        ["generate", "a red wax seal", "--base", str(folder), "--steps", "1", "--seed", "1", *arguments]
    )


def test_the_plan_is_chosen_said_and_kept(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tiny_base_folder, "--seal", str(seal_path), "--json", *HELD) == 0
    out, err = capsys.readouterr()
    said = "plan: bf16 (as asked), memory sequential-offload (as asked), VAE tiled above 64 px (as asked)\n"
    assert said in err
    report = json.loads(out)
    plan = report["plan"]
    assert (plan["precision"], plan["memory"], plan["vae_slicing"]) == ("bf16", "sequential-offload", False)
    assert plan["reasons"]["precision"] == "as asked"
    assert read_recipe(Path(report["paths"][0])).precision == "bf16"


def test_left_alone_a_cpu_draws_in_full_precision(
    tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tiny_base_folder) == 0
    out, err = capsys.readouterr()
    assert "plan: fp32 (full precision, on cpu), memory none (the weights rest where they are used)" in err
    assert read_recipe(Path(out.strip())).precision == "fp32"


def test_settings_choose_the_plan(
    tiny_base_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sealsmith.toml").write_text('precision = "bf16"\n')
    monkeypatch.setenv("SEALSMITH_MEMORY", "model-offload")
    assert generate(tiny_base_folder) == 0
    assert "plan: bf16 (as asked), memory model-offload (as asked)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--precision", "fp8", "there is no precision 'fp8'"),
        ("--memory", "disk", "there is no memory plan 'disk'"),
    ],
)
def test_what_there_is_not_is_refused(
    option: str, value: str, message: str, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tiny_base_folder, option, value) == 2
    err = capsys.readouterr().err
    assert f"error: {message}" in err
    assert "hint: choose one of auto, " in err
