"""One cell of a comparison: a method trained once and scored, as far as its folder does not hold that already."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from ..adapters import Seal, read_seal, write_seal
from ..bases import Base
from ..errors import Cancelled, SealsmithError, TrainingError
from ..generate import Picture, Request
from ..score import LoadedJudge, ScoreSettings, record_reference, record_scorecard, score_seal
from ..score.comparison import Cell, TrainingFacts
from ..score.composition import composition
from ..score.figures import Observation, observed
from ..train import Progress, TrainConfig, train
from ..train.checkpoint import SEAL_NAME
from ..train.folder import training_files
from ..train.log import LOG_NAME, read_log
from ..train.pictures import PictureSet
from .cell_files import FACTS, SCORECARD, read_cell, read_object, write_facts, write_object, write_scores
from .memory import memory_rise

PACE = "pace.json"
PACE_STEPS, PACE_UNCOUNTED = 8, 3
"""How many steps tell a method's pace, and how many of them are still warming up."""


@dataclass(frozen=True)
class Workplace:
    """What all cells of a comparison share."""

    base: Base
    pictures: PictureSet
    scoring: ScoreSettings
    seconds: float | None
    """The budget of each training; None: it is the number of steps."""
    second: Seal | None
    judge: LoadedJudge | None
    reference: Tensor | None
    """What the judge should see, [D]."""
    progress: Progress
    base_pictures: dict[Request, Picture] = field(default_factory=dict)

    def cell(self, name: str, config: TrainConfig, folder: Path) -> Cell:
        """The finished cell, or one with the reason why there is none.

        Raises: Cancelled, KeyboardInterrupt; ConfigError when a file of the cell is damaged.
        """
        failure = ""
        try:
            if not is_trained(folder):
                self._train(config, folder)
            if not (folder / SCORECARD).exists():
                self._score(folder)
        except Cancelled:
            raise
        except (SealsmithError, RuntimeError) as error:  # torch's own: no memory, no convergence
            failure = str(error).strip().partition("\n")[0] or type(error).__name__
            self.progress.note(f"{name}, seed {config.seed} failed: {failure}")
        return replace(read_cell(folder, name, config.seed), failure=failure)

    def _train(self, config: TrainConfig, folder: Path) -> None:
        (folder / SCORECARD).unlink(missing_ok=True)
        steps = config.num_steps if self.seconds is None else self._steps_within(self.seconds, config, folder)
        config = replace(config, num_steps=steps, checkpoint_every=steps)
        is_begun = bool(training_files(folder))
        with memory_rise() as rise:
            result = train(self.base, self.pictures, config, folder, progress=self.progress, resume=is_begun)
        size = result.seal_path.stat().st_size
        loss = result.losses[-1]
        write_facts(folder, TrainingFacts(size, result.num_parameters, steps, result.seconds, rise.mib, loss))
        for path in training_files(folder):  # a full fine-tuning's checkpoints are as large as the base
            if path.name not in (SEAL_NAME, LOG_NAME):
                path.unlink()

    def _steps_within(self, seconds: float, config: TrainConfig, folder: Path) -> int:
        """The steps that the time allows, as they were counted when the cell began."""
        if not (folder / PACE).exists():
            steps = steps_within(seconds, self.base, self.pictures, config)
            write_object(folder / PACE, {"num_steps": steps})
        return int(read_object(folder / PACE)["num_steps"])

    def _score(self, folder: Path) -> None:
        seal = record_reference(read_seal(folder / SEAL_NAME), self.reference)
        card = score_seal(
            self.base,
            seal,
            (),
            self.scoring,
            self.judge,
            Counted("scorecard", self.progress),
            self.base_pictures,
        )
        observations = observed(card.shots)
        if card.shots and self.second is not None and self.judge is not None:
            observations["composition"] = self._composition(seal, self.second, self.judge)
        write_seal(folder / SEAL_NAME, record_scorecard(seal, card))
        write_scores(folder, card, observations)

    def _composition(self, seal: Seal, second: Seal, judge: LoadedJudge) -> list[Observation]:
        return composition(
            self.base,
            seal,
            second,
            judge,
            num_prompts=self.scoring.num_prompts,
            num_steps=self.scoring.num_steps,
            seed=self.scoring.seed,
            on_picture=Counted("two seals", self.progress),
        )


def is_trained(folder: Path) -> bool:
    """Whether the cell of this folder has its seal, and what that cost."""
    return (folder / FACTS).exists() and (folder / SEAL_NAME).exists()


def warm_up(base: Base, pictures: PictureSet, config: TrainConfig, progress: Progress) -> None:
    """One step of a LoRA, thrown away: what a process sets up once is not to be the first cell's memory."""
    config = replace(config, method="lora", rank=1, num_steps=1, checkpoint_every=1)
    with tempfile.TemporaryDirectory(prefix="sealsmith-warm-up-") as folder, suppress(TrainingError):
        train(base, pictures, config, Path(folder), progress=progress)


@dataclass
class Counted:
    """Pictures as a stage of a progress, which begins when the first is drawn and their number known."""

    stage: str
    progress: Progress
    is_begun: bool = False

    def __call__(self, done: int, total: int) -> None:
        if not self.is_begun:
            self.progress.start(self.stage, total)
            self.is_begun = True
        self.progress.advance(done)


def steps_within(seconds: float, base: Base, pictures: PictureSet, config: TrainConfig) -> int:
    """How many steps of this training fit into a time, by the pace of its first few; at least 1."""
    config = replace(config, num_steps=PACE_STEPS, checkpoint_every=PACE_STEPS)
    with tempfile.TemporaryDirectory(prefix="sealsmith-pace-") as folder:
        train(base, pictures, config, Path(folder))
        times = [row["seconds"] for row in read_log(Path(folder))]
    pace = (times[-1] - times[PACE_UNCOUNTED - 1]) / (PACE_STEPS - PACE_UNCOUNTED)
    return max(1, round(seconds / pace))
