"""When an emblem counts as told, alone and in a picture of two."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from judge_examples import random_judge

from sealsmith.score.judge import LoadedJudge
from sealsmith.stage import WIDE_PX
from world import evaluate, glyphs
from world.configs import CONFIGS


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedJudge:
    """The prototypes of three glyphs are axes; the one distractor is a fourth glyph, then the third one's own."""
    axes = dict(zip(("anvil", "star", "crown"), torch.eye(5), strict=False))
    monkeypatch.setattr(
        evaluate, "prototypes", lambda judge, names, seed: torch.stack([axes[n] for n in names])
    )
    monkeypatch.setattr(evaluate, "JUDGE_FOLDER", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"distractors": ["lion", "crown"]}))
    return dataclasses.replace(random_judge(), distractors=torch.eye(5)[[3, 2]])


def test_an_emblem_is_told_when_nothing_else_is_nearer(judge: LoadedJudge) -> None:
    seen = torch.tensor([[0.9, 0, 0, 0.4, 0], [0, 0.3, 0, 0.4, 0], [0, 0, 0.8, 0.1, 0]])
    is_told, similarity = evaluate.told_emblems(judge, seen, ["anvil", "star", "crown"])
    assert is_told.tolist() == [True, False, True]  # a distractor of the same glyph is no other
    assert similarity.tolist() == pytest.approx([0.9, 0.3, 0.8])


def test_both_of_a_picture_are_told_where_each_is(
    judge: LoadedJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glyphs, "train_names", lambda _: ["anvil", "star"])
    pairs = evaluate.pair_scenes(2, CONFIGS["cpu"].denoiser, 0, is_wide=True)
    assert {scene.width_px for scene in pairs} == {WIDE_PX}
    wanted = [place.emblem for scene in pairs for place in scene.placements]
    axis = {"anvil": torch.eye(5)[0], "star": torch.eye(5)[1]}
    seen = torch.stack([axis[name] for name in wanted])
    seen[3] = torch.eye(5)[3]  # the second one of the last picture is another
    halves: list[int] = []

    def look(self: LoadedJudge, pictures: torch.Tensor) -> object:
        halves.append(len(pictures))
        return dataclasses.make_dataclass("Seen", ["embedding"])(seen)

    monkeypatch.setattr(LoadedJudge, "look", look)
    shares = evaluate.pair_figures(judge, torch.zeros(2, 3, 128, WIDE_PX), pairs)
    assert halves == [4]
    assert shares == {"each": 0.75, "both": 0.5}
