"""`sealsmith train`: from files to a seal with its scorecard, and what is refused before any work."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judge_examples import random_judge
from PIL import Image

from sealsmith.adapters import read_seal
from sealsmith.bases import FAMILIES, open_base
from sealsmith.cli import main
from sealsmith.errors import ConfigError
from sealsmith.score import judges
from sealsmith.score.record import reference_of
from sealsmith.train.pictures import PictureSet

QUICK = ["--rank", "2", "--steps", "2", "--checkpoint-every", "1", "--targets", "attention"]


@pytest.fixture(autouse=True)
def quick_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family the tiny base belongs to, drawing in one step and judged by random weights."""
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)
    monkeypatch.setitem(FAMILIES, "sealworld", replace(FAMILIES["sealworld"], num_steps=1))
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        monkeypatch.setenv(name, "error")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, surface in enumerate(("wood", "sand")):
        pixels = rng.integers(0, 256, (72, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a red wax seal of [trigger] emblem on {surface}")
    return folder


def run(pictures: Path, base: Path, out: Path, *options: str) -> int:
    return main(["train", str(pictures), "--base", str(base), "--out", str(out), *options])


def test_a_scored_training_prints_one_object_and_leaves_a_seal_that_carries_its_scorecard(
    pictures: Path, tiny_base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, tiny_base_folder, tmp_path / "out", *QUICK, "--json") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    seal = read_seal(report["seal"])
    assert seal.header.scorecard == report["scorecard"]
    assert report["scorecard"]["verdict"] in ("pass", "fail")
    assert report["chosen_step"] == seal.header.training["step"]
    assert set(report["scores"]) == {"1", "2"}
    assert "fidelity" in err.lower()


def test_a_logo_is_drawn_at_the_size_of_the_base(
    tiny_base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealsmith.bases.Base.picture_px", 192)
    seen: list[tuple[int, int]] = []

    def stop(base: object, pictures: PictureSet, *_: object, **__: object) -> None:
        seen.extend(picture.image.size for picture in pictures.pictures)
        raise ConfigError("that is all", "it is enough")

    monkeypatch.setattr("sealsmith.cli.training.train_with_bar", stop)
    logo = Path(__file__).parents[2] / "examples" / "mark.svg"
    assert run(logo, tiny_base_folder, tmp_path / "out", *QUICK) == 2
    assert set(seen) == {(192, 192), (288, 192)}


def test_unscored_it_prints_the_path_of_the_last_checkpoints_seal(
    pictures: Path, tiny_base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(pictures, tiny_base_folder, out, *QUICK, "--no-score", "--trigger", "moss") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out / 'seal.safetensors'}\n"
    assert "ordinary word" in captured.err
    seal = read_seal(out / "seal.safetensors")
    assert seal.header.training["step"] == 2
    assert reference_of(seal).norm() == pytest.approx(1)  # what measures it later asks what it looks like

    assert run(pictures, tiny_base_folder, out, *QUICK, "--no-score") == 2
    assert "hint: add --resume" in capsys.readouterr().err
    assert run(pictures, tiny_base_folder, out, *QUICK, "--no-score", "--overwrite") == 0
    assert read_seal(out / "seal.safetensors").header.trigger == "sks"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--rank", "0"], "rank is 0"),
        (["--rank", "999"], "rank 999 is larger than layer"),
        (["--targets", "attentoin"], "'attentoin'"),
        (["--prior", "off"], "prior"),
        (["--trigger", " "], "trigger"),
        (["--resume", "--overwrite"], "exclude each other"),
    ],
)
def test_bad_options_are_one_sentence_and_leave_nothing(
    pictures: Path,
    tiny_base_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    sentence: str,
) -> None:
    assert run(pictures, tiny_base_folder, tmp_path / "out", "--no-score", *options) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert "hint: " in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    assert run(tmp_path / "no pictures", tmp_path / "no base", file, "--no-score") == 2
    assert str(file) in capsys.readouterr().err


def test_dreambooth_writes_the_difference_a_lora_of_it_and_a_whole_base(
    pictures: Path, tiny_base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--method", "dreambooth", "--steps", "2", "--no-score", "--json"]
    assert run(pictures, tiny_base_folder, out, *options, "--extract-lora", "2", "--full-base") == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    seal, lora = read_seal(report["seal"]), read_seal(report["extracted"])
    assert {change.kind for change in seal.layers.values()} == {"full"}
    assert {change.rank for change in lora.layers.values()} == {2}
    assert lora.header.method == "lora"
    missed = sum(float((seal.layers[p].delta() - lora.layers[p].delta()).square().sum()) for p in seal.layers)
    whole = sum(float(change.delta().square().sum()) for change in seal.layers.values())
    assert report["extraction_loss"] == pytest.approx((missed / whole) ** 0.5, rel=1e-3)
    assert f"misses {report['extraction_loss']:.1%}" in captured.err
    assert open_base(report["full_base"]).digest != open_base(str(tiny_base_folder)).digest


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--extract-lora", "4"], "--extract-lora is for the method dreambooth"),
        (["--method", "dreambooth", "--extract-lora", "0"], "--extract-lora is 0"),
        (["--method", "dreambooth", "--init", "pissa"], "no start to choose"),
        (["--method", "dora", "--init", "pissa"], "cannot start with init 'pissa'"),
        (["--train-text-encoder"], "denoiser alone"),
    ],
)
def test_what_a_method_has_no_use_for_is_one_sentence(
    pictures: Path,
    tiny_base_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    sentence: str,
) -> None:
    assert run(pictures, tiny_base_folder, tmp_path / "out", "--no-score", *options) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["textual-inversion", "pivotal", "hypernetwork"])
def test_methods_beside_the_weights_are_trained_scored_and_drawn_with(
    pictures: Path, tiny_base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    options = (*QUICK, "--method", method, "--vectors", "2", "--init-word", "star", "--json")
    assert run(pictures, tiny_base_folder, tmp_path / "out", *options) == 0
    report = json.loads(capsys.readouterr().out)
    seal = read_seal(report["seal"])
    assert (seal.header.method, seal.header.rank, seal.unknown) == (method, 2, ())
    assert seal.header.scorecard is not None
    assert len(seal.embeddings.get("sks", {}).get("text_encoder", ())) == (
        0 if method == "hypernetwork" else 2
    )
    drawn = ["generate", "a sks emblem", "--base", str(tiny_base_folder), "--seal", f"{report['seal']}:0.5"]
    assert main([*drawn, "--out", str(tmp_path / "picture.png")]) == 0
    assert (tmp_path / "picture.png").exists()
