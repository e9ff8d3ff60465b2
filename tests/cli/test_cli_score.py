import json

import pytest
import torch
from judge_examples import random_judge
from PIL import Image
from seal_examples import random_seal, write_foreign

from sealsmith.adapters import write_seal
from sealsmith.cli import main
from sealsmith.score import judges, record_reference

FEW = ["--prompts", "1", "--seeds", "1", "--steps", "1"]


@pytest.fixture
def seal_path(tiny_base, tmp_path):
    reference = torch.nn.functional.normalize(torch.ones(16), dim=0)
    path = tmp_path / "lion.safetensors"
    write_seal(path, record_reference(random_seal(tiny_base, ("to_q", "to_out.0")), reference))
    return path


@pytest.fixture(autouse=True)
def small_judge(monkeypatch):
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)


def run(seal_path, folder, *options):
    return main(["score", str(seal_path), "--base", str(folder), *FEW, *map(str, options)])


def test_two_runs_print_the_same_object(seal_path, tiny_base_folder, capsys):
    assert run(seal_path, tiny_base_folder, "--json") == 0
    first = capsys.readouterr().out
    assert run(seal_path, tiny_base_folder, "--json") == 0
    assert capsys.readouterr().out == first
    assert json.loads(first)["settings"]["num_steps"] == 1


def test_a_score_can_be_measured_under_a_plan(seal_path, tiny_base_folder, capsys):
    assert run(seal_path, tiny_base_folder, "--json") == 0
    whole = json.loads(capsys.readouterr().out)
    assert run(seal_path, tiny_base_folder, "--json", "--memory", "sequential-offload") == 0
    out, err = capsys.readouterr()
    assert "plan: fp32 (full precision, on cpu), memory sequential-offload (as asked)" in err
    assert json.loads(out)["fidelity"] == whole["fidelity"]


def test_the_table_is_for_people_and_the_page_for_keeping(seal_path, tiny_base_folder, tmp_path, capsys):
    page = tmp_path / "pages" / "score.html"
    assert run(seal_path, tiny_base_folder, "--html", page) == 0
    printed = capsys.readouterr()
    assert "verdict:" in printed.out
    assert page.read_text().startswith("<!doctype html>")


def test_pictures_take_the_place_of_the_recorded_reference(seal_path, tiny_base_folder, tmp_path, capsys):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M1 1h6v2H1z"/></svg>')
    assert run(seal_path, tiny_base_folder, "--json") == 0
    recorded = json.loads(capsys.readouterr().out)
    assert run(seal_path, tiny_base_folder, "--json", "--pictures", logo) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["fidelity"]["similarity"] != recorded["fidelity"]["similarity"]
    assert given["drift"] == recorded["drift"]


def test_another_tools_seal_is_measured_by_pictures(tiny_base, tiny_base_folder, tmp_path, capsys):
    seal = write_foreign(tmp_path / "foreign.safetensors", random_seal(tiny_base, ("to_q", "to_out.0")))
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "one.png")
    (folder / "one.txt").write_text("a red thing")
    assert run(seal, tiny_base_folder, "--json", "--pictures", folder) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["fidelity"]["similarity"] is not None
    assert "captions do not say the trigger" not in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--html", "page.pdf"], "page.pdf"),
        (["--pictures", "nowhere"], "nowhere does not exist"),
        (["--strength", "nan"], "strength"),
        (["--prompts", "0"], "num_prompts is 0"),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(seal_path, tiny_base_folder, capsys, options, words):
    assert run(seal_path, tiny_base_folder, *options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "hint:" in error
    assert "Traceback" not in error


def test_a_file_that_is_no_seal_is_refused(tiny_base_folder, tmp_path, capsys):
    path = tmp_path / "seal.safetensors"
    path.write_bytes(b"not a seal at all")
    assert run(path, tiny_base_folder) == 2
    assert "seal.safetensors" in capsys.readouterr().err
