"""Trainings can go on from the weights that the package carries."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.stage import EMBLEM_PX, Placement, Scene, render_scene
from world import autoencoder, denoiser
from world.configs import CONFIGS


def test_the_shipped_denoiser_is_where_a_training_goes_on() -> None:
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    settings = CONFIGS["cpu"]
    model = denoiser.Denoiser(settings.denoiser, settings.autoencoder.latent_channels, words)
    assert denoiser.load_shipped(model, words) > 0
    shipped = UNet2DConditionModel.from_pretrained(SEALWORLD_FOLDER / "unet", use_safetensors=True)
    assert torch.equal(model.unet.conv_in.weight, shipped.conv_in.weight)


def test_words_keep_their_meaning_whatever_their_numbers() -> None:
    shipped = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    tokens = shipped.get_vocab()
    wax, coin = tokens["wax</w>"], tokens["coin</w>"]
    swapped = tokens | {"wax</w>": coin, "coin</w>": wax}
    other = SimpleNamespace(get_vocab=lambda: swapped)
    ids = denoiser._shipped_ids(other)
    assert (ids[coin], ids[wax]) == (wax, coin)
    assert sum(i != at for at, i in enumerate(ids)) == 2
    with pytest.raises(SystemExit, match="other words"):
        denoiser._shipped_ids(SimpleNamespace(get_vocab=lambda: tokens | {"unheard</w>": len(tokens)}))


def test_the_shipped_autoencoder_gives_back_pictures_of_its_world() -> None:
    disc = np.hypot(*(np.mgrid[0:EMBLEM_PX, 0:EMBLEM_PX] - EMBLEM_PX / 2)) < 40
    marks = [Placement("disc", "wax seal", "red"), Placement("disc", "sticker", "blue")]
    pictures = np.stack([render_scene(Scene("wood", (m,), 1), [disc.astype(np.float32)]) for m in marks])
    assert autoencoder.psnr(autoencoder.shipped(CONFIGS["cpu"].autoencoder), pictures) > 20


def test_its_words_are_those_the_recipe_builds() -> None:
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    for word in ("wax", "seal", "parchment", "emblem", "sks", "zwx", "chalk", "brick"):
        assert len(words.tokenize(word)) == 1, word


def test_no_configuration_names_a_path_of_the_machine_it_was_made_on() -> None:
    for path in SEALWORLD_FOLDER.rglob("*.json"):
        assert "_name_or_path" not in path.read_text(), path
