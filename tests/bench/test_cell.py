"""One cell, made in this process: what time allows, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from sealsmith.bases import Base
from sealsmith.bench.cell import PACE, Job, cell_pictures, run_cell
from sealsmith.bench.cell_files import FACTS, SCORECARD
from sealsmith.errors import ConfigError
from sealsmith.score import ScoreSettings
from sealsmith.train import TrainConfig
from sealsmith.train.progress import Silent


def job(base: Base, folder: Path, **more: object) -> Job:
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    Image.linear_gradient("L").convert("RGB").save(pictures / "0.png")
    config = TrainConfig(rank=2, num_steps=2)
    scoring = ScoreSettings(num_prompts=1, num_seeds=1, num_without=0, num_others=0, num_steps=1)
    facts = {
        "method": "lora", "subject": "pictures", "folder": folder / "cell", "base": base.ref, "device": "cpu",
        "base_digest": base.digest, "pictures": pictures,
        "pictures_digest": cell_pictures(base, pictures, config).digest, "config": config, "scoring": scoring,
        "seconds": None, "num_points": 0, "second": None, "base_pictures": folder / "base",
        "num_threads": torch.get_num_threads(),
    }  # fmt: skip
    return Job(**facts | more)


def test_a_budget_of_time_becomes_steps_and_is_kept(tiny_base: Base, tmp_path: Path) -> None:
    timed = job(tiny_base, tmp_path, seconds=0.05)
    run_cell(timed, Silent())
    facts, pace = (json.loads((timed.folder / name).read_text()) for name in (FACTS, PACE))
    assert facts["num_steps"] == pace["num_steps"] >= 1
    before = (timed.folder / SCORECARD).stat().st_mtime_ns
    run_cell(timed, Silent())
    assert (timed.folder / SCORECARD).stat().st_mtime_ns == before


def test_what_was_trained_is_scored_and_not_trained_again(tiny_base: Base, tmp_path: Path) -> None:
    cell = job(tiny_base, tmp_path)
    run_cell(cell, Silent())
    (cell.folder / SCORECARD).unlink()
    facts = (cell.folder / FACTS).stat().st_mtime_ns
    run_cell(cell, Silent())
    assert (cell.folder / SCORECARD).exists()
    assert (cell.folder / FACTS).stat().st_mtime_ns == facts


def test_a_curve_without_its_checkpoints_is_trained_anew(tiny_base: Base, tmp_path: Path) -> None:
    plain, curved = (job(tiny_base, tmp_path, num_points=points) for points in (0, 2))
    run_cell(plain, Silent())
    (plain.folder / SCORECARD).unlink()
    run_cell(curved, Silent())
    found = json.loads((curved.folder / SCORECARD).read_text())
    assert [step for step, _ in found["curve"]] == [0, 1, 2]


@pytest.mark.parametrize("method", ["dreambooth", "pivotal", "hypernetwork"])
def test_every_kind_of_method_has_a_curve_of_its_checkpoints(
    tiny_base: Base, tmp_path: Path, method: str
) -> None:
    config = TrainConfig(method=method, rank=2, num_steps=4)
    cell = job(tiny_base, tmp_path, method=method, config=config, num_points=2)
    run_cell(cell, Silent())
    curve = json.loads((cell.folder / SCORECARD).read_text())["curve"]
    assert [step for step, _ in curve] == [0, 2, 4]
    assert curve[1][1] != curve[0][1], "the checkpoint was drawn, not the base"
    assert not list(cell.folder.glob("step-*"))


def test_pictures_that_changed_meanwhile_are_refused(tiny_base: Base, tmp_path: Path) -> None:
    cell = job(tiny_base, tmp_path)
    Image.new("RGB", (64, 64), "red").save(cell.pictures / "1.png")
    with pytest.raises(ConfigError, match="changed while the comparison ran"):
        run_cell(cell, Silent())
    assert not cell.folder.exists()
