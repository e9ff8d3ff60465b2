"""What the embedded base's text encoder knows before it is trained."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.score.judge import Judge
from world import autoencoder, denoiser, denoiser_model, glyphs, latents, scenes
from world.configs import CONFIGS, DenoiserConfig

NAMES = ["letter b", "disc", "bar", "ring"]
SETTINGS = DenoiserConfig("tiny", glyphs=3, pictures=1, steps=1, channels=(16, 32), shape_length=16)


@pytest.fixture(autouse=True)
def four_glyphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world of four shapes and sixty blots, so that nothing is fetched."""
    y, x = np.mgrid[:128, :128] - 63.5
    drawn = {
        "letter b": np.abs(x) < 20,
        "disc": np.hypot(x, y) < 50,
        "bar": np.abs(y) < 20,
        "ring": np.abs(np.hypot(x, y) - 40) < 8,
    }
    rng = np.random.default_rng(0)
    for i in range(60):
        drawn[f"blot {i}"] = np.kron(rng.random((8, 8)) < 0.5, np.ones((16, 16))) > 0
    masks = {name: np.asarray(mask * 255, np.uint8) for name, mask in drawn.items()}
    monkeypatch.setattr(glyphs, "masks", lambda: masks)
    monkeypatch.setattr(glyphs, "is_heldout", lambda name: name == "ring")


def test_the_code_of_a_shape_is_near_that_of_a_like_shape_and_of_unit_size() -> None:
    codes = glyphs.shape_codes(NAMES, 8)
    assert codes.shape == (4, 8)
    assert np.square(codes).mean() == pytest.approx(1, rel=1e-4)
    assert len(np.unique(codes.round(4), axis=0)) == 4
    assert np.array_equal(codes, glyphs.shape_codes(NAMES, 8))


def test_names_begin_as_shapes_and_rare_tokens_as_emblems_of_none(tmp_path: Path) -> None:
    words = denoiser_model.build_tokenizer(SETTINGS, tmp_path)
    model = denoiser_model.Denoiser(SETTINGS, 8, words)
    denoiser_model.informed_embeddings(model, SETTINGS, words)
    table = model.text_encoder.get_input_embeddings().weight.detach()

    def row(word: str) -> torch.Tensor:
        return table[words.convert_tokens_to_ids(f"{word}</w>")]

    length = SETTINGS.shape_length
    names = glyphs.train_names(3)
    codes = torch.from_numpy(glyphs.shape_codes([n for n in names if n != "letter a"], length))
    for name, code in zip(names, codes, strict=True):
        torch.testing.assert_close(row(name.split()[-1])[:length], 0.5 * code)
    shapeless = [*scenes.RARE_TOKENS, "seal", "parchment", scenes.CLASS_NOUN]
    assert not any(row(word)[:length].any() for word in shapeless)
    alike = torch.cosine_similarity
    kin, stranger = row("sks")[length:], row("parchment")[length:]
    assert alike(row("disc")[length:], kin, dim=0) > 0.4 > alike(row("disc")[length:], stranger, dim=0)
    assert alike(kin, row("ohwx")[length:], dim=0) < 0.9


def test_the_inside_of_a_mark_is_where_its_emblem_is() -> None:
    scene = scenes.sample_scene(np.random.default_rng(3), ["disc"], pair_share=0.0)
    inside = latents.inside_of(scene, 16)[0]
    assert inside[8, 8] == 1
    assert inside[0].sum() == inside[:, 0].sum() == 0
    radius = scene.placements[0].radius_px
    assert inside.mean() == pytest.approx(np.pi * (0.75 * radius / 128) ** 2, rel=0.1)


def test_each_of_two_small_emblems_counts_twice_and_of_two_large_ones_once() -> None:
    small = scenes.sample_scene(np.random.default_rng(3), ["disc"], pair_share=1.0)
    assert len(small.placements) == 2
    assert set(latents.inside_of(small, 16).unique().tolist()) == {0, 2}
    inside = latents.inside_of(scenes.sample_wide_scene(np.random.default_rng(3), ["disc"]), 16)
    assert inside.shape == (1, 16, 24)
    assert set(inside.unique().tolist()) == {0, 1}
    assert inside[0, 8, 6] == inside[0, 8, 18] == 1 > inside[0, 8, 12] == 0


def test_batches_are_of_one_size_of_picture_and_go_on_where_they_were() -> None:
    def pictures(count: int, width: int) -> latents.Latents:
        words = latents.Captions(torch.zeros(count, 1, 77), torch.zeros(count, 1, 2, 2))
        return latents.Latents(torch.zeros(count, 8, 16, width), torch.zeros(count, 1, 16, width), words)

    data = latents.TrainingData(pictures(30, 16), pictures(20, 24), 1.0)
    settings = dataclasses.replace(SETTINGS, batch=4, valid_pictures=2, wide_share=0.5)
    begun = list(itertools.islice(denoiser._turns(data, settings, 0), 40))
    assert 10 < sum(turn is data.wide for turn, _ in begun) < 30
    for shown, rows in begun:
        assert len(rows) == 4
        assert min(rows) >= 2
        assert max(rows) < len(shown.values)
    gone_on = list(itertools.islice(denoiser._turns(data, settings, 25), 15))
    assert [(id(shown), rows) for shown, rows in gone_on] == [(id(shown), rows) for shown, rows in begun[25:]]


