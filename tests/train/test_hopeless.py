"""A training that cannot work fails with the reason: one test for each way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from unet_probe import is_untouched, weights

from sealsmith.bases import Base, open_base
from sealsmith.errors import ConfigError, PictureSetError, TrainingError
from sealsmith.stage.captions import caption
from sealsmith.stage.scene import render_scene
from sealsmith.train import TrainConfig, train
from sealsmith.train.cache import prepare
from sealsmith.train.caption_check import check_captions, fits
from sealsmith.train.config import resolved
from sealsmith.train.logo import logo_scenes
from sealsmith.train.methods import METHODS, find_method
from sealsmith.train.methods.lora import LORA
from sealsmith.train.pictures import PictureSet, TrainingPicture
from sealsmith.train.progress import Silent
from sealsmith.train.signal import check_progress


def test_a_learning_rate_of_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="learning_rate is 0"):
        TrainConfig(learning_rate=0)


@pytest.mark.parametrize("method", ["lora", "dreambooth"])
def test_a_learning_rate_of_10_diverges_and_says_so(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, method: str
) -> None:
    hot = replace(
        quick, method=method, learning_rate=10.0, num_steps=20, checkpoint_every=20, num_warmup_steps=0
    )
    before = weights(tiny_base)
    with pytest.raises(TrainingError, match=r"diverged|broke down") as error:
        train(tiny_base, picture_set, hot, tmp_path)
    assert "lower the learning rate (it was 10.0)" in error.value.remedy
    assert is_untouched(tiny_base, before)
    assert not (tmp_path / "seal.safetensors").exists()


def test_a_loss_that_only_wavers_has_not_diverged() -> None:
    check_progress([1.0, 0.9, 1.4, 0.2, 1.0] * 6, 0.1)
    with pytest.raises(TrainingError, match=r"rose from 1\.000 to 3\.000"):
        check_progress([1.0] * 10 + [3.0] * 10, 0.1)


def epsilon_losses(rng: np.random.Generator, num_steps: int, batch: int) -> np.ndarray:
    """A healthy training's losses on a base that predicts noise: their logarithm falls by 4.4 over the levels."""
    levels = rng.random((num_steps, batch))
    return np.exp(-4.4 * levels + 0.3 * rng.standard_normal(levels.shape)).mean(1)


def has_diverged(losses: np.ndarray) -> bool:
    try:
        check_progress(losses.tolist(), 0.1)
    except TrainingError:
        return True
    return False


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("num_steps", [13, 20, 60, 400])
def test_a_healthy_training_on_noise_has_not_diverged(num_steps: int, batch: int) -> None:
    rng = np.random.default_rng(num_steps)
    assert not any(has_diverged(epsilon_losses(rng, num_steps, batch)) for _ in range(500))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("num_steps", "rise"),
    [
        (200, np.where(np.arange(200) < 100, 1, 10)),  # in the middle, for good
        (400, np.where(np.arange(400) < 390, 1, 100)),  # at the very end
        (100, np.where(np.arange(100) < 3, 1, 1000)),  # at once
        (60, np.exp(np.linspace(0, 6, 60))),  # little by little
    ],
)
def test_a_training_on_noise_that_diverges_is_seen_to(num_steps: int, rise: np.ndarray, batch: int) -> None:
    rng = np.random.default_rng(num_steps)
    assert np.mean([has_diverged(epsilon_losses(rng, num_steps, batch) * rise) for _ in range(100)]) > 0.95


@pytest.mark.parametrize("kind", ["black", "masked away"])
def test_pictures_without_a_signal_are_refused_before_any_work(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, kind: str
) -> None:
    def emptied(picture: TrainingPicture) -> TrainingPicture:
        if kind == "black":
            return replace(picture, image=Image.new("RGB", picture.image.size))
        return replace(picture, mask=Image.new("L", picture.image.size))

    empty = tuple(emptied(picture) for picture in picture_set.pictures)
    reason = {"black": r"one flat colour, \(0, 0, 0\)", "masked away": "masked away"}[kind]
    with pytest.raises(PictureSetError, match=rf"all 3 pictures are empty, the first is {reason}"):
        train(tiny_base, replace(picture_set, pictures=empty), quick, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    one_is_left = (picture_set.pictures[0], *empty[1:])
    result = train(tiny_base, replace(picture_set, pictures=one_is_left), quick, tmp_path / "out")
    assert result.chosen_step == quick.num_steps


def test_an_empty_signal_stops_at_the_first_step(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The prediction is what is wanted, whatever the seal does."""
    monkeypatch.setattr(
        "sealsmith.train.loop.row_losses", lambda prediction, *_: prediction.sum((1, 2, 3)) * 0
    )
    with pytest.raises(TrainingError, match="failed at step 1: the gradient is 0"):
        train(tiny_base, picture_set, quick, tmp_path)


class Frozen:
    """LoRA, but nothing of it may change."""

    name = "frozen"
    completed = staticmethod(LORA.completed)
    bears_bf16 = staticmethod(LORA.bears_bf16)
    check = staticmethod(LORA.check)

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator[Any]:
        with LORA.attached(base, config) as adapted:
            for parameter in adapted.parameters.values():
                parameter.requires_grad_(False)
            yield adapted


def test_with_everything_frozen_there_is_nothing_to_train(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(METHODS, "frozen", Frozen())
    with pytest.raises(TrainingError, match=r"nothing can be trained, all \d+ parameters are frozen"):
        train(tiny_base, picture_set, replace(quick, method="frozen"), tmp_path)


@pytest.fixture(scope="module")
def described() -> PictureSet:
    """Six scenes as the shipped base knows them, each with a caption of its own."""
    disc = np.hypot(*(np.mgrid[0:128, 0:128] - 64)) < 40
    scenes = [scene for scene in logo_scenes("sks emblem", 8) if len(scene.placements) == 1]
    pictures = tuple(
        TrainingPicture(Image.fromarray(render_scene(scene, [disc.astype(np.float32)])), caption(scene))
        for scene in scenes
    )
    return PictureSet(pictures, (), "d" * 64, "folder")


def test_shuffled_captions_are_told_from_true_ones(described: PictureSet, tmp_path: Path) -> None:
    base = open_base("sealworld")
    config = resolved(find_method("lora").completed(base, TrainConfig(prior="none")), base, described)
    check_captions(base, prepare(base, described, config, tmp_path, Silent()), seed=0)

    shifted = [*described.pictures[1:], described.pictures[0]]
    shuffled = tuple(
        replace(picture, caption=other.caption)
        for picture, other in zip(described.pictures, shifted, strict=True)
    )
    with pytest.raises(TrainingError, match="of 6 captions tried, most describe other pictures"):
        train(base, replace(described, pictures=shuffled), config, tmp_path / "out")


def test_a_base_that_does_not_know_the_words_accuses_nobody(
    tiny_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    pictures = tuple(
        replace(picture_set.pictures[i % 3], caption=f"a {word} seal")
        for i, word in enumerate(("red", "gold", "blue", "green", "black"))
    )
    config = resolved(TrainConfig(prior="none"), tiny_base, replace(picture_set, pictures=pictures))
    data = prepare(tiny_base, replace(picture_set, pictures=pictures), config, tmp_path, Silent())
    tables = [fits(tiny_base, data, torch.arange(5), seed, 0) for seed in range(2)]
    assert not torch.allclose(*tables), "it is asked with other noise"
    for seed in range(4):
        check_captions(tiny_base, data, seed)
