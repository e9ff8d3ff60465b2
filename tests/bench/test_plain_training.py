"""The plain loop trains what we train, its caches change no step, and what it saves is a seal."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sealsmith.adapters import read_seal
from sealsmith.bases import Base
from sealsmith.bench.peers import stock_pipeline
from sealsmith.bench.plain_training import PlainRecipe, PlainTraining
from sealsmith.train import TrainConfig
from sealsmith.train.methods.lora import LORA

COLOURS = ("red", "teal", "gold")


def plain(base: Base, **changes: object) -> PlainTraining:
    """Three flat pictures with a caption each, all layers of the family's default, rank 2."""
    recipe = PlainRecipe(base.family.targets(base.family.default_targets), rank=2, learning_rate=1e-3)
    return PlainTraining(
        stock_pipeline(base.folder),
        [Image.new("RGB", (90, 90), colour) for colour in COLOURS],
        [f"a {colour} wax seal of sks emblem on parchment" for colour in COLOURS],
        PlainRecipe(**{**vars(recipe), **changes}),  # type: ignore[arg-type]
    )


def test_the_plain_training_trains_the_same_tensors_as_ours(tiny_base: Base, tmp_path: Path) -> None:
    training = plain(tiny_base)
    losses = training.run(2)
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    training.save(tmp_path / "plain.safetensors")
    layers = read_seal(tmp_path / "plain.safetensors").layers
    config = TrainConfig(rank=2, targets=tiny_base.family.default_targets)
    with LORA.attached(tiny_base, config) as adapted:
        assert layers.keys() == adapted.layers().keys()
        for path, change in adapted.layers().items():
            assert layers[path].delta().shape == change.delta().shape
            assert torch.count_nonzero(layers[path].delta()), (
                "every up matrix starts at zero and must be trained"
            )


@pytest.mark.parametrize("cache", ["caches_latents", "caches_texts"])
def test_a_cache_changes_what_a_step_costs_and_not_what_it_learns(tiny_base: Base, cache: str) -> None:
    losses = plain(tiny_base).run(4)
    assert plain(tiny_base, **{cache: True}).run(4) == pytest.approx(losses, rel=1e-4)


def test_a_cache_keeps_the_encoder_out_of_the_steps(tiny_base: Base) -> None:
    training = plain(tiny_base, caches_latents=True, caches_texts=True)

    def refuse(*_: object) -> None:
        raise AssertionError("an encoder ran in a step")

    for part in (training._pipeline.vae.encoder, training._pipeline.text_encoder):
        part.register_forward_pre_hook(refuse)
    training.run(1)
    with pytest.raises(AssertionError, match="an encoder ran"):
        training._encode_images([0])
