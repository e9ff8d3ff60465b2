import json

import pytest
import torch
from judge_examples import random_judge
from PIL import Image
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.cli import main
from sealsmith.score import judges, record_reference


@pytest.fixture
def seal_path(tiny_base, tmp_path):
    path = tmp_path / "lion.safetensors"
    seal = random_seal(tiny_base, ("to_q", "to_v"))
    write_seal(path, record_reference(seal, torch.nn.functional.normalize(torch.ones(16), dim=0)))
    return path


@pytest.fixture(autouse=True)
def small_judge(monkeypatch):
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)


def run(seal_path, folder, *options):
    return main(["inspect", str(seal_path), "--base", str(folder), *map(str, options)])


def test_every_group_is_in_the_object_and_the_plot(seal_path, tiny_base_folder, tmp_path, capsys):
    plot = tmp_path / "plots" / "carriers.png"
    assert run(seal_path, tiny_base_folder, "--deep", "--prompts", 1, "--plot", plot, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    groups = found["ablation"]["groups"]
    assert [group["name"] for group in groups if group["kind"] == "role"] == ["Q", "V"]
    assert sum(found["roles"].values()) == pytest.approx(1)
    assert sum(group["share"] for group in groups if group["kind"] == "block") == pytest.approx(1)
    assert Image.open(plot).format == "PNG"


def test_the_table_begins_with_the_whole_seal(seal_path, tiny_base_folder, capsys):
    assert run(seal_path, tiny_base_folder, "--deep", "--prompts", 1) == 0
    printed = capsys.readouterr().out
    assert "nothing" in printed
    assert "verdict: fits" in printed


def test_a_plot_needs_deep(seal_path, tiny_base_folder, capsys):
    assert run(seal_path, tiny_base_folder, "--plot", "x.png") == 2
    assert "add --deep" in capsys.readouterr().err


def test_without_a_judge_it_says_so(seal_path, tiny_base_folder, capsys, monkeypatch):
    monkeypatch.delitem(judges.JUDGES, "sealworld")
    assert run(seal_path, tiny_base_folder, "--deep") == 2
    assert "no judge knows" in capsys.readouterr().err
