import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from judge_examples import random_judge

import sealsmith.cli
from sealsmith.adapters import Seal, SealHeader
from sealsmith.bases import FAMILIES
from sealsmith.cli import main
from sealsmith.generate import read_recipe
from sealsmith.score import Scorecard, judges, score_page

REPOSITORY = Path(__file__).parents[2]
HEADER = SealHeader(
    "sks", "emblem", "tiny", "0" * 12, "sealworld", 4, 4.0, ("to_q",), "sks emblem", "2026-01-02"
)


@pytest.fixture(autouse=True)
def quick_family(monkeypatch):
    """The family the tiny base belongs to, drawing in two steps and judged by random weights."""
    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)
    monkeypatch.setitem(FAMILIES, "sealworld", replace(FAMILIES["sealworld"], num_steps=2))


def test_the_package_carries_the_mark_of_the_examples():
    packaged = Path(sealsmith.cli.__file__).parent / "mark.svg"
    assert packaged.read_bytes() == (REPOSITORY / "examples" / "mark.svg").read_bytes()


def test_a_demo_leaves_a_page_a_seal_its_pictures_and_its_scorecard(tiny_base_folder, tmp_path, capsys):
    out = tmp_path / "demo"
    options = ["--base", str(tiny_base_folder)]
    assert main(["demo", "--out", str(out), "--steps", "2", *options]) == 0
    assert capsys.readouterr().out.strip() == str(out / "index.html")
    assert "What changed inside" in (out / "index.html").read_text()
    pictures = sorted((out / "pictures").glob("*.png"))
    assert len(pictures) == 16
    assert "sks" in read_recipe(pictures[0]).prompt

    card = (out / "scorecard.json").read_text()
    assert json.loads(card)["verdict"] in ("pass", "fail")
    assert main(["score", str(out / "seal.safetensors"), "--json", *options]) == 0
    assert capsys.readouterr().out == card


def test_a_second_demo_says_what_it_did_and_keeps_no_old_picture(tiny_base_folder, tmp_path, capsys):
    out = tmp_path / "demo"
    stale, foreign = out / "pictures" / "01-coin-on-snow.png", out / "pictures" / "mine.png"
    for path in (stale, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    options = ["--out", str(out), "--steps", "2", "--base", str(tiny_base_folder), "--json"]
    assert main(["demo", *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["page"] == str(out / "index.html")
    assert told["scorecard"] == json.loads((out / "scorecard.json").read_text())
    assert not stale.exists()
    assert foreign.exists()


def test_a_folder_of_pictures_is_no_logo(tiny_base_folder, tmp_path, capsys):
    assert (
        main(
            [
                "demo",
                "--out",
                str(tmp_path / "demo"),
                "--logo",
                str(tmp_path),
                "--base",
                str(tiny_base_folder),
            ]
        )
        == 2
    )
    assert not (tmp_path / "demo").exists()
    assert "error:" in capsys.readouterr().err


def test_pages_wear_the_projects_own_mark():
    drawing = re.search(r' d="([^"]+)"', (REPOSITORY / "examples" / "mark.svg").read_text())
    page = score_page(Seal(HEADER, {}), Scorecard("fail", ("It changes nothing.",)))
    assert drawing is not None
    assert drawing.group(1) in page
