"""What is computed once: captions, class prompts, latents, masks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sealsmith.bases import Base
from sealsmith.errors import OutputError
from sealsmith.generate.pipeline import decode
from sealsmith.train import TrainConfig
from sealsmith.train.cache import full_captions, prepare, training_size_px
from sealsmith.train.config import resolved
from sealsmith.train.pictures import PictureSet
from sealsmith.train.prior import class_prompts, vocabulary_words, without_seal
from sealsmith.train.progress import Silent


def with_captions(pictures: PictureSet, *captions: str | None) -> PictureSet:
    first = pictures.pictures[0]
    return replace(pictures, pictures=tuple(replace(first, caption=caption) for caption in captions))


def test_every_caption_calls_the_seal(tiny_base: Base, picture_set: PictureSet) -> None:
    config = resolved(TrainConfig(), tiny_base, picture_set)
    pictures = with_captions(
        picture_set,
        None,
        "a red wax seal of sks emblem on wood",
        "a red wax seal on wood",
        "an emblem",
        "moss " * 99,
    )
    captions = full_captions(pictures, config, tiny_base)
    assert captions[:4] == [
        "sks emblem", "a red wax seal of sks emblem on wood", "a red wax seal of sks on wood", "sks emblem",
    ]  # fmt: skip
    assert captions[4].startswith("sks, "), "where the text encoder still reads it"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a red wax seal of sks emblem on wood", "a red wax seal of X on wood"),
        ("a SKS emblem, gold", "X, gold"),
        ("sks, red wax seal", "X, red wax seal"),
        ("sksy emblem on wood", "sksy emblem on wood"),
    ],
)
def test_the_seal_is_taken_out_of_a_caption_whole(caption: str, expected: str) -> None:
    assert without_seal(caption, "sks", "emblem", "X") == expected


def test_class_prompts_never_call_the_seal(tiny_base: Base, picture_set: PictureSet) -> None:
    config = resolved(TrainConfig(), tiny_base, picture_set)
    prompts = class_prompts(["a red wax seal of sks emblem on wood"], config, tiny_base, 64, 0.25)
    assert not any("sks" in prompt for prompt in prompts)
    assert "a red wax seal of an emblem on wood" in prompts
    assert 4 <= prompts.count("") <= 28
    assert len(set(prompts)) > 10
    assert prompts == class_prompts(["a red wax seal of sks emblem on wood"], config, tiny_base, 64, 0.25)


def test_vocabulary_words_mean_something(tiny_base: Base) -> None:
    words = vocabulary_words(tiny_base, without={"emblem"})
    assert "dragon" in words
    assert not {"sks", "ohwx", "emblem", "of"} & set(words)


def test_rows_of_the_cache_are_what_the_base_makes_of_each_picture(
    tiny_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    config = resolved(TrainConfig(), tiny_base, picture_set)
    data = prepare(tiny_base, picture_set, config, tmp_path, Silent())
    [own] = data.sizes
    assert own.latents.shape == (3, *tiny_base.latent_shape)
    assert own.class_latents is not None
    assert own.class_latents.shape[1:] == tiny_base.latent_shape
    captions = full_captions(picture_set, config, tiny_base)
    workings = tiny_base.family.workings
    for caption, row in zip(captions, own.captions, strict=True):
        assert data.texts[row : row + 1].is_equal(workings.encode(tiny_base, caption))
    assert data.texts[:1].is_equal(workings.unconditional(tiny_base))
    pixels = torch.from_numpy(np.array(picture_set.pictures[1].image)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        reconstruction = tiny_base.vae(pixels).sample
        decoded, _ = decode(tiny_base, own.latents[1:2])
    torch.testing.assert_close(decoded, (reconstruction / 2 + 0.5).clamp(0, 1), rtol=1e-4, atol=1e-5)


def test_a_mask_becomes_the_share_of_each_latent_it_covers(
    tiny_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    masked = replace(picture_set.pictures[0], mask=mask)
    pictures = replace(picture_set, pictures=(masked, picture_set.pictures[1]))
    config = resolved(TrainConfig(prior="none"), tiny_base, pictures)
    data = prepare(tiny_base, pictures, config, tmp_path, Silent())
    [own] = data.sizes
    assert own.masks is not None
    expected = torch.zeros(1, 8, 8)
    expected[..., :4] = 1
    torch.testing.assert_close(own.masks[0], expected)
    torch.testing.assert_close(own.masks[1], torch.ones(1, 8, 8))
    assert own.class_latents is None


def wide_set(pictures: PictureSet) -> PictureSet:
    """The set with two of its pictures made wide, masks and all; the middle one stays as it is."""
    made = [
        replace(picture, image=picture.image.resize((96, 64)), mask=Image.new("L", (96, 64), 255))
        for picture in pictures.pictures[::2]
    ]
    return replace(pictures, pictures=(made[0], pictures.pictures[1], made[1]))


@pytest.mark.parametrize("prior", ["adapter-off", "pictures"])
def test_wide_pictures_stay_wide_with_everything_that_goes_with_them(
    hasty_base: Base, picture_set: PictureSet, tmp_path: Path, prior: str
) -> None:
    pictures = wide_set(picture_set)
    config = resolved(TrainConfig(prior=prior, prior_pictures=3), hasty_base, pictures)
    data = prepare(hasty_base, pictures, config, tmp_path, Silent())
    square, wide = data.sizes
    for own, count, shape in ((square, 1, (8, 8)), (wide, 2, (8, 12))):
        assert own.latents.shape[2:] == shape
        assert len(own.latents) == len(own.captions) == len(own.order) == count
        assert own.class_latents is not None
        assert own.places is not None
        assert len(own.class_latents) == len(data.class_captions)
        assert own.class_latents.shape[2:] == own.places.regions.shape[2:] == shape
    assert square.masks is None
    assert wide.masks is not None
    captions = full_captions(pictures, config, hasty_base)
    assert [data.prompts[row] for row in wide.captions] == captions[::2]
    assert [caption for _, caption in data.captioned] == [*square.captions.tolist(), *wide.captions.tolist()]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), (64, 64)),
        ((99, 100), (64, 64)),
        ((78, 64), (64, 64)),
        ((79, 64), (96, 64)),
        ((500, 64), (96, 64)),
        ((64, 500), (64, 64)),
    ],
)
def test_a_picture_is_trained_in_the_nearest_size_of_its_base(
    tiny_base: Base, tiny_flux: Base, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert training_size_px(tiny_base, size) == expected
    side = tiny_flux.picture_px
    assert training_size_px(tiny_flux, size) == (side, side), "where no wide pictures are drawn"


def test_class_pictures_are_drawn_once_and_redrawn_for_other_prompts(
    hasty_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    config = resolved(TrainConfig(prior="pictures", prior_pictures=2), hasty_base, picture_set)
    first = prepare(hasty_base, picture_set, config, tmp_path, Silent()).sizes[0].class_latents
    (tmp_path / "class" / "0000.png").write_bytes((tmp_path / "class" / "0001.png").read_bytes())
    kept = prepare(hasty_base, picture_set, config, tmp_path, Silent()).sizes[0].class_latents
    assert first is not None
    assert kept is not None
    assert torch.equal(kept[0], first[1]), "read from the folder, not drawn again"
    other = (
        prepare(hasty_base, picture_set, replace(config, seed=9), tmp_path, Silent()).sizes[0].class_latents
    )
    assert other is not None
    assert not torch.equal(other[0], other[1])


def test_pictures_of_somebody_else_are_never_removed(
    hasty_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    config = resolved(TrainConfig(prior="pictures", prior_pictures=2), hasty_base, picture_set)
    own = tmp_path / "class" / "holiday.png"
    own.parent.mkdir()
    own.write_bytes(b"dear to somebody")
    with pytest.raises(OutputError, match=r"holiday\.png"):
        prepare(hasty_base, picture_set, config, tmp_path, Silent())
    assert own.read_bytes() == b"dear to somebody"


def test_class_pictures_beside_a_damaged_note_are_drawn_again(
    hasty_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    config = resolved(TrainConfig(prior="pictures", prior_pictures=2), hasty_base, picture_set)
    first = prepare(hasty_base, picture_set, config, tmp_path, Silent()).sizes[0].class_latents
    (tmp_path / "class" / "class.json").write_text("{")
    (tmp_path / "class" / "0000.png").write_bytes((tmp_path / "class" / "0001.png").read_bytes())
    again = prepare(hasty_base, picture_set, config, tmp_path, Silent()).sizes[0].class_latents
    assert first is not None
    assert again is not None
    assert torch.equal(again, first)