def test_a_told_shape_makes_a_rare_token_begin_as_a_name_would(tmp_path: Path) -> None:
    words = denoiser_model.build_tokenizer(SETTINGS, tmp_path)
    shapes = latents.Shapes(SETTINGS, words)
    captions = ["a red wax seal of sks and a blue coin of ohwx on snow", "a wax seal of disc on snow"]
    tokens = latents.tokens_of(words, captions)
    (place,) = shapes.places(tokens[0].tolist(), {"ohwx": "blot 3"})
    nowhere = [-1, -1]
    told = shapes.told(torch.tensor([[place, nowhere], [nowhere, nowhere]]))
    at = tokens[0] == words.convert_tokens_to_ids("ohwx</w>")
    assert at.sum() == 1
    code = torch.from_numpy(glyphs.shape_codes(["blot 3"], SETTINGS.shape_length))
    found = told[0, at, : SETTINGS.shape_length]
    assert torch.cosine_similarity(found, code).item() == pytest.approx(1, abs=1e-5)
    assert not told[0, at, SETTINGS.shape_length :].any()
    told[0, at] = 0
    assert not told.any()


def test_the_captions_of_a_picture_are_of_its_scene_and_told_what_they_do_not_name(tmp_path: Path) -> None:
    words = denoiser_model.build_tokenizer(SETTINGS, tmp_path)
    shapes = latents.Shapes(SETTINGS, words)
    rng = np.random.default_rng(4)
    shown = [scenes.sample_scene(rng, glyphs.training_names(3)) for _ in range(8)]
    settings = dataclasses.replace(SETTINGS, captions_each=5, workers=1)
    said = latents.captions_of(shown, shapes, tmp_path / "captions.safetensors", settings)
    assert said.tokens.shape == (8, 5, 77)
    for scene, tokens, places in zip(shown, said.tokens, said.places, strict=True):
        for caption, told in zip(tokens, places, strict=True):
            text = words.decode(caption, skip_special_tokens=True)
            assert scene.surface in text
            assert all(place.mark.split()[-1] in text for place in scene.placements)
            for position, row in told[told[:, 0] >= 0].tolist():
                assert words.decode(caption[position : position + 1]).strip() in scenes.RARE_TOKENS
                assert shapes.row[scene.placements[0].emblem] == row or row in [
                    shapes.row.get(place.emblem) for place in scene.placements
                ]
    again = latents.captions_of(shown, shapes, tmp_path / "captions.safetensors", settings)
    assert torch.equal(again.tokens, said.tokens)


def test_a_picture_without_its_caption_is_told_nothing(tmp_path: Path) -> None:
    words = denoiser_model.build_tokenizer(SETTINGS, tmp_path)
    shapes = latents.Shapes(SETTINGS, words)
    told = latents.Captions(torch.ones(3, 2, 77), torch.tensor([5, 2]).expand(3, 2, 2, 2))
    data = latents.Latents(torch.zeros(3, 8, 16, 16), torch.zeros(3, 1, 16, 16), told)
    blank = latents.tokens_of(words, [""])[0]
    silent, spoken = (data.batch([0, 2, 2], shapes, blank, dropout) for dropout in (1.0, 0.0))
    assert torch.equal(silent.tokens, blank.expand(3, 77))
    assert not silent.told.any()
    assert (spoken.tokens == 1).all()
    assert spoken.told[:, 5].any(1).all()


def test_no_shape_of_a_heldout_glyph_is_ever_told(tmp_path: Path) -> None:
    shapes = latents.Shapes(SETTINGS, denoiser_model.build_tokenizer(SETTINGS, tmp_path))
    with pytest.raises(KeyError, match="ring"):
        shapes.places(latents.tokens_of(shapes.words, ["sks"])[0].tolist(), {"sks": "ring"})
    assert "ring" not in glyphs.training_names(3)
    assert set(glyphs.masks()) - {"ring"} == set(glyphs.training_names(3))


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_every_configuration_fits_into_the_package(name: str) -> None:
    config = CONFIGS[name]
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    with torch.device("meta"):
        model = denoiser_model.Denoiser(config.denoiser, config.autoencoder.latent_channels, words)
        decoder = autoencoder.build(config.autoencoder)
        looking = Judge(9, 13, 10, config.judge.width, config.judge.size)
    halves = (model.unet, decoder, looking)
    num_bytes = sum(2 * p.numel() for part in halves for p in part.parameters())
    num_bytes += sum(4 * p.numel() for p in model.text_encoder.parameters())
    assert num_bytes <= 48 * 2**20


def test_every_configuration_has_room_for_shapes_in_its_words() -> None:
    for config in CONFIGS.values():
        assert config.denoiser.shape_length < config.denoiser.text_width
