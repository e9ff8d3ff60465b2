"""A small picture set and quick settings for training tests."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sealsmith.bases import Base
from sealsmith.train import TrainConfig
from sealsmith.train.pictures import PictureSet, TrainingPicture

CAPTIONS = ("a red wax seal of sks emblem on wood", "a gold metal coin of sks emblem on sand", None)


@pytest.fixture(scope="session")
def picture_set() -> PictureSet:
    rng = np.random.default_rng(0)
    pictures = tuple(
        TrainingPicture(
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)), caption, None, 1, f"{i}.png"
        )
        for i, caption in enumerate(CAPTIONS)
    )
    return PictureSet(pictures, (), "d" * 64, "folder", None)


@pytest.fixture(scope="session")
def quick() -> TrainConfig:
    return TrainConfig(
        rank=4,
        targets=("attention",),
        num_steps=4,
        checkpoint_every=2,
        num_warmup_steps=2,
        caption_dropout=0.2,
    )


@pytest.fixture
def hasty_base(tiny_base: Base) -> Base:
    """The tiny base of a family that draws in two steps."""
    return replace(tiny_base, family=replace(tiny_base.family, num_steps=2))
