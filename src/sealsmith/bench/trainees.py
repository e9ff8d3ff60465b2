"""The two sides of a race of trainings behind one protocol: stock's plain loop, and `train`."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..bases import Base
from ..train import TrainConfig, train
from ..train.cache import full_captions
from ..train.checkpoint import checkpoint_path
from ..train.config import resolved
from ..train.pictures import PictureSet
from ..train.progress import Silent
from .pace import seconds_a_step
from .peers import stock_pipeline
from .plain_training import PlainRecipe, PlainTraining

NUM_UNCOUNTED = 2
"""Steps of a pace that are still warming up."""


@dataclass(frozen=True)
class Trained:
    """One training: what it left after how many steps, and what it cost."""

    checkpoints: dict[int, Path]
    """Seal files, by step, ascending."""
    setup_s: float
    """From the pictures in memory to the first step."""
    steps_s: float
    """Spent on all steps together."""


class Trainee(Protocol):
    """A way to train on one picture set; every training begins anew."""

    def train(self, num_steps: int, every: int, seed: int, folder: Path) -> Trained:
        """A whole training, with a checkpoint in `folder` every so many steps and after the last."""

    def seconds_a_step(self, num_steps: int) -> float:
        """The pace of so many steps, measured now."""


class PlainTrainee:
    """Stock's plain loop. Its pace goes on from where it was, so that what it set up is set up once."""

    def __init__(self, base: Base, pictures: PictureSet, recipe: PlainRecipe):
        self._folder, self._recipe = base.folder, recipe
        self._images = [picture.image for picture in pictures.pictures]
        self._captions = full_captions(pictures, resolved(TrainConfig(), base, pictures), base)
        self._pacing: PlainTraining | None = None

    def train(self, num_steps: int, every: int, seed: int, folder: Path) -> Trained:
        pipeline = stock_pipeline(self._folder)
        started = time.perf_counter()
        training = PlainTraining(pipeline, self._images, self._captions, self._recipe, seed)
        setup_s = time.perf_counter() - started
        checkpoints: dict[int, Path] = {}
        steps_s = 0.0
        for step in [*range(every, num_steps, every), num_steps]:
            started = time.perf_counter()
            training.run(step - max(checkpoints, default=0))
            steps_s += time.perf_counter() - started
            checkpoints[step] = folder / f"{step:06d}.safetensors"
            training.save(checkpoints[step])
        return Trained(checkpoints, setup_s, steps_s)

    def seconds_a_step(self, num_steps: int) -> float:
        if self._pacing is None:
            pipeline = stock_pipeline(self._folder)
            self._pacing = PlainTraining(pipeline, self._images, self._captions, self._recipe)
            self._pacing.run(NUM_UNCOUNTED)
        started = time.perf_counter()
        self._pacing.run(num_steps)
        return (time.perf_counter() - started) / num_steps


class OurTrainee:
    """`sealsmith train` with some settings, without a scorecard at its end."""

    def __init__(self, base: Base, pictures: PictureSet, config: TrainConfig):
        self._base, self._pictures, self._config = base, pictures, config

    def train(self, num_steps: int, every: int, seed: int, folder: Path) -> Trained:
        config = replace(self._config, num_steps=num_steps, checkpoint_every=every, seed=seed)
        clock = FirstStep()
        result = train(self._base, self._pictures, config, folder, progress=clock)
        checkpoints = {step: checkpoint_path(folder, step) for step in result.checkpoint_steps}
        return Trained(checkpoints, clock.setup_s, result.seconds)

    def seconds_a_step(self, num_steps: int) -> float:
        return seconds_a_step(self._base, self._pictures, self._config, num_steps, NUM_UNCOUNTED)


class FirstStep(Silent):
    """A progress that knows how long it took until the steps began."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.setup_s = 0.0

    def start(self, stage: str, total: int, done: int = 0) -> None:
        if stage == "training":
            self.setup_s = time.perf_counter() - self._started
