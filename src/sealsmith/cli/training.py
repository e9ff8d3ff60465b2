"""A training on the command line: its progress, its checkpoint chosen by score, and the scorecard of its seal.

`sealsmith train` and `sealsmith demo` share it.
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from torch import Tensor

    from ..adapters import Seal
    from ..bases import Base
    from ..generate import Picture, Request
    from ..score import Scorecard
    from ..train import TrainConfig, TrainResult
    from ..train.pictures import PictureSet


def train_and_score(
    base: "Base",
    pictures: "PictureSet",
    config: "TrainConfig",
    out: Path,
    *,
    resume: bool,
    overwrite: bool,
    is_scored: bool,
) -> "tuple[TrainResult, Scorecard | None]":
    """A training with its progress on stderr, its checkpoint chosen by score; and the seal's scorecard.

    The scorecard is in the seal file's header too. Not scored, the last checkpoint is taken; what it looks like is
    in the header either way.
    """
    from ..train import train

    judging = Judging(base, pictures)
    with _bar() as bar:
        result = train(
            base,
            pictures,
            config,
            out,
            progress=BarProgress(bar),
            score=judging.merit if is_scored and judging.can_judge else None,
            resume=resume,
            overwrite=overwrite,
        )
        if not is_scored:
            return replace(result, seal=judging.remembered(result.seal)), None
        seal, scorecard = judging.verdict(result.seal, bar)
    return replace(result, seal=seal), scorecard


class Judging:
    """Scores the checkpoints of one training and its seal, in contexts that its pictures leave unseen."""

    def __init__(self, base: "Base", pictures: "PictureSet"):
        from ..score import judge_of

        self._base = base
        self._judge = judge_of(base.family)
        self._pictures = pictures
        self._base_pictures: dict[Request, Picture] = {}

    @cached_property
    def _reference(self) -> "Tensor | None":
        """What the seal looks like to the judge, [D]."""
        from ..score import reference_embedding

        return None if self._judge is None else reference_embedding(self._judge, self._pictures.portraits)

    @property
    def can_judge(self) -> bool:
        """Whether a judge knows this base's pictures; without one there is nothing to choose checkpoints by."""
        return self._judge is not None

    def merit(self, seal: "Seal") -> float:
        """A quick score to choose a checkpoint by, larger is better."""
        from ..score import ScoreSettings, record_reference, score_seal

        seal = record_reference(seal, self._reference)
        return score_seal(
            self._base, seal, (), ScoreSettings.quick(), self._judge, base_pictures=self._base_pictures
        ).merit

    def remembered(self, seal: "Seal") -> "Seal":
        """The seal that knows what it looks like, in its file too: what measures it later asks for that."""
        from ..adapters import write_seal
        from ..score import record_reference

        if self._reference is None:
            return seal
        seal = record_reference(seal, self._reference)
        assert seal.path is not None
        write_seal(seal.path, seal)
        return seal

    def verdict(self, seal: "Seal", bar: "Bar") -> "tuple[Seal, Scorecard]":
        """The full scorecard, its pictures counted on the bar; and the seal with it in its file's header."""
        from ..adapters import write_seal
        from ..score import record_reference, record_scorecard, score_seal

        task = bar.add_task("scorecard", total=None, loss="")
        seal = record_reference(seal, self._reference)
        scorecard = score_seal(
            self._base,
            seal,
            (),
            judge=self._judge,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            base_pictures=self._base_pictures,
        )
        seal = record_scorecard(seal, scorecard)
        assert seal.path is not None
        write_seal(seal.path, seal)
        return seal, scorecard


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
