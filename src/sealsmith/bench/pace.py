"""How long a step of a training takes here, measured by taking a few."""

import tempfile
from dataclasses import replace
from pathlib import Path

from ..bases import Base
from ..train import TrainConfig, train
from ..train.log import read_log
from ..train.pictures import PictureSet


def seconds_a_step(
    base: Base, pictures: PictureSet, config: TrainConfig, num_steps: int, num_uncounted: int
) -> float:
    """Wall seconds of one of `num_steps` steps, behind `num_uncounted` (one at least) in which caches fill."""
    count = num_uncounted + num_steps
    config = replace(config, num_steps=count, checkpoint_every=count)
    with tempfile.TemporaryDirectory(prefix="sealsmith-pace-") as folder:
        train(base, pictures, config, Path(folder))
        times = [row["seconds"] for row in read_log(Path(folder))]
    return float(times[-1] - times[num_uncounted - 1]) / num_steps
