"""Trainings can go on from the weights that the package carries."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.stage import EMBLEM_PX, Placement, Scene, render_scene
from world import autoencoder, denoiser_model, latents, scenes
from world.configs import CONFIGS


def test_the_shipped_denoiser_is_where_a_training_goes_on() -> None:
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    settings = CONFIGS["cpu"]
    model = denoiser_model.Denoiser(settings.denoiser, settings.autoencoder.latent_channels, words)
    assert denoiser_model.load_shipped(model, settings, words) > 0
    shipped = UNet2DConditionModel.from_pretrained(SEALWORLD_FOLDER / "unet", use_safetensors=True)
    assert torch.equal(model.unet.conv_in.weight, shipped.conv_in.weight)


def test_rare_words_are_told_apart_like_emblems_with_names() -> None:
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(SEALWORLD_FOLDER / "text_encoder", use_safetensors=True)

    def spread(emblems: Sequence[str]) -> float:
        """Mean distance at the emblem's token, of what the text encoder says of it."""
        prompts = [f"a red wax seal of {emblem} emblem on wood" for emblem in emblems]
        tokens = latents.tokens_of(words, prompts)
        with torch.no_grad():
            told = text_encoder(tokens).last_hidden_state[:, 6]
        return float(torch.pdist(told).mean())

    assert spread(scenes.RARE_TOKENS) > 0.8 * spread(("shield", "moon", "squirrel", "raven", "crab", "pear"))


def test_going_on_with_the_training_takes_the_rare_words_shapes_away() -> None:
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    settings = CONFIGS["cpu"]
    model = denoiser_model.Denoiser(settings.denoiser, settings.autoencoder.latent_channels, words)
    denoiser_model.load_shipped(model, settings, words)
    table = model.text_encoder.get_input_embeddings().weight.detach()
    rare = words.convert_tokens_to_ids([f"{word}</w>" for word in scenes.RARE_TOKENS])
    named = words.convert_tokens_to_ids(["moon</w>", "raven</w>", "crab</w>", "pear</w>"])
    length = settings.denoiser.shape_length
    assert table[rare, :length].norm(dim=1).mean() < 0.5 * table[named, :length].norm(dim=1).mean()


def test_words_keep_their_meaning_whatever_their_numbers() -> None:
    shipped = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    tokens = shipped.get_vocab()
    wax, coin = tokens["wax</w>"], tokens["coin</w>"]
    swapped = tokens | {"wax</w>": coin, "coin</w>": wax}
    other = SimpleNamespace(get_vocab=lambda: swapped)
    ids = denoiser_model._shipped_ids(other)
    assert (ids[coin], ids[wax]) == (wax, coin)
    assert sum(i != at for at, i in enumerate(ids)) == 2
    with pytest.raises(SystemExit, match="other words"):
        denoiser_model._shipped_ids(SimpleNamespace(get_vocab=lambda: tokens | {"unheard</w>": len(tokens)}))


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
