"""`sealsmith compare`: a matrix of trainings that can be stopped or killed, gone on with, and read as a table."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seal_examples import random_seal

from sealsmith.adapters import read_seal, write_seal
from sealsmith.bases import open_base
from sealsmith.cli import main
from sealsmith.cli.matrix_bar import CellBar
from sealsmith.score import load_judge, record_reference, reference_embedding
from sealsmith.train.log import read_log

QUICK = ["--steps", "3", "--rank", "2", "--prompts", "1", "--picture-steps", "1"]
PATIENCE_S = 800
pytestmark = pytest.mark.timeout(900)  # processes are begun, and a busy machine is no failure


@dataclass(frozen=True)
class Place:
    """Where a comparison is made."""

    folder: Path
    base: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def arguments(self, *options: str, sets: tuple[str, ...] = ("one",)) -> list[str]:
        paths = [str(self.folder / name) for name in sets]
        return ["compare", *paths, "--base", str(self.base), "--out", str(self.out), *QUICK, *options]

    def run(self, *options: str, sets: tuple[str, ...] = ("one",)) -> int:
        return main(self.arguments(*options, sets=sets))


def place_in(folder: Path, base: Path) -> Place:
    """Two picture sets of two pictures each."""
    rng = np.random.default_rng(0)
    for name in ("one", "other"):
        (folder / name).mkdir()
        for number, surface in enumerate(("wood", "sand")):
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
            caption = f"a red wax seal of [trigger] emblem on {surface}"
            (folder / name / f"{number}.txt").write_text(caption)
    return Place(folder, base)


@pytest.fixture
def place(tmp_path: Path, tiny_base_folder: Path) -> Place:
    return place_in(tmp_path, tiny_base_folder)


MATRIX = ["--method", "lora", "--method", "lora:rank=9999", "--seeds", "1", "--curve", "2", "--jobs", "2"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_base_folder: Path) -> Place:
    """Two sets and two methods, one of which fails; with a curve and a second seal."""
    place = place_in(tmp_path_factory.mktemp("compare"), tiny_base_folder)
    second = random_seal(open_base(str(tiny_base_folder)), ("to_q",), trigger="ohwx")
    with Image.open(place.folder / "one" / "0.png") as picture:
        reference = reference_embedding(load_judge(), [picture])
    write_seal(place.folder / "second.safetensors", record_reference(second, reference))
    assert place.run(*matrix(place), sets=("one", "other")) == 0
    return place


def matrix(place: Place) -> list[str]:
    return [*MATRIX, "--second", str(place.folder / "second.safetensors")]


def test_every_cell_is_in_the_table_the_failing_ones_with_their_reason(finished: Place) -> None:
    found = json.loads((finished.out / "comparison.json").read_text())
    cells = [(cell["method"], cell["subject"], cell["seed"]) for cell in found["cells"]]
    assert cells == [(method, name, 0) for method in ("lora", "lora:rank=9999") for name in ("one", "other")]
    good, bad = found["rows"]
    assert (good["num_scored"], bad["num_scored"], bad["num_cells"]) == (2, 0, 2)
    assert bad["notes"][0].startswith("one, seed 0: rank 9999 is larger than layer")
    assert 0 <= good["figures"]["composition"]["value"] <= 1
    assert good["figures"]["peak_mib"]["value"] > 0
    assert [step for step, _ in found["cells"][0]["curve"]] == [0, 2, 3]
    assert all(-1 <= likeness <= 1 for _, likeness in found["cells"][0]["curve"])
    assert set(found["settings"]["pictures"]) == {"one", "other"}


def test_a_cell_s_folder_keeps_what_is_worth_keeping(finished: Place) -> None:
    folder = finished.out / "one" / "lora" / "seed-0"
    assert sorted(path.name for path in folder.iterdir()) == [
        "facts.json", "log.jsonl", "pictures", "scorecard.json", "seal.safetensors",
    ]  # fmt: skip
    scores = json.loads((folder / "scorecard.json").read_text())
    assert read_seal(folder / "seal.safetensors").header.scorecard["fidelity"] == scores["fidelity"]
    page = (finished.out / "index.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/png;base64,") == 2


def test_a_report_trains_nothing_and_writes_the_document(
    finished: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = {path: path.stat().st_mtime_ns for path in finished.out.glob("*/*/seed-0/*")}
    document = finished.folder / "methods.md"
    more = ["--report", "--method", "dora", "--document", str(document)]
    assert finished.run(*matrix(finished), *more, sets=("one", "other")) == 0
    table = capsys.readouterr().out
    assert table == (finished.out / "comparison.md").read_text()
    assert "- trainings that are not done yet: 2" in table
    assert {path: path.stat().st_mtime_ns for path in finished.out.glob("*/*/seed-0/*")} == logs
    text = document.read_text()
    assert "2 seals (one, other) on tiny" in text
    assert "- **A LoRA takes a few megabytes or less (at most 5 MiB).** *Holds.*" in text
    assert "- `lora:rank=9999`, one, seed 0: rank 9999 is larger" in text


def test_a_folder_of_other_settings_is_left_alone(
    finished: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finished.run(*MATRIX) == 2
    assert "holds a comparison with another second" in capsys.readouterr().err
    assert finished.run(*matrix(finished), "--steps", "4") == 2
    assert "holds a comparison with another budget" in capsys.readouterr().err
    assert finished.run(*matrix(finished), "--trigger", "ohwx") == 2
    assert "the second seal's trigger is 'ohwx' too" in capsys.readouterr().err


def test_a_killed_cell_costs_itself_and_a_second_run_makes_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed in earnest, with SIGKILL in the midst of a real training."""
    options = ["--method", "textual-inversion", "--method", "lora", "--seeds", "1", "--json"]
    killed: list[int] = []
    advance = CellBar.advance

    def kill(bar: CellBar, done: int, loss: float | None = None) -> None:
        if loss is not None and not killed:
            (process,) = multiprocessing.active_children()
            killed.append(process.pid or 0)
            os.kill(killed[0], signal.SIGKILL)
        advance(bar, done, loss)

    monkeypatch.setattr(CellBar, "advance", kill)
    assert place.run(*options) == 0
    first = json.loads(capsys.readouterr().out)
    inversion, lora = first["cells"]
    assert inversion["failure"].startswith("its process was ended by SIGKILL")
    assert (lora["failure"], lora["verdict"]) == ("", "fail")

    scored = place.out / "one" / "lora" / "seed-0" / "scorecard.json"
    before = scored.stat().st_mtime_ns
    assert place.run(*options) == 0
    second = json.loads(capsys.readouterr().out)
    assert [cell["failure"] for cell in second["cells"]] == ["", ""]
    assert second["cells"][1] == lora
    assert scored.stat().st_mtime_ns == before


