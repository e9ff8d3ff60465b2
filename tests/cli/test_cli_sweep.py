import json

import pytest
import torch
from judge_examples import random_judge
from PIL import Image
from seal_examples import random_seal, write_foreign

from sealsmith.adapters import write_seal
from sealsmith.cli import main
from sealsmith.score import judges, record_reference

FEW = ["--prompts", "1", "--steps", "1"]


@pytest.fixture
def seal_path(tiny_base, tmp_path):
    reference = torch.nn.functional.normalize(torch.ones(16), dim=0)
    path = tmp_path / "lion.safetensors"
    seal = record_reference(random_seal(tiny_base, ("to_q", "to_out.0")), reference)
    write_seal(path, seal)
    write_seal(tmp_path / "step-000100.safetensors", seal)
    return path


@pytest.fixture(autouse=True)
def small_judge(monkeypatch):
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)


def run(seal_path, folder, *options):
    out = seal_path.parent / "sheets" / "sheet.png"
    words = ["sweep", str(seal_path), "--base", str(folder), "--out", str(out), *FEW, *map(str, options)]
    return main(words), out


def test_a_sheet_a_page_and_an_object(seal_path, tiny_base_folder, capsys):
    status, out = run(seal_path, tiny_base_folder, "--x", "strength=0.5,1", "--y", "guidance=1,4", "--json")
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert found["axes"] == {"strength": [0.5, 1.0], "guidance": [1.0, 4.0]}
    assert [cell["at"] for cell in found["cells"]] == [
        {"strength": s, "guidance": g} for g in (1.0, 4.0) for s in (0.5, 1.0)
    ]
    assert found["recommended"] in (0.5, 1.0)
    assert Image.open(out).format == "PNG"
    assert found["page"] == str(out.with_suffix(".html"))
    assert out.with_suffix(".html").read_text().startswith("<!doctype html>")


def test_the_table_names_the_places_and_the_rule(seal_path, tiny_base_folder, capsys):
    status, _ = run(seal_path, tiny_base_folder, "--x", "strength=0.5,1")
    assert status == 0
    printed = capsys.readouterr().out
    assert "recommended strength:" in printed
    assert "rule: of the strengths" in printed
    assert [line.split()[0] for line in printed.splitlines()[1:3]] == ["0.5", "1"]


def test_checkpoints_lie_beside_the_seal(seal_path, tiny_base_folder, capsys):
    status, _ = run(seal_path, tiny_base_folder, "--x", "checkpoint=all")
    assert status == 0
    assert "no strength is recommended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--x", "strenght=1"], "is no axis"),
        (["--x", "checkpoint=300"], "no checkpoint of step 300"),
        (["--x", "seed=1", "--y", "seed=2"], "both axes are seed"),
        (["--x", "seed=1", "--out", "sheet.pdf"], "sheet.pdf"),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(seal_path, tiny_base_folder, capsys, options, words):
    status, _ = run(seal_path, tiny_base_folder, *options)
    assert status == 2
    error = capsys.readouterr().err
    assert words in error
    assert "hint:" in error


def test_another_tools_seal_is_swept(tiny_sd1, tiny_sd1_folder, tmp_path, capsys):
    seal = write_foreign(tmp_path / "foreign.safetensors", random_seal(tiny_sd1, ("to_q",)))
    status, _ = run(seal, tiny_sd1_folder, "--x", "strength=0.5,1", "--json")
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert all(cell["drift"]["value"] > 0 for cell in found["cells"])
