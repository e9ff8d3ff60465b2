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
from world import autoencoder, denoiser, glyphs, scenes
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
    words = denoiser.build_tokenizer(SETTINGS, tmp_path)
    model = denoiser.Denoiser(SETTINGS, 8, words)
    denoiser.informed_embeddings(model, SETTINGS, words)
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
    inside = denoiser._inside(scene, 16)[0]
    assert inside[8, 8] == 1
    assert inside[0].sum() == inside[:, 0].sum() == 0
    radius = scene.placements[0].radius_px
    assert inside.mean() == pytest.approx(np.pi * (0.75 * radius / 128) ** 2, rel=0.1)


def test_each_of_two_small_emblems_counts_twice_and_of_two_large_ones_once() -> None:
    small = scenes.sample_scene(np.random.default_rng(3), ["disc"], pair_share=1.0)
    assert len(small.placements) == 2
    assert set(denoiser._inside(small, 16).unique().tolist()) == {0, 2}
    inside = denoiser._inside(scenes.sample_wide_scene(np.random.default_rng(3), ["disc"]), 16)
    assert inside.shape == (1, 16, 24)
    assert set(inside.unique().tolist()) == {0, 1}
    assert inside[0, 8, 6] == inside[0, 8, 18] == 1 > inside[0, 8, 12] == 0


def test_batches_are_of_one_size_of_picture_and_go_on_where_they_were() -> None:
    def latents(count: int, width: int) -> denoiser.Latents:
        return denoiser.Latents(torch.zeros(count, 8, 16, width), [], torch.zeros(count, 1, 16, width))

    data = denoiser.TrainingData(latents(30, 16), latents(20, 24), 1.0)
    settings = dataclasses.replace(SETTINGS, batch=4, valid_pictures=2, wide_share=0.5)
    begun = list(itertools.islice(denoiser._turns(data, settings, 0), 40))
    assert 10 < sum(turn is data.wide for turn, _ in begun) < 30
    for latent, rows in begun:
        assert len(rows) == 4
        assert min(rows) >= 2
        assert max(rows) < len(latent.values)
    gone_on = list(itertools.islice(denoiser._turns(data, settings, 25), 15))
    assert [(id(latent), rows) for latent, rows in gone_on] == [
        (id(latent), rows) for latent, rows in begun[25:]
    ]


def test_a_told_shape_makes_a_rare_token_begin_as_a_name_would(tmp_path: Path) -> None:
    words = denoiser.build_tokenizer(SETTINGS, tmp_path)
    shapes = denoiser.Shapes(SETTINGS, words)
    captions = ["a red wax seal of sks and a blue coin of ohwx on snow", "a wax seal of disc on snow"]
    tokens = denoiser.tokens_of(words, captions)
    told = shapes.told(tokens, [{"ohwx": "blot 3"}, {}])
    at = tokens[0] == words.convert_tokens_to_ids("ohwx</w>")
    assert at.sum() == 1
    code = torch.from_numpy(glyphs.shape_codes(["blot 3"], SETTINGS.shape_length))
    found = told[0, at, : SETTINGS.shape_length]
    assert torch.cosine_similarity(found, code).item() == pytest.approx(1, abs=1e-5)
    assert not told[0, at, SETTINGS.shape_length :].any()
    told[0, at] = 0
    assert not told.any()


def test_no_shape_of_a_heldout_glyph_is_ever_told(tmp_path: Path) -> None:
    shapes = denoiser.Shapes(SETTINGS, denoiser.build_tokenizer(SETTINGS, tmp_path))
    with pytest.raises(KeyError, match="ring"):
        shapes.told(torch.zeros(1, 77, dtype=torch.long), [{"sks": "ring"}])
    assert "ring" not in glyphs.training_names(3)
    assert set(glyphs.masks()) - {"ring"} == set(glyphs.training_names(3))


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_every_configuration_fits_into_the_package(name: str) -> None:
    config = CONFIGS[name]
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    with torch.device("meta"):
        model = denoiser.Denoiser(config.denoiser, config.autoencoder.latent_channels, words)
        decoder = autoencoder.build(config.autoencoder)
        looking = Judge(9, 13, 10, config.judge.width, config.judge.size)
    halves = (model.unet, decoder, looking)
    num_bytes = sum(2 * p.numel() for part in halves for p in part.parameters())
    num_bytes += sum(4 * p.numel() for p in model.text_encoder.parameters())
    assert num_bytes <= 48 * 2**20


def test_every_configuration_has_room_for_shapes_in_its_words() -> None:
    for config in CONFIGS.values():
        assert config.denoiser.shape_length < config.denoiser.text_width
