"""A training on the command line: its progress, and what is said of it.

`sealsmith train` and `sealsmith demo` share it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ..bases import Base
    from ..score import Scorecard
    from ..train import TrainConfig, TrainResult
    from ..train.pictures import PictureSet


def train_with_bar(
    base: "Base",
    pictures: "PictureSet",
    config: "TrainConfig",
    out: Path,
    *,
    resume: bool,
    overwrite: bool,
    is_scored: bool,
) -> "tuple[TrainResult, Scorecard | None]":
    """What `score.trained.train_and_score` gives, its progress on stderr."""
    from ..score.trained import train_and_score

    with _bar() as bar:
        return train_and_score(
            base,
            pictures,
            config,
            out,
            progress=BarProgress(bar),
            resume=resume,
            overwrite=overwrite,
            is_scored=is_scored,
        )


def report(result: "TrainResult", scorecard: "Scorecard | None") -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "seal": str(result.seal_path),
        "chosen_step": result.chosen_step,
        "checkpoint_steps": list(result.checkpoint_steps),
        "scores": {str(step): value for step, value in result.scores.items()},
        "previews": [str(preview.path) for preview in result.previews],
        "seconds": round(result.seconds, 3),
        "loss": result.losses[-1],
        "warnings": list(result.warnings),
        "scorecard": None if scorecard is None else scorecard.to_dict(),
    }


def _bar() -> "Bar":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


class BarProgress:
    """A training's progress on a bar of rich: one line a stage, with the loss and the time left."""

    def __init__(self, bar: "Bar"):
        self._bar = bar
        self._task: TaskID | None = None

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._task = self._bar.add_task(stage, total=total, completed=done, loss="")

    def advance(self, done: int, loss: float | None = None) -> None:
        assert self._task is not None, "advance before start"
        self._bar.update(self._task, completed=done)
        if loss is not None:
            self._bar.update(self._task, loss=f"loss {loss:.4f}")

    def note(self, message: str) -> None:
        console.print(f"warning: {message}")