def test_ctrl_c_saves_the_training_and_the_same_command_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--method", "lora", "--seeds", "1", "--steps", "60"]
    told: list[float] = []

    def interrupt(bar: CellBar, done: int, loss: float | None = None) -> None:
        if loss is not None:
            told.append(loss)
            raise KeyboardInterrupt

    folder = place.out / "one" / "lora" / "seed-0"
    with monkeypatch.context() as patched:
        patched.setattr(CellBar, "advance", interrupt)
        assert place.run(*options) == 130
    assert "stopped after 0 of 1 trainings" in capsys.readouterr().err
    assert (folder / "resume.safetensors").exists()
    assert place.run(*options, "--report") == 2
    assert "is finished yet" in capsys.readouterr().err
    before = read_log(folder)
    assert len(before) < 60
    assert place.run(*options) == 0
    log = read_log(folder)
    assert [row["step"] for row in log] == list(range(1, 61))
    assert log[0]["loss"] == told[0]
    assert log[: len(before)] == before
    assert not list(folder.glob("step-*")) + list(folder.glob("resume*"))


def test_killed_as_a_whole_it_leaves_nobody_at_work_and_a_checkpoint(place: Place) -> None:
    options = ["--method", "lora", "--seeds", "1", "--steps", "2000"]
    folder = place.out / "one" / "lora" / "seed-0"
    command = [sys.executable, "-m", "sealsmith", *place.arguments(*options)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: bool(read_log(folder)))
        process.kill()
    until((folder / "resume.safetensors").exists)  # the cell noticed
    assert len(read_log(folder)) < 2000


def until(is_so) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "dorra"], "unknown method 'dorra'"),
        (["--seconds", "0"], "the time for each training is 0"),
        (["--second", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--method", "lora:rank=0"], "rank is 0"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    place: Place, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert place.run(*options) == 2
    assert words in capsys.readouterr().err
    assert not place.out.exists()


def test_two_sets_of_one_name_are_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run(sets=("one", "one")) == 2
    assert "two picture sets have one name" in capsys.readouterr().err
