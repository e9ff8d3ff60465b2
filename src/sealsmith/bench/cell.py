"""One cell of a comparison: a method trained once and scored, as far as its folder does not hold that already.

    base, pictures -> train -> facts.json -> curve, scorecard, two seals -> scorecard.json

Not for: the process that does it (cell_process.py), or which cells there are (matrix.py).
"""

import math
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..adapters import Seal, read_seal, write_seal
from ..bases import Base, open_base
from ..errors import ConfigError, SealsmithError
from ..score import (
    LoadedJudge,
    Scorecard,
    ScoreSettings,
    judge_of,
    record_reference,
    record_scorecard,
    reference_embedding,
    score_seal,
)
from ..score.cells import TrainingFacts
from ..score.composition import composition
from ..score.figures import Observation, observed
from ..score.learning import likeness, likeness_of_card, likeness_untaught
from ..train import Progress, TrainConfig, train
from ..train.checkpoint import SEAL_NAME, checkpoint_path
from ..train.folder import training_files
from ..train.log import LOG_NAME
from ..train.picture_set import pictures_for
from ..train.pictures import PictureSet
from ..train.progress import Counted
from ..train.schedule import checkpoint_steps
from .base_pictures import KeptPictures
from .cell_files import FACTS, is_finished, read_facts, read_object, write_facts, write_object, write_scores
from .memory import memory_rise
from .pace import seconds_a_step

PACE = "pace.json"
PACE_STEPS, PACE_UNCOUNTED = 5, 3
"""How many steps tell a method's pace, and how many of them are still warming up."""


@dataclass(frozen=True)
class Job:
    """Everything that a cell is made from, so that another process can make it."""

    method: str
    """The row's name."""
    subject: str
    """The picture set's."""
    folder: Path
    base: str
    """The user's word for it."""
    device: str
    """Where it computes."""
    base_digest: str
    pictures: Path
    pictures_digest: str
    config: TrainConfig
    """With the cell's seed; its number of steps is the budget where `seconds` is None."""
    scoring: ScoreSettings
    seconds: float | None
    """Budget in time spent on steps."""
    num_points: int
    """Of the curve of likeness; 0: there is none."""
    second: Path | None
    """The seal to be drawn together with this one."""
    base_pictures: Path
    """Folder for what the base draws alone, which cells share."""
    num_threads: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.method}, {self.subject}, seed {self.config.seed}"


def run_cell(job: Job, progress: Progress) -> None:
    """Does what is missing in the job's folder; afterwards it holds the scorecard.

    Raises: whatever training and scoring raise; ConfigError when base or pictures are not the job's any more.
    """
    torch.set_num_threads(job.num_threads)
    base = open_base(job.base, job.device)
    pictures = cell_pictures(base, job.pictures, job.config)
    if (base.digest, pictures.digest) != (job.base_digest, job.pictures_digest):
        raise ConfigError("the base or the pictures changed while the comparison ran", "begin it again")
    if not is_trained(job):
        warm_up(base, pictures, job.config, progress)
        _train(job, base, pictures, progress)
    if not is_finished(job.folder):
        judge = judge_of(base.family)
        images = pictures.portraits
        reference = None if judge is None else reference_embedding(judge, images)
        _score(job, base, judge, reference, progress)
    tidy(job.folder)


def cell_pictures(base: Base, path: Path, config: TrainConfig) -> PictureSet:
    """The picture set as every cell of the comparison reads it, whatever its seed."""
    return pictures_for(base, path, replace(config, seed=0))


def is_trained(job: Job) -> bool:
    """Whether the job's folder has its seal, what that cost, and the checkpoints that are still to be looked at."""
    facts = read_facts(job.folder)
    if facts is None or not (job.folder / SEAL_NAME).exists():
        return False
    if is_finished(job.folder):
        return True
    return all(checkpoint_path(job.folder, step).exists() for step in curve_steps(job, facts.num_steps))


def curve_steps(job: Job, num_steps: int) -> list[int]:
    """The steps whose checkpoints are points of the curve, the last step left out: that is the seal itself."""
    return checkpoint_steps(_timed(job, num_steps))[:-1] if job.num_points else []


def tidy(folder: Path, keeps_checkpoints: bool = False) -> None:
    """Removes what a training left but its seal and its log: a full fine-tuning's checkpoints are as large as the
    base."""
    for path in training_files(folder):
        is_kept = keeps_checkpoints and path.match("step-*.safetensors")
        if path.name not in (SEAL_NAME, LOG_NAME) and not is_kept:
            path.unlink()


