import json

import pytest
import torch
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.cli import main
from sealsmith.score import judges, record_reference

FEW = ["--prompts", "1", "--seeds", "1", "--steps", "1", "--search", "1"]


@pytest.fixture
def paths(tiny_base, tmp_path):
    found = []
    for index, trigger in enumerate(("sks", "ohwx")):
        seal = random_seal(tiny_base, ("to_q", "to_out.0"), trigger=trigger, seed=index)
        found.append(tmp_path / f"{trigger}.safetensors")
        write_seal(found[-1], record_reference(seal, torch.nn.functional.normalize(torch.ones(16), dim=0)))
    return found


@pytest.fixture(autouse=True)
def small_judge(monkeypatch):
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)


def run(paths, folder, *options):
    return main(["conflicts", *map(str, paths), "--base", str(folder), *map(str, options)])


def test_the_object_has_weights_and_pictures(paths, tiny_base_folder, capsys):
    assert run(paths, tiny_base_folder, *FEW, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    [weights] = found["weights"]
    assert weights["seals"] == ["sks", "ohwx"]
    assert {"path", "cosine", "damage", "read", "written"} <= weights["layers"][0].keys()
    assert len(found["pictures"]["alone"]) == 2
    assert found["pictures"]["before"]["strengths"] == ["<lora:sks:1>", "<lora:ohwx:1>"]


def test_weights_alone_need_no_pictures_and_no_judge(paths, tiny_base_folder, capsys, monkeypatch):
    monkeypatch.delitem(judges.JUDGES, "sealworld")
    assert run(paths, tiny_base_folder, "--weights-only") == 0
    printed = capsys.readouterr().out
    assert "predicted damage" in printed
    assert "advice" not in printed
    assert run(paths, tiny_base_folder, *FEW) == 2
    assert "--weights-only" in capsys.readouterr().err


def test_the_tables_end_in_advice(paths, tiny_base_folder, capsys):
    assert run(paths, tiny_base_folder, *FEW) == 0
    printed = capsys.readouterr().out
    assert "together" in printed
    assert "both" in printed
    assert printed.splitlines()[-1].startswith("advice: ")


def test_seals_without_a_common_layer_are_said_to_have_none(
    paths, tiny_base, tiny_base_folder, tmp_path, capsys
):
    write_seal(paths[1], random_seal(tiny_base, ("to_k",), trigger="ohwx"))
    page = tmp_path / "page.html"
    assert run(paths, tiny_base_folder, "--weights-only", "--html", page) == 0
    assert (
        capsys.readouterr().out
        == "sks and ohwx: no layer in common, so neither disturbs the other's weights\n"
    )
    assert "No layer in common" in page.read_text()


def test_one_seal_is_no_company(paths, tiny_base_folder, capsys):
    assert run(paths[:1], tiny_base_folder) == 2
    assert "only one seal" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--weights-only"], FEW])
def test_a_page_shows_every_layer(paths, tiny_base_folder, tmp_path, options):
    page = tmp_path / "page.html"
    assert run(paths, tiny_base_folder, *options, "--html", page) == 0
    written = page.read_text()
    assert "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q" in written
    assert ("What was tried" in written) == (options == FEW)
    assert "<script" not in written
