"""Cells in processes of their own: one that dies costs one cell, and says how it died."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealsmith.bench.cell import Job
from sealsmith.bench.cell_files import ERRORS, SCORECARD, is_finished, read_failure, write_object
from sealsmith.bench.cell_process import run_cells
from sealsmith.errors import TrainingError
from sealsmith.score import ScoreSettings
from sealsmith.train import Progress, TrainConfig

PATIENCE_S = 120


class Told:
    """A comparison's progress that remembers; `on_advance` is called in the comparison's own process."""

    def __init__(self, on_advance: Callable[[str, int], None] = lambda name, done: None):
        self.said: list[str] = []
        self._on_advance = on_advance

    def count(self, done: int, total: int) -> None:
        self.said.append(f"{done} of {total}")

    def begin(self, name: str) -> "ToldOfCell":
        return ToldOfCell(self, name)

    def advanced(self, name: str, done: int) -> None:
        self._on_advance(name, done)


class ToldOfCell:
    def __init__(self, told: Told, name: str):
        self._told, self._name = told, name

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._told.said.append(f"{self._name}: {stage}")

    def advance(self, done: int, loss: float | None = None) -> None:
        self._told.advanced(self._name, done)

    def note(self, message: str) -> None:
        self._told.said.append(message)

    def end(self) -> None:
        self._told.said.append(f"{self._name}: ended")


def jobs(folder: Path, *methods: str) -> list[Job]:
    return [
        Job(
            method, "mark", folder / method, "tiny", "cpu", "", Path("mark.svg"), "", TrainConfig(),
            ScoreSettings(), None, 0, None, folder / "base", 1,
        )
        for method in methods
    ]  # fmt: skip


def finish(job: Job) -> None:
    write_object(job.folder / SCORECARD, {"pid": os.getpid()})


def troubled(job: Job, progress: Progress) -> None:
    """What becomes of a cell is in its method's name."""
    progress.start(job.method, 1)
    if job.method == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.method == "crashing":
        os.abort()
    if job.method == "faulty":
        raise KeyError("a bug")
    if job.method == "silent":
        os._exit(3)
    if job.method == "failing":
        raise TrainingError("the training broke down at step 7: loss nan\nand more", "lower the rate")
    finish(job)


def test_what_dies_costs_one_cell_and_is_tried_again(tmp_path: Path) -> None:
    """The reasons tell the ways to die apart; the other cells are whole."""
    names = ("first", "killed", "crashing", "faulty", "silent", "failing", "last")
    told = Told()
    run_cells(jobs(tmp_path, *names), 2, told, troubled)
    reasons = {name: read_failure(tmp_path / name) for name in names}
    assert reasons["killed"] == "its process was ended by SIGKILL, as a system does that runs out of memory"
    assert reasons["crashing"] == "its process was ended by SIGABRT"
    assert reasons["faulty"] == "its process broke down: KeyError: 'a bug'"
    assert reasons["silent"] == "its process broke down: exit status 3"
    assert reasons["failing"] == "the training broke down at step 7: loss nan"
    assert reasons["first"] == reasons["last"] == ""
    assert [name for name in names if is_finished(tmp_path / name)] == ["first", "last"]
    assert "Traceback" in (tmp_path / "faulty" / ERRORS).read_text()
    assert not (tmp_path / "first" / ERRORS).exists()
    assert "failing, mark, seed 0 failed: the training broke down at step 7: loss nan" in told.said
    assert told.said[-1] == "7 of 7"
    assert sum(line.endswith(": ended") for line in told.said) == 7

    run_cells(jobs(tmp_path, "killed", "failing"), 2, Told(), finished_at_once)
    assert not any(map(read_failure, (tmp_path / "killed", tmp_path / "failing")))


def finished_at_once(job: Job, progress: Progress) -> None:
    assert not read_failure(job.folder), "an earlier failure is forgotten when the cell begins again"
    finish(job)


def met(job: Job, progress: Progress) -> None:
    """Finished only when the other one of a pair is at work too."""
    (job.folder / "here").touch()
    other = job.folder.parent / {"one": "two", "two": "one"}[job.method] / "here"
    until(other.exists)
    finish(job)


def alone(job: Job, progress: Progress) -> None:
    """Fails where another cell is at work."""
    others = [path for path in job.folder.parent.glob("*/here") if path.parent != job.folder]
    if others:
        raise TrainingError(f"{others[0]} is at work too")
    (job.folder / "here").touch()
    (job.folder / "here").unlink()
    finish(job)


def test_so_many_at_once_as_asked(tmp_path: Path) -> None:
    run_cells(jobs(tmp_path, "one", "two"), 2, Told(), met)
    assert all(is_finished(tmp_path / name) for name in ("one", "two"))
    folder = tmp_path / "alone"
    run_cells(jobs(folder, "three", "four", "five"), 1, Told(), alone)
    assert [read_failure(folder / name) for name in ("three", "four", "five")] == ["", "", ""]


def long(job: Job, progress: Progress) -> None:
    """Steps until nobody listens; then what it has is saved."""
    step = 0
    try:
        while True:
            step += 1
            progress.advance(step)
    except KeyboardInterrupt:
        (job.folder / "saved").write_text(str(step))
        raise


def test_left_early_a_cell_saves_itself_and_has_not_failed(tmp_path: Path) -> None:
    def stop(name: str, done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(jobs(tmp_path, "long", "never"), 1, Told(stop), long)
    assert int((tmp_path / "long" / "saved").read_text()) >= 5
    assert not read_failure(tmp_path / "long")
    assert not (tmp_path / "never").exists()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TrainingError("waited in vain")
        time.sleep(0.01)