def _timed(job: Job, num_steps: int) -> TrainConfig:
    """The job's training with so many steps, and a checkpoint at each point of the curve."""
    every = math.ceil(num_steps / max(1, job.num_points))
    return replace(job.config, num_steps=num_steps, checkpoint_every=every)


def _train(job: Job, base: Base, pictures: PictureSet, progress: Progress) -> None:
    folder = job.folder
    steps = job.config.num_steps
    if job.seconds is not None:
        steps = _steps_kept(job.seconds, base, pictures, job)
    is_begun = bool(training_files(folder))
    (folder / FACTS).unlink(missing_ok=True)
    with memory_rise() as rise:
        config = _timed(job, steps)
        result = train(base, pictures, config, folder, progress=progress, resume=is_begun)
    size, loss = result.seal_path.stat().st_size, result.losses[-1]
    facts = TrainingFacts(size, result.num_parameters, steps, result.seconds, rise.mib, loss, job.num_threads)
    write_facts(folder, facts)
    tidy(folder, keeps_checkpoints=bool(job.num_points))


def _steps_kept(seconds: float, base: Base, pictures: PictureSet, job: Job) -> int:
    """The steps that the time allows, as they were counted when the cell began."""
    path = job.folder / PACE
    if not path.exists():
        write_object(path, {"num_steps": steps_within(seconds, base, pictures, job.config)})
    return int(read_object(path)["num_steps"])


def _score(
    job: Job, base: Base, judge: LoadedJudge | None, reference: Tensor | None, progress: Progress
) -> None:
    seal = record_reference(read_seal(job.folder / SEAL_NAME), reference)
    kept = KeptPictures(job.base_pictures, base.digest)
    card = score_seal(base, seal, (), job.scoring, judge, Counted("scorecard", progress), kept)
    observations, curve = observed(card.shots), []
    if card.shots and judge is not None and reference is not None:
        if job.second is not None:
            observations["composition"] = _composition(job, base, seal, judge, progress)
        if job.num_points:
            curve = _curve(job, base, card, judge, reference, kept, progress)
    write_seal(job.folder / SEAL_NAME, record_scorecard(seal, card))
    write_scores(job.folder, card, observations, curve)


def _curve(
    job: Job,
    base: Base,
    card: Scorecard,
    judge: LoadedJudge,
    reference: Tensor,
    kept: KeptPictures,
    progress: Progress,
) -> list[tuple[int, float]]:
    """The seal's likeness before the training, at each checkpoint, and at its end."""
    facts, scoring = read_facts(job.folder), job.scoring.for_family(base.family)
    assert facts is not None, "the training is done"
    seal = read_seal(job.folder / SEAL_NAME)
    curve = [(0, likeness_untaught(base, seal, scoring, judge, reference, kept))]
    for step in curve_steps(job, facts.num_steps):
        checkpoint = read_seal(checkpoint_path(job.folder, step))
        shown = Counted(f"likeness after step {step}", progress)
        curve.append((step, likeness(base, checkpoint, scoring, judge, reference, shown)))
    return [*curve, (facts.num_steps, likeness_of_card(card.shots, seal, scoring))]


def _composition(
    job: Job, base: Base, seal: Seal, judge: LoadedJudge, progress: Progress
) -> list[Observation]:
    assert job.second is not None
    return composition(
        base,
        seal,
        read_seal(job.second),
        judge,
        num_prompts=job.scoring.num_prompts,
        num_steps=job.scoring.num_steps,
        seed=job.scoring.seed,
        on_picture=Counted("two seals", progress),
    )


def warm_up(base: Base, pictures: PictureSet, config: TrainConfig, progress: Progress) -> None:
    """One step of a LoRA on one picture, thrown away: what a process sets up once is no method's memory or time.

    Should it fail, the training itself will say why.
    """
    config = TrainConfig(config.trigger, config.class_noun, rank=1, num_steps=1, checkpoint_every=1)
    first = replace(pictures, pictures=pictures.pictures[:1], warnings=())
    with tempfile.TemporaryDirectory(prefix="sealsmith-warm-up-") as folder, suppress(SealsmithError):
        train(base, first, config, Path(folder))
    progress.start("warmed up", 1, done=1)


def steps_within(seconds: float, base: Base, pictures: PictureSet, config: TrainConfig) -> int:
    """How many steps of this training fit into a time, by the pace of its first few; at least 1."""
    pace = seconds_a_step(base, pictures, config, PACE_STEPS, PACE_UNCOUNTED)
    return max(1, round(seconds / pace))
