"""What a training of the decoder alone changes, and what comes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from world import autoencoder, dataset, glyphs
from world.configs import CONFIGS


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> autoencoder.Config:
    """Three steps on a handful of pictures of noise."""
    pictures = np.random.default_rng(0).integers(
        0, 256, (autoencoder.VALID_PICTURES + 4, 128, 128, 3), np.uint8
    )
    monkeypatch.setattr(glyphs, "RUNS", tmp_path)
    monkeypatch.setattr(dataset, "of_denoiser", lambda _: dataset.Rendered(pictures, []))
    config = CONFIGS["cpu"]
    return replace(config, autoencoder=replace(config.autoencoder, decoder_steps=3, batch=2, crop_px=32))


def test_a_decoder_trained_on_leaves_the_latents_as_they_are(config: autoencoder.Config) -> None:
    settings = config.autoencoder
    before = autoencoder.trained(settings)
    autoencoder.train(settings, autoencoder.decoder(config), "cpu", minutes=5)
    after = autoencoder.trained(settings)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        latents = before.encode(pictures).latent_dist
        assert torch.equal(latents.mode(), after.encode(pictures).latent_dist.mode())
        shown = [model.decode(latents.mode()).sample for model in (before, after)]
    assert not torch.equal(*shown)


def test_a_training_of_both_halves_goes_before_the_shipped_weights_and_its_decoder_before_it(
    config: autoencoder.Config,
) -> None:
    settings = config.autoencoder
    steps = replace(config, autoencoder=replace(settings, steps=1))
    untrained = autoencoder.Stage(
        autoencoder._run(settings, "autoencoder"),
        autoencoder.build(settings),
        dataset.of_denoiser(config.denoiser).pictures,
        steps.autoencoder.steps,
    )
    autoencoder.train(settings, untrained, "cpu", minutes=5)
    whole = autoencoder.trained(settings)
    assert not torch.equal(whole.encoder.conv_in.weight, autoencoder.shipped(settings).encoder.conv_in.weight)
    autoencoder.train(settings, autoencoder.decoder(config), "cpu", minutes=5)
    final = autoencoder.trained(settings)
    assert torch.equal(final.encoder.conv_in.weight, whole.encoder.conv_in.weight)
    assert not torch.equal(final.decoder.conv_in.weight, whole.decoder.conv_in.weight)


def test_crops_are_the_squares_at_their_corners_wherever_pictures_lie() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)
    picked, corners = np.array([4, 0, 2]), np.array([[0, 3], [8, 8], [5, 1]])
    cut = autoencoder.crops(pictures, picked, corners, 8)
    for square, number, (y, x) in zip(cut, picked, corners, strict=True):
        assert np.array_equal(square, pictures[number, y : y + 8, x : x + 8])
    assert np.array_equal(autoencoder.crops(torch.from_numpy(pictures), picked, corners, 8).numpy(), cut)
