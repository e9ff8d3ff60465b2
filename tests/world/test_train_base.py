"""The GPU's sitting, rehearsed: on a machine that has little, killed in the middle, called again, put together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from diffusers import DiffusionPipeline
from small_world import write_glyphs

from world import assemble, glyphs
from world.configs import CONFIGS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """What travels to a GPU: a copy of the code, and glyphs."""
    for folder in ("world", "runs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("runs", "__pycache__")
        )
    (tmp_path / "src").symlink_to(ROOT / "src")
    write_glyphs(tmp_path / "world" / "runs")
    (tmp_path / "bare").mkdir()
    shutil.copy(Path(__file__).with_name("only.py"), tmp_path / "bare" / "sitecustomize.py")
    return tmp_path


def call(machine: Path, *arguments: str) -> subprocess.Popen:
    """One call of the rehearsal, in a session of its own."""
    environment = os.environ | {"PYTHONPATH": str(machine / "bare"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "runs/train_base.py", "--miniature", "--device", "cpu", *arguments]
    return subprocess.Popen(command, cwd=machine, env=environment, stdout=subprocess.PIPE, text=True)


def lose(machine: Path) -> None:
    """All processes of the sitting die at once, as with a machine that is taken away."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_its = (folder / "cwd").readlink() == machine
        except OSError:
            continue
        if is_its:
            os.kill(int(folder.name), signal.SIGKILL)


@pytest.mark.timeout(600)
def test_a_sitting_lost_in_the_middle_goes_on_and_becomes_a_pipeline(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = machine / "world" / "runs"
    saved = runs / "denoiser-miniature" / "checkpoint.json"
    first = call(machine, "--call-minutes", "5")
    while not saved.exists():
        assert first.poll() is None, (
            first.communicate(),
            [p.read_text() for p in runs.glob("train-*/*.log")],
        )
        time.sleep(0.05)
    lose(machine)
    first.communicate()
    done = json.loads(saved.read_text())["facts"]["step"]
    assert not (runs / "train-miniature" / "denoiser.done").exists()
    assert 0 < done < CONFIGS["miniature"].denoiser.steps

    out = machine / "out"
    second = call(machine, "--call-minutes", "5", "--out", str(out))
    told, _ = second.communicate()
    assert second.returncode == 0, (told, [p.read_text() for p in runs.glob("train-*/*.log")])
    assert len(list(out.iterdir())) <= 8
    assert max(part.stat().st_size for part in out.iterdir()) <= 15 * 2**20
    steps = [
        json.loads(line) for line in (runs / "denoiser-miniature" / "log.jsonl").read_text().splitlines()
    ]
    looked = [line["step"] for line in steps if "loss_valid" in line]
    assert looked == sorted(looked), "it began again"
    assert looked[-1] == CONFIGS["miniature"].denoiser.steps

    home = machine / "home"
    monkeypatch.setattr(glyphs, "RUNS", home)
    from runs import train_base

    train_base.unpack(out)
    assemble.assemble(CONFIGS["miniature"], machine / "base")
    pipeline = DiffusionPipeline.from_pretrained(machine / "base")
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red wax seal of disc on snow", num_inference_steps=1, output_type="np").images[0]
    assert picture.shape == (128, 128, 3)
    assert {"autoencoder-miniature", "denoiser-miniature", "judge-miniature"} <= {
        p.name for p in home.iterdir()
    }


def test_the_minutes_of_stages_that_wait_for_each_other_fit_into_a_sitting() -> None:
    settings, start_and_end_minutes = CONFIGS["cuda"], 5
    assert settings.judge.minutes <= settings.denoiser.minutes
    assert settings.autoencoder.minutes + settings.denoiser.minutes + start_and_end_minutes <= 25
