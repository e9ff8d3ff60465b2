"""Laws of a training as a whole."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from seal_examples import equal_layers
from unet_probe import is_untouched, weights

from sealsmith.adapters import Seal, attached, read_seal
from sealsmith.bases import Base
from sealsmith.errors import (
    Cancelled,
    ConfigError,
    OutputError,
    SealFormatError,
    TrainingError,
    TriggerError,
)
from sealsmith.train import TrainConfig, TrainResult, train
from sealsmith.train.log import read_log
from sealsmith.train.pictures import PictureSet
from sealsmith.train.progress import Silent


class InterruptedAt(Silent):
    """Presses Ctrl-C when this step is done."""

    def __init__(self, step: int):
        self.step = step

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None and done == self.step:
            raise KeyboardInterrupt


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def assert_same_tensors(one: Seal, other: Seal) -> None:
    assert equal_layers(one, other)


@pytest.fixture(scope="module")
def uninterrupted(
    tiny_base_folder: Path,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainResult:
    from sealsmith.bases import open_base

    return train(open_base(str(tiny_base_folder)), picture_set, quick, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("step", [1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    uninterrupted: TrainResult,
    step: int,
) -> None:
    with pytest.raises(
        Cancelled, match=f"stopped after step {step} of 4.*step-00000{step}.safetensors"
    ) as stopped:
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedAt(step))
    assert "--resume" in stopped.value.remedy
    torch.rand(7)  # whatever else uses the global generator in between must not matter
    resumed = train(tiny_base, picture_set, quick, tmp_path, resume=True)
    assert_same_tensors(resumed.seal, uninterrupted.seal)
    assert resumed.losses == uninterrupted.losses
    assert resumed.checkpoint_steps == uninterrupted.checkpoint_steps == (2, 4)
    assert [row["step"] for row in read_log(tmp_path)] == [1, 2, 3, 4]


class InterruptedWhileCaching(Silent):
    def advance(self, done: int, loss: float | None = None) -> None:
        raise KeyboardInterrupt


def test_cancelled_before_a_step_it_says_what_there_is(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled, match="before the first step; nothing to keep"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedWhileCaching())
    with pytest.raises(Cancelled, match="after step 1"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedAt(1))
    kept = (tmp_path / "resume.safetensors").read_bytes()
    with pytest.raises(Cancelled, match="as it was"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedWhileCaching(), resume=True)
    assert (tmp_path / "resume.safetensors").read_bytes() == kept


def test_a_damaged_resume_file_is_refused(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "resume.safetensors").write_bytes(b"\x08" + bytes(40))
    with pytest.raises(SealFormatError, match="damaged"):
        train(tiny_base, picture_set, quick, tmp_path, resume=True)


def test_a_cancelled_trainings_checkpoint_is_a_seal(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    before = weights(tiny_base)
    with pytest.raises(Cancelled, match="stopped after step 3"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedAt(3))
    assert is_untouched(tiny_base, before)
    seal = read_seal(tmp_path / "step-000003.safetensors")
    assert seal.header.training["step"] == 3
    with attached(tiny_base, [(seal, 1.0)]) as attachment:
        assert attachment.reports[0].matched == attachment.reports[0].total == len(seal.layers)


def test_ctrl_c_during_a_save_leaves_the_checkpoint_whole(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import signal

    from sealsmith.adapters import files

    real, pressed = files._sync_folder, []

    def press_ctrl_c(folder: Path) -> None:
        real(folder)
        if not pressed:
            pressed.append(folder)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(files, "_sync_folder", press_ctrl_c)
    with pytest.raises(Cancelled, match="stopped after step 2 of 4"):
        train(tiny_base, picture_set, quick, tmp_path)
    assert read_seal(tmp_path / "step-000002.safetensors").header.training["step"] == 2
    assert (tmp_path / "resume.safetensors").exists()
    assert not list(tmp_path.glob(".*")), "no temporary file is left"


def test_previews_do_not_change_the_seal(
    hasty_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, uninterrupted: TrainResult
) -> None:
    result = train(hasty_base, picture_set, replace(quick, preview_every=2), tmp_path)
    assert_same_tensors(result.seal, uninterrupted.seal)
    assert [preview.step for preview in result.previews] == [2, 2, 4, 4]
    assert len({(p.prompt, p.seed) for p in result.previews}) == 2, "the same prompts and seeds every time"
    assert all(preview.path.is_file() for preview in result.previews)


def test_a_training_leaves_the_global_generator_alone(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    before = torch.get_rng_state()
    train(tiny_base, picture_set, replace(quick, num_steps=1), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_base_is_untouched_and_the_seal_says_what_it_is(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    before = weights(tiny_base)
    result = train(tiny_base, picture_set, replace(quick, rank=2, alpha=6.0), tmp_path)
    assert is_untouched(tiny_base, before)
    header = read_seal(result.seal_path).header
    assert (header.trigger, header.class_noun, header.rank, header.alpha) == ("sks", "emblem", 2, 6.0)
    assert (header.base_digest, header.family) == (tiny_base.digest, "sealworld")
    words = {"epsilon": "epsilon", "v_prediction": "v"}
    assert header.prediction_type == words[tiny_base.scheduler.config.prediction_type]
    assert header.training["contexts"] == [["metal coin", "sand"], ["wax seal", "wood"]]
    assert "of sks" not in str(header.training), "captions stay at home"
    assert len(result.losses) == 4


@pytest.mark.parametrize("prior", ["none", "adapter-off", "pictures"])
def test_every_prior_trains_and_resumes(
    hasty_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, prior: str
) -> None:
    config = replace(
        quick, prior=prior, prior_pictures=2, num_steps=2, min_snr_gamma=5.0, gradient_accumulation=2
    )
    whole = train(hasty_base, picture_set, config, tmp_path / "whole")
    with pytest.raises(Cancelled, match="step 1"):
        train(hasty_base, picture_set, config, tmp_path / "parts", progress=InterruptedAt(1))
    resumed = train(hasty_base, picture_set, config, tmp_path / "parts", resume=True)
    assert_same_tensors(resumed.seal, whole.seal)
    prior_losses = [row["prior_loss"] for row in read_log(tmp_path / "whole")]
    assert prior_losses[0] < 1e-9 or prior == "pictures", "an adapter that is still zero agrees with its base"
    assert all(loss > 0 for loss in prior_losses[1:]) == (prior != "none")
    assert len(list((tmp_path / "whole" / "class").glob("*.png"))) == (2 if prior == "pictures" else 0)


def test_the_best_scored_of_the_last_checkpoints_becomes_the_seal(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    def score(seal: Seal) -> float:
        with attached(tiny_base, [(seal, 1.0)]):
            return {1: 9.0, 2: 2.0, 3: 1.0}[seal.header.training["step"]]

    config = replace(quick, num_steps=3, checkpoint_every=1, num_checkpoints_scored=2)
    result = train(tiny_base, picture_set, config, tmp_path, score=score)
    assert result.scores == {2: 2.0, 3: 1.0}
    assert result.chosen_step == 2
    assert_same_tensors(read_seal(result.seal_path), read_seal(tmp_path / "step-000002.safetensors"))


def test_equal_scores_choose_the_later_checkpoint(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    assert train(tiny_base, picture_set, quick, tmp_path, score=lambda seal: 0.0).chosen_step == 4


@pytest.mark.parametrize(
    ("change", "key"), [({"rank": 2}, "rank"), ({"seed": 1}, "seed"), ({"num_steps": 9}, "num_steps")]
)
def test_resuming_with_other_settings_is_refused(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    change: dict[str, int],
    key: str,
) -> None:
    with pytest.raises(Cancelled, match="step 1"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedAt(1))
    before = weights(tiny_base)
    with pytest.raises(ConfigError, match=f"has {key} = "):
        train(tiny_base, picture_set, replace(quick, **change), tmp_path, resume=True)
    assert is_untouched(tiny_base, before)


def test_resuming_with_other_pictures_is_refused(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled, match="step 1"):
        train(tiny_base, picture_set, quick, tmp_path, progress=InterruptedAt(1))
    with pytest.raises(ConfigError, match="has pictures = "):
        train(tiny_base, replace(picture_set, digest="e" * 64), quick, tmp_path, resume=True)


def test_nan_stops_and_keeps_the_last_good_checkpoint(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    broken = replace(quick, learning_rate=1e30, schedule="constant", num_warmup_steps=0, checkpoint_every=1)
    before = weights(tiny_base)
    with pytest.raises(TrainingError, match=r"broke down at step 2: .*checkpoint is .*step-000001") as error:
        train(tiny_base, picture_set, broken, tmp_path)
    assert "learning rate" in error.value.remedy
    assert is_untouched(tiny_base, before)
    assert read_seal(tmp_path / "step-000001.safetensors").header.training["step"] == 1
    assert not (tmp_path / "seal.safetensors").exists()


def test_a_training_that_changed_nothing_failed(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="changes no picture"):
        train(tiny_base, picture_set, replace(quick, learning_rate=1e-12, num_steps=1), tmp_path)
    assert not (tmp_path / "seal.safetensors").exists()


def test_a_finished_folder_is_not_trained_into_again(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    config = replace(quick, num_steps=2)
    first = train(tiny_base, picture_set, config, tmp_path)
    with pytest.raises(ConfigError, match="already holds a training"):
        train(tiny_base, picture_set, config, tmp_path)
    assert_same_tensors(train(tiny_base, picture_set, config, tmp_path, resume=True).seal, first.seal)
    again = train(tiny_base, picture_set, replace(config, seed=5, num_steps=1), tmp_path, overwrite=True)
    assert again.checkpoint_steps == (1,)
    assert not (tmp_path / "step-000002.safetensors").exists()


def test_nothing_to_resume_starts_from_the_beginning_and_says_so(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    progress = Listening()
    train(tiny_base, picture_set, replace(quick, num_steps=1), tmp_path, progress=progress, resume=True)
    assert any("starting from the beginning" in note for note in progress.notes)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for folder in (file, file / "below", tmp_path / ("file" * 99)):
        with pytest.raises(OutputError, match="file"):
            train(tiny_base, picture_set, quick, folder)


def test_a_trigger_with_a_comma_is_refused(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(TriggerError, match="comma"):
        train(tiny_base, picture_set, replace(quick, trigger="sks, red"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
