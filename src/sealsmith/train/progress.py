"""How a training tells its caller where it stands. Not for: the log in the training folder (log.py)."""

from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """What a training reports to. Every call comes between steps, when the training's state is whole."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage ("caching", "class pictures", "training", "scoring") of `total` units begins at `done`."""

    def advance(self, done: int, loss: float | None = None) -> None:
        """`done` units of the stage are finished; in training, `loss` is the last step's."""

    def note(self, message: str) -> None:
        """A warning or a piece of news for the user, one sentence."""


class Silent:
    """A progress that tells nobody."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        pass

    def advance(self, done: int, loss: float | None = None) -> None:
        pass

    def note(self, message: str) -> None:
        pass


@dataclass
class Counted:
    """Pictures as a stage of a progress, which begins when the first is drawn and their number known."""

    stage: str
    progress: Progress
    is_begun: bool = False

    def __call__(self, done: int, total: int) -> None:
        if not self.is_begun:
            self.progress.start(self.stage, total, done)  # its pace is that of the pictures after the first
            self.is_begun = True
        else:
            self.progress.advance(done)
