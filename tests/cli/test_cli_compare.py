"""`sealsmith compare`: a matrix of trainings that can be stopped, gone on with, and read as a table."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from judge_examples import random_judge
from PIL import Image
from seal_examples import random_seal

from sealsmith.adapters import read_seal, write_seal
from sealsmith.bases import FAMILIES, Base
from sealsmith.bench import cell as cells
from sealsmith.cli import main
from sealsmith.cli.compare import MatrixBar
from sealsmith.errors import TrainingError
from sealsmith.score import judges, record_reference
from sealsmith.train import TrainConfig
from sealsmith.train.log import read_log

QUICK = ["--steps", "2", "--rank", "2", "--prompts", "1"]


@pytest.fixture(autouse=True)
def quick_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family the tiny base belongs to, drawing in one step and judged by random weights."""
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)
    monkeypatch.setitem(FAMILIES, "sealworld", replace(FAMILIES["sealworld"], num_steps=1))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, surface in enumerate(("wood", "sand")):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a red wax seal of [trigger] emblem on {surface}")
    return folder


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(method, seed) of every cell's training that begins; dora's breaks down at seed 1."""
    begun: list[tuple[str, int]] = []
    real = cells.train

    def train(base, pictures, config: TrainConfig, folder, **more):
        if not folder.name.startswith("seed-"):
            return real(base, pictures, config, folder, **more)
        begun.append((config.init or config.method, config.seed))
        if begun[-1] == ("dora", 1):
            raise TrainingError("the training broke down at step 1: loss nan", "lower the learning rate")
        return real(base, pictures, config, folder, **more)

    monkeypatch.setattr(cells, "train", train)
    return begun


def run(pictures: Path, base: Path, *options: str) -> int:
    out = pictures.parent / "out"
    return main(["compare", str(pictures), "--base", str(base), "--out", str(out), *QUICK, *options])


def test_a_failing_cell_is_in_its_row_and_a_second_run_does_only_what_is_missing(
    pictures: Path,
    tiny_base_folder: Path,
    trainings: list[tuple[str, int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    matrix = ["--methods", "pissa,dora", "--seeds", "2"]
    assert run(pictures, tiny_base_folder, *matrix, "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert trainings == [("pissa", 0), ("dora", 0), ("pissa", 1), ("dora", 1)]
    pissa, dora = first["rows"]
    assert (pissa["num_scored"], dora["num_scored"], dora["num_cells"]) == (2, 1, 2)
    assert dora["notes"][-1] == "seed 1: the training broke down at step 1: loss nan"
    assert pissa["figures"]["fidelity"]["ci"][1] > 0
    assert pissa["figures"]["num_parameters"]["value"] > 0
    assert any("no second seal was given" in note for note in first["notes"])
    assert first == json.loads((pictures.parent / "out" / "comparison.json").read_text())

    trainings.clear()
    assert run(pictures, tiny_base_folder, *matrix, "--json") == 0
    assert trainings == [("dora", 1)]
    assert json.loads(capsys.readouterr().out) == first


def test_a_table_a_page_and_a_folder_for_each_cell(
    pictures: Path, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, tiny_base_folder, "--methods", "textual-inversion", "--seeds", "1") == 0
    out = pictures.parent / "out"
    assert capsys.readouterr().out == (out / "comparison.md").read_text()
    page = (out / "index.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/png;base64,") == 1
    folder = out / "textual-inversion" / "seed-0"
    assert sorted(path.name for path in folder.iterdir()) == [
        "facts.json", "log.jsonl", "pictures", "scorecard.json", "seal.safetensors",
    ]  # fmt: skip
    scores = json.loads((folder / "scorecard.json").read_text())
    assert read_seal(folder / "seal.safetensors").header.scorecard["fidelity"] == scores["fidelity"]


def test_two_seals_in_one_picture_are_a_column(
    tiny_base: Base,
    pictures: Path,
    tiny_base_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    second = random_seal(tiny_base, ("to_q",), trigger="ohwx")
    path = tmp_path / "second.safetensors"
    write_seal(path, record_reference(second, torch.nn.functional.normalize(torch.ones(16), dim=0)))
    options = ["--methods", "lora", "--seeds", "1", "--second", str(path)]
    assert run(pictures, tiny_base_folder, *options, "--json") == 0
    composition = json.loads(capsys.readouterr().out)["rows"][0]["figures"]["composition"]
    assert 0 <= composition["value"] <= 1
    assert run(pictures, tiny_base_folder, *options, "--trigger", "ohwx") == 2
    assert "the second seal's trigger is 'ohwx' too" in capsys.readouterr().err


def test_several_picture_sets_are_one_table(
    pictures: Path, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = pictures.rename(pictures.parent / "one").parent / "other"
    shutil.copytree(other.parent / "one", other)
    Image.new("RGB", (64, 64), "red").save(other / "0.png")
    options = [str(other), "--methods", "lora", "--seeds", "1", "--json"]
    assert run(other.parent / "one", tiny_base_folder, *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert [cell["subject"] for cell in found["cells"]] == ["one", "other"]
    assert found["rows"][0]["num_cells"] == 2
    assert set(found["settings"]["pictures"]) == {"one", "other"}
    assert (other.parent / "out" / "other" / "lora" / "seed-0" / "facts.json").exists()
    assert run(other, tiny_base_folder, *options) == 2
    assert "two picture sets have one name" in capsys.readouterr().err


def test_a_stopped_comparison_goes_on(
    pictures: Path,
    tiny_base_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    matrix = ["--methods", "lora", "--seeds", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(cells, "score_seal", interrupted)
        assert run(pictures, tiny_base_folder, *matrix) == 130
    assert "stopped after 0 of 1 trainings" in capsys.readouterr().err
    monkeypatch.setattr(cells, "train", interrupted)  # the training is done already
    assert run(pictures, tiny_base_folder, *matrix) == 0


def test_a_training_that_was_stopped_goes_on_from_its_step(
    pictures: Path, tiny_base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = ["--methods", "lora", "--seeds", "1"]
    told: list[float] = []

    def advance(bar: MatrixBar, done: int, loss: float | None = None) -> None:
        told.extend([] if loss is None else [loss])
        if len(told) == 2:  # the first was warming up
            raise KeyboardInterrupt

    folder = pictures.parent / "out" / "lora" / "seed-0"
    with monkeypatch.context() as patched:
        patched.setattr(MatrixBar, "advance", advance)
        assert run(pictures, tiny_base_folder, *matrix) == 130
    assert (folder / "resume.safetensors").exists()
    assert run(pictures, tiny_base_folder, *matrix) == 0
    assert [row["step"] for row in read_log(folder)] == [1, 2]
    assert read_log(folder)[0]["loss"] == told[1]
    assert not list(folder.glob("step-*")) + list(folder.glob("resume*"))


def test_a_folder_of_other_settings_is_left_alone(
    pictures: Path, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, tiny_base_folder, "--methods", "lora", "--seeds", "1") == 0
    capsys.readouterr()
    assert run(pictures, tiny_base_folder, "--methods", "lora", "--seeds", "1", "--steps", "3") == 2
    assert "holds a comparison with another budget" in capsys.readouterr().err


def test_a_budget_of_time_becomes_steps_and_is_kept(pictures: Path, tiny_base_folder: Path) -> None:
    options = ["--methods", "lora", "--seeds", "1", "--seconds", "0.05"]
    assert run(pictures, tiny_base_folder, *options) == 0
    folder = pictures.parent / "out" / "lora" / "seed-0"
    facts, pace = (json.loads((folder / name).read_text()) for name in ("facts.json", "pace.json"))
    assert facts["num_steps"] == pace["num_steps"] >= 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--methods", "lora,dorra"], "unknown method 'dorra'"),
        (["--methods", ","], "there is nothing to compare"),
        (["--seconds", "0"], "the time for each training is 0"),
        (["--second", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    pictures: Path, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(pictures, tiny_base_folder, *options) == 2
    assert words in capsys.readouterr().err
    assert not (pictures.parent / "out").exists()
