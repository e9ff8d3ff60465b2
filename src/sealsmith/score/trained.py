"""A training whose checkpoint is chosen by score, and the scorecard of its seal: of a command or a job.

Not for: the training (train/loop.py) or the measuring (scoring.py).
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from ..adapters import Seal, write_seal
from ..bases import Base
from ..generate import Picture, Request
from ..train import Progress, TrainConfig, TrainResult, train
from ..train.pictures import PictureSet
from ..train.progress import Counted
from .judges import judge_of
from .measure import reference_embedding
from .record import record_reference, record_scorecard
from .scorecard import Scorecard
from .scoring import score_seal
from .settings import ScoreSettings


def train_and_score(
    base: Base,
    pictures: PictureSet,
    config: TrainConfig,
    out: Path,
    *,
    progress: Progress,
    resume: bool,
    overwrite: bool,
    is_scored: bool,
) -> tuple[TrainResult, Scorecard | None]:
    """A training in `out`, its checkpoint chosen by score; and the seal's scorecard.

    The scorecard is in the seal file's header too. Not scored, the last checkpoint is taken; what it looks like is
    in the header either way.
    Raises: as `train`.
    """
    judging = Judging(base, pictures)
    result = train(
        base,
        pictures,
        config,
        out,
        progress=progress,
        score=judging.merit if is_scored and judging.can_judge else None,
        resume=resume,
        overwrite=overwrite,
    )
    if not is_scored:
        return replace(result, seal=judging.remembered(result.seal)), None
    seal, scorecard = judging.verdict(result.seal, progress)
    return replace(result, seal=seal), scorecard


class Judging:
    """Scores the checkpoints of one training and its seal, in contexts that its pictures leave unseen."""

    def __init__(self, base: Base, pictures: PictureSet):
        self._base = base
        self._judge = judge_of(base.family)
        self._pictures = pictures
        self._base_pictures: dict[Request, Picture] = {}

    @cached_property
    def _reference(self) -> Tensor | None:
        """What the seal looks like to the judge, [D]."""
        return None if self._judge is None else reference_embedding(self._judge, self._pictures.portraits)

    @property
    def can_judge(self) -> bool:
        """Whether a judge knows this base's pictures; without one there is nothing to choose checkpoints by."""
        return self._judge is not None

    def merit(self, seal: Seal) -> float:
        """A quick score to choose a checkpoint by, larger is better."""
        seal = record_reference(seal, self._reference)
        return score_seal(
            self._base, seal, (), ScoreSettings.quick(), self._judge, base_pictures=self._base_pictures
        ).merit

    def remembered(self, seal: Seal) -> Seal:
        """The seal that knows what it looks like, in its file too: what measures it later asks for that."""
        if self._reference is None:
            return seal
        seal = record_reference(seal, self._reference)
        assert seal.path is not None
        write_seal(seal.path, seal)
        return seal

    def verdict(self, seal: Seal, progress: Progress) -> tuple[Seal, Scorecard]:
        """The full scorecard, its pictures a stage of the progress; and the seal with it in its file's header."""
        seal = record_reference(seal, self._reference)
        scorecard = score_seal(
            self._base,
            seal,
            (),
            judge=self._judge,
            progress=Counted("scorecard", progress),
            base_pictures=self._base_pictures,
        )
        seal = record_scorecard(seal, scorecard)
        assert seal.path is not None
        write_seal(seal.path, seal)
        return seal, scorecard
