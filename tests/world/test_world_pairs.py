"""Pairs of taught glyphs: what a cell holds, and the table."""

import json
from pathlib import Path

import pytest
import torch
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.bases import Base
from sealsmith.score import record_reference
from world import pairs
from world.pairs import ADVICE, ALONE, TRIGGERS, Terms, cell_path, markdown, measure, seal_path

PAIR = ("star", "dragon head")


@pytest.fixture
def folder(tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    judge = random_judge()
    monkeypatch.setattr(pairs, "opened_judge", lambda: judge)
    monkeypatch.setattr(pairs, "opened_base", lambda ref: tiny_base)
    for number, (glyph, trigger) in enumerate(zip(PAIR, TRIGGERS, strict=True)):
        seal = random_seal(tiny_base, ("to_q", "to_out.0"), trigger=trigger, seed=number)
        look = torch.randn(16, generator=torch.Generator().manual_seed(number))
        write_seal(seal_path(tmp_path, glyph, trigger), record_reference(seal, look))
    return tmp_path


def test_every_way_is_measured_on_the_same_prompts(folder: Path) -> None:
    terms = Terms("tiny", 1, 1, num_prompts=2, num_seeds=1)
    cells = {}
    for way in (ALONE, "sum", "masked"):
        measure(terms, folder, PAIR, way)
        cells[way] = [json.loads(cell_path(folder, PAIR, way).read_text())]
        [cell] = cells[way]
        assert {name: len(run) for name, run in cell.items()} == {"each": 4, "both": 2, "likeness": 2}
        assert [prompt for prompt, _ in cell["both"]] == [prompt for prompt, _ in cells[ALONE][0]["both"]]
    assert cells["sum"] != cells["masked"]
    rows = markdown(cells).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| alone", "| sum", "| masked"]
    assert rows[3].endswith(" |  |  |")
    assert "–" in rows[4].split(" | ")[-1]


def test_the_advice_is_in_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = pairs.PairSettings(1, 1, num_search=0, num_steps=1)
    monkeypatch.setattr(pairs, "PairSettings", lambda *values, **named: few)
    measure(Terms("tiny", 1, 1), folder, PAIR, ADVICE)
    cell = json.loads(cell_path(folder, PAIR, ADVICE).read_text())
    assert cell["advised"] == cell["before"]
    words = markdown({ADVICE: [cell]})
    assert f"- star-sks and dragon-head-zwx: {cell['advice']}" in words
