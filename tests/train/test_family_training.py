"""The laws of a training, on a tiny base of every family: resumed = uninterrupted, and stock loads the seal."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from seal_examples import equal_layers
from stock_pictures import largest_difference, stock
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import read_seal
from sealsmith.bases import Base
from sealsmith.errors import Cancelled, ConfigError
from sealsmith.generate import Request, generate
from sealsmith.train import TrainConfig, train
from sealsmith.train.log import read_log
from sealsmith.train.methods import find_method
from sealsmith.train.pictures import PictureSet
from sealsmith.train.progress import Silent

FAMILIES = ("sd1", "sdxl", "flux")
REQUEST = Request("a red wax seal of sks emblem", seed=3, num_steps=2, guidance=3.5, width=64, height=64)


class InterruptedAt(Silent):
    """Presses Ctrl-C when this step is done."""

    def __init__(self, step: int):
        self.step = step

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None and done == self.step:
            raise KeyboardInterrupt


@pytest.fixture(params=FAMILIES)
def base(request: pytest.FixtureRequest) -> Base:
    opened: Base = request.getfixturevalue(f"tiny_{request.param}")
    return opened


@pytest.fixture
def hasty(quick: TrainConfig) -> TrainConfig:
    return replace(quick, num_steps=2, checkpoint_every=1, num_warmup_steps=0, learning_rate=0.03)


def test_stock_diffusers_draws_the_same_picture_with_the_trained_seal(
    base: Base, picture_set: PictureSet, hasty: TrainConfig, tmp_path: Path
) -> None:
    before = weights(base)
    result = train(base, picture_set, hasty, tmp_path)
    assert is_untouched(base, before)
    seal = read_seal(result.seal_path)
    assert {path.partition(".")[0] for path in seal.layers} == {base.family.denoiser}
    assert (seal.header.family, seal.header.base_digest) == (base.family.name, base.digest)
    pipeline = DiffusionPipeline.from_pretrained(base.folder)
    pipeline.set_progress_bar_config(disable=True)
    bare = stock(pipeline, REQUEST)
    pipeline.load_lora_weights(str(result.seal_path))
    (ours,) = generate(base, REQUEST, [(seal, 1.0)])
    assert largest_difference(ours.pixels, stock(pipeline, REQUEST)) <= 1e-5
    assert largest_difference(ours.pixels, bare) > 1e-3
    assert ours.warnings == ()


def test_interrupted_and_resumed_equals_uninterrupted(
    base: Base, picture_set: PictureSet, hasty: TrainConfig, tmp_path: Path
) -> None:
    whole = train(base, picture_set, hasty, tmp_path / "whole")
    with pytest.raises(Cancelled, match="stopped after step 1 of 2"):
        train(base, picture_set, hasty, tmp_path / "parts", progress=InterruptedAt(1))
    resumed = train(base, picture_set, hasty, tmp_path / "parts", resume=True)
    assert equal_layers(resumed.seal, whole.seal)
    assert resumed.losses == whole.losses
    prior = [row["prior_loss"] for row in read_log(tmp_path / "whole")]
    assert prior[0] < 1e-9, "an adapter that is still zero agrees with its base"
    assert prior[1] > 0


def test_the_change_starts_at_zero_on_every_layer_that_can_be_adapted(base: Base) -> None:
    groups = ("attention", "feed-forward", "convolutions")[: 2 if base.family.name == "flux" else 3]
    before = predict(base)
    with find_method("lora").attached(base, TrainConfig(rank=2, targets=groups)) as adapted:
        assert torch.equal(predict(base), before)
        with torch.no_grad():
            for parameter in adapted.parameters.values():
                parameter.add_(0.1)
        assert not torch.allclose(predict(base), before)
        with adapted.off():
            assert torch.equal(predict(base), before)
    assert torch.equal(predict(base), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"min_snr_gamma": 5.0}, "flow matching"), ({"targets": ("convolutions",)}, "'convolutions'")],
)
def test_flux_refuses_what_it_has_no_use_for_before_any_work(
    tiny_flux: Base,
    picture_set: PictureSet,
    hasty: TrainConfig,
    tmp_path: Path,
    change: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny_flux, picture_set, replace(hasty, **change), tmp_path / "out")
    assert not (tmp_path / "out").exists()
