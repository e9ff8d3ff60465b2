"""The main job on the command line, for families whose pictures no judge knows."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sealsmith.cli import main

TRAINING = ["--rank", "2", "--steps", "2", "--warmup", "0", "--lr", "0.01", "--no-score", "--trigger", "sks"]


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "only.png")
    return folder


@pytest.mark.parametrize("family", ["sdxl", "flux"])
def test_train_generate_and_score_work_on_every_family(
    family: str,
    picture_folder: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        monkeypatch.setenv(name, "error")
    base = ["--base", str(request.getfixturevalue(f"tiny_{family}_folder"))]
    assert main(["train", str(picture_folder), *base, "--out", str(tmp_path / "out"), *TRAINING]) == 0
    seal = capsys.readouterr().out.strip()

    options = ["--steps", "2", "--seed", "1", "--width", "96", "--height", "48", "--device", "cpu", "--json"]
    out = ["--out", str(tmp_path / "picture.png")]
    assert main(["generate", "a red seal", *base, "--seal", seal, *options, *out]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["warnings"] == []
    with Image.open(report["paths"][0]) as picture:
        assert picture.size == (96, 48)

    few = ["--prompts", "1", "--seeds", "1", "--steps", "1", "--json"]
    assert main(["score", seal, *base, *few]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["verdict"] == "unproven"
    assert "no judge knows the pictures of this base" in card["reasons"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "abacus"], "cannot use the device 'abacus'"),
        (["--width", "63"], "the width is 63 px"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(
    options: list[str],
    message: str,
    tiny_base_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = ["--out", str(tmp_path / "picture.png")]
    assert main(["generate", "a seal", "--base", str(tiny_base_folder), *options, *out]) == 2
    assert message in capsys.readouterr().err
