"""The ablation's cells: balanced, resumable, measured alike; and its table."""

import json
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from judge_examples import random_judge

from sealsmith.stage import EMBLEM_PX
from sealsmith.train.config import TrainConfig
from world import ablation, seals
from world.ablation import (
    CAPTIONS,
    VARIANTS,
    Terms,
    Variant,
    captioned,
    cell_path,
    cells,
    is_measured,
    read_cells,
)
from world.ablation_table import difference, markdown


def test_every_variant_is_a_training_that_can_be_asked_for() -> None:
    assert VARIANTS[0] == Variant("default", "default")
    assert len({(v.name) for v in VARIANTS}) == len(VARIANTS)
    for variant in VARIANTS:
        config = TrainConfig(**variant.settings)
        differs = config != TrainConfig() or variant.captions != "as they are"
        assert differs or variant.share_of_steps != 1 or variant.is_chosen or variant.name == "default"
        assert variant.captions in CAPTIONS


@given(st.integers(1, 7), st.integers(1, len(VARIANTS)))
def test_every_cell_comes_once_and_no_variant_always_first(num_glyphs: int, num_variants: int) -> None:
    names, variants = [f"glyph {i}" for i in range(num_glyphs)], VARIANTS[:num_variants]
    order = cells(names, variants)
    assert len(order) == num_glyphs * num_variants
    assert {(name, variant.name) for name, variant in order} == {(n, v.name) for n in names for v in variants}
    firsts = [order[i * num_variants][1].name for i in range(num_glyphs)]
    if num_glyphs > 1 and num_variants > 1:
        assert len(set(firsts)) > 1


def test_cells_on_other_terms_lie_elsewhere(tmp_path: Path) -> None:
    terms = Terms("sealworld", 200, 12)
    folders = {one.folder(d) for one in (terms, Terms("sealworld", 100, 12)) for d in ("a", "b")}
    assert len(folders) == 4
    assert len({cell_path(tmp_path, "star", variant) for variant in VARIANTS}) == len(VARIANTS)


@pytest.fixture
def emblem(monkeypatch: pytest.MonkeyPatch) -> str:
    """A ring under a name, instead of the thousands of glyphs."""
    y, x = torch.meshgrid(*[torch.arange(EMBLEM_PX) - EMBLEM_PX / 2] * 2, indexing="ij")
    distance = (x**2 + y**2).sqrt()
    ring = ((distance < 60) & (distance > 30)).to(torch.uint8).numpy() * 255
    monkeypatch.setattr(seals.glyphs, "masks", lambda: {"ring": ring})
    return "ring"


def test_captions_are_written_as_designed(emblem: str, tmp_path: Path) -> None:
    pictures = seals.picture_set(emblem, "sks", tmp_path)
    first = {style: captioned(pictures, style, "sks", "emblem").pictures[0].caption for style in CAPTIONS}
    assert first["as they are"] == pictures.pictures[0].caption
    assert re.fullmatch(r"an? .* of sks emblem on .*", first["as they are"] or "")
    assert first["trigger, no class noun"] == (first["as they are"] or "").replace("sks emblem", "sks")
    assert first["trigger and class noun alone"] == "sks emblem"
    assert first["trigger alone"] == "sks"
    assert len({captioned(pictures, style, "sks", "emblem").digest for style in CAPTIONS}) == len(CAPTIONS)


def test_a_cell_has_every_figure_and_is_not_measured_twice(
    emblem: str, tiny_base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = random_judge()
    monkeypatch.setattr(ablation, "opened_judge", lambda: judge)
    terms = Terms(str(tiny_base_folder), 8, 1, num_prompts=2, num_rare=2)
    chosen = Variant("stop", "best", {"rank": 2, "learning_rate": 0.02}, is_chosen=True)
    plain = Variant("captions", "trigger alone", {"rank": 2, "learning_rate": 0.02}, captions="trigger alone")
    wanted = [(emblem, chosen), (emblem, plain)]
    for glyph, variant in wanted:
        found = ablation.tried(terms, glyph, variant)
        assert "failure" not in found, found
        path = cell_path(tmp_path, glyph, variant)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found))
    first, second = read_cells(tmp_path, wanted)
    assert first["chosen_step"] in (2, 4, 6, 8)
    assert second["chosen_step"] == 8
    for figure, run in first["observations"].items():
        assert run, figure
        assert [p for p, _ in run] == [p for p, _ in second["observations"][figure]], figure
    assert all("sks" not in prompt for prompt, _ in first["observations"]["bleeding, rare words"])
    assert len(read_cells(tmp_path, [*wanted, (emblem, VARIANTS[0])])) == 2


def test_a_cell_that_fails_says_why_and_is_tried_again(
    emblem: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    terms, variant = Terms(str(tiny_base_folder), 2, 1), Variant("rank", "rank 4000", {"rank": 4000})
    assert not is_measured(tmp_path, emblem, variant)
    found = ablation.tried(terms, emblem, variant)
    path = cell_path(tmp_path, emblem, variant)
    path.parent.mkdir()
    path.write_text(json.dumps(found))
    assert not is_measured(tmp_path, emblem, variant)
    path.write_text(json.dumps(cell(emblem, variant.name, 0.0)))
    assert is_measured(tmp_path, emblem, variant)
    assert "rank 4000 is larger than" in found["failure"]
    assert "rank 4000 is larger than" in markdown([found], ["rank 4000"])


def cell(glyph: str, variant: str, rise: float) -> dict[str, object]:
    names = ("fidelity", "likeness", "adherence", "leak", "bleeding, class noun", "bleeding, rare words",
             "bleeding, named", "drift", "margin")  # fmt: skip
    runs = {name: [["a", 0.5 + rise], ["b", 0.25 + rise]] for name in names}
    return {"glyph": glyph, "variant": variant, "observations": runs}


def test_the_table_has_means_and_paired_differences() -> None:
    found = [cell("star", "default", 0.0), cell("ring", "default", 0.1), cell("ring", "rank 4", 0.3)]
    lines = markdown(found, ["default", "rank 4", "rank 64"]).splitlines()
    assert lines[2].startswith("| default | 2 | 42 % | +0.425 |")
    assert lines[3].startswith("| rank 4 | 1 | 68 % | +0.675 |")
    [row] = [line for line in lines[5:] if line.startswith("| rank 4")]
    assert row.count("**+0.200 (+0.200 – +0.200)**") == 5
    assert not any("rank 64" in line for line in lines)


def test_differences_are_of_the_same_prompts_alone() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        difference([[("a", 1.0)]], [[("b", 1.0)]])
