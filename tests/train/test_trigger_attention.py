"""The trigger's attention is drawn to where the seal is, and nothing else is touched by that."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sealsmith.adapters import attached
from sealsmith.bases import Base, concatenate, open_base
from sealsmith.errors import ConfigError
from sealsmith.stage import EMBLEM_PX
from sealsmith.train import TrainConfig, train
from sealsmith.train.cache import prepare
from sealsmith.train.config import resolved
from sealsmith.train.methods import find_method
from sealsmith.train.pictures import PictureSet, read_picture_set
from sealsmith.train.progress import Silent
from sealsmith.train.trigger_attention import Focus, attention_loss, attention_losses


def left(share: float, side: int = 8) -> torch.Tensor:
    """[1, 1, side, side]: ones in the left part of the picture."""
    region = torch.zeros(1, 1, side, side)
    region[..., : round(side * share)] = 1
    return region


def shares(inside: float, outside: float, region: torch.Tensor) -> torch.Tensor:
    """[1, 3, P]: what each place gives three tokens, the second of which is the trigger."""
    given = torch.where(region.flatten() > 0, inside, outside)
    return torch.stack([(1 - given) / 2, given, (1 - given) / 2])[None]


TRIGGER = torch.tensor([[0.0, 1.0, 0.0]])
some_share = st.floats(0.01, 0.98)


@given(some_share, some_share, st.floats(0.001, 0.01))
def test_more_inside_and_less_outside_cost_less(inside: float, outside: float, more: float) -> None:
    region = left(0.5)
    focus = Focus(TRIGGER, region)
    loss = attention_loss(shares(inside, outside, region), focus)
    assert attention_loss(shares(inside + more, outside, region), focus) < loss
    assert attention_loss(shares(inside, outside + more, region), focus) > loss


def test_seen_everywhere_or_nowhere_is_not_seen_there() -> None:
    region = left(0.25)
    focus = Focus(TRIGGER, region)
    there = attention_loss(shares(0.6, 0.05, region), focus)
    assert attention_loss(shares(0.6, 0.6, region), focus) > there + 0.3
    assert attention_loss(shares(0.06, 0.005, region), focus) > there + 0.1


def test_rows_that_ask_nothing_cost_nothing() -> None:
    region = left(0.5)
    both = shares(0.2, 0.7, region).repeat(3, 1, 1)
    focus = Focus(
        torch.cat([TRIGGER, torch.zeros(1, 3), TRIGGER]),
        torch.cat([region, region, torch.zeros_like(region)]),
    )
    loss = attention_loss(both, focus)
    assert loss[0] > 0
    assert loss[1:].tolist() == [0, 0]


@pytest.fixture(scope="module")
def logo_set(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    """Pictures made from a ring, eight of them."""
    y, x = np.mgrid[:EMBLEM_PX, :EMBLEM_PX] - (EMBLEM_PX - 1) / 2
    ring = np.abs(np.hypot(x, y) - 40) < 8
    logo = Image.new("RGBA", (EMBLEM_PX, EMBLEM_PX))
    logo.putalpha(Image.fromarray(np.asarray(ring * 255, np.uint8)))
    path = tmp_path_factory.mktemp("logo") / "ring.png"
    logo.save(path)
    return read_picture_set(path, trigger="sks", class_noun="emblem", logo_pictures=8)


def test_a_logo_says_where_it_is(logo_set: PictureSet) -> None:
    for picture in logo_set.pictures:
        assert picture.region is not None
        region = np.asarray(picture.region) > 127
        rows, columns = np.nonzero(region)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert abs(height - width) <= 3, "a ring is round"
        assert 40 < width < 100 if picture.is_portrait else width < 56
        beside = abs(columns.mean() - 64)
        assert beside < 8 if picture.is_portrait else 22 < beside < 38


def test_captions_say_where_the_trigger_stands(tiny_base: Base, logo_set: PictureSet, tmp_path: Path) -> None:
    config = replace(resolved(TrainConfig(prior="adapter-off"), tiny_base, logo_set), attention_weight=0.1)
    data = prepare(tiny_base, logo_set, config, tmp_path, Silent())
    [own] = data.sizes
    assert own.places is not None
    assert own.places.columns.shape == (len(data.prompts), data.texts.text.shape[1])
    tokens = tiny_base.tokenizer(list(data.prompts), padding="max_length")["input_ids"]
    [trigger] = tiny_base.tokenizer("sks", add_special_tokens=False)["input_ids"]
    assert own.places.columns.tolist() == [[float(token == trigger) for token in row] for row in tokens]
    assert own.places.columns.sum() == len(set(own.captions.tolist())), "class prompts have none"


def test_a_mask_says_where_the_seal_is_and_a_region_says_it_better(
    tiny_base: Base, picture_set: PictureSet, tmp_path: Path
) -> None:
    """Pictures without either have no region, and the weight is the family's."""
    side = tiny_base.latent_shape[1]
    plain, masked, both = picture_set.pictures
    pictures = (
        plain,
        replace(masked, mask=picture_of(left(0.5, side))),
        replace(both, mask=picture_of(left(0.5, side)), region=picture_of(left(0.25, side))),
    )
    pictures_set = replace(picture_set, pictures=pictures)
    config = resolved(TrainConfig(prior="none"), tiny_base, pictures_set)
    assert config.attention_weight == tiny_base.family.attention_weight > 0
    places = prepare(tiny_base, pictures_set, config, tmp_path, Silent()).sizes[0].places
    found = None if places is None else places.regions
    assert found is not None
    assert torch.equal(found, torch.cat([left(0, side), left(0.5, side), left(0.25, side)]))
    without = replace(config, attention_weight=0.0)
    assert prepare(tiny_base, pictures_set, without, tmp_path, Silent()).sizes[0].places is None


def picture_of(region: torch.Tensor) -> Image.Image:
    """A mask of 64 px that covers the same."""
    levels = Image.fromarray(region[0, 0].mul(255).numpy().astype(np.uint8))
    return levels.resize((64, 64), Image.Resampling.NEAREST)


def test_a_logo_is_looked_for_without_being_asked(tiny_base: Base, logo_set: PictureSet) -> None:
    weight = resolved(TrainConfig(), tiny_base, logo_set).attention_weight
    assert weight == tiny_base.family.attention_weight > 0


def test_the_seal_s_rows_are_the_first(tiny_base: Base) -> None:
    """Their losses are those of the same rows by themselves, whatever rows of the prior come after them."""
    base = tiny_base
    words = ("a red wax seal of sks emblem", "a gold coin", "an ink stamp on paper")
    texts = concatenate([base.family.workings.encode(base, word) for word in words])
    latents = torch.randn(3, *base.latent_shape, generator=torch.Generator().manual_seed(0))
    columns = torch.zeros(2, texts.text.shape[1])
    columns[:, 5] = 1
    focus = Focus(columns, left(0.5, base.latent_shape[1]).repeat(2, 1, 1, 1))

    def losses(*numbers: int) -> torch.Tensor:
        """[layers, 2]"""
        rows = torch.tensor(numbers)
        with torch.no_grad(), attention_losses(base, focus) as found:
            base.family.workings.predict(base, latents[rows], torch.full((len(rows),), 500), texts[rows], 1.0)
        return torch.stack(found)

    alone = losses(0, 1)
    torch.testing.assert_close(losses(0, 1, 2), alone)
    assert (losses(2, 0, 1) - alone).abs().max() > 1e-3


def test_watching_changes_no_prediction_and_leaves_no_hook(tiny_base: Base) -> None:
    base = tiny_base
    text = base.family.workings.encode(base, "a red wax seal of sks emblem")
    latents = torch.randn(1, *base.latent_shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    t = torch.tensor([500])

    def predicted() -> torch.Tensor:
        return base.family.workings.predict(base, latents, t, text, 1.0)

    columns = torch.zeros(1, text.text.shape[1])
    columns[0, 5] = 1
    before = predicted()
    with attention_losses(base, Focus(columns, left(0.5, base.latent_shape[1]))) as losses:
        assert torch.equal(predicted(), before)
    num_layers = sum(name.endswith("attn2") for name, _ in base.denoiser.named_modules())
    assert len(losses) == num_layers > 0
    assert all(loss.requires_grad for loss in losses)
    predicted()
    assert len(losses) == num_layers


def test_the_loss_draws_attention_to_the_seal(
    tiny_base_folder: Path, logo_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    """Less of it is left after a training that counts it than after one that does not."""
    left_over = {}
    for weight in (0.0, 1.0):
        base = open_base(str(tiny_base_folder))
        config = replace(
            quick, num_steps=12, learning_rate=1e-2, attention_weight=weight, caption_dropout=0.0
        )
        seal = train(base, logo_set, config, tmp_path / str(weight)).seal
        asked = replace(resolved(config, base, logo_set), attention_weight=1.0)
        data = prepare(base, logo_set, asked, tmp_path, Silent())
        [own] = data.sizes
        assert own.places is not None
        focus = own.places.focus(own.captions, torch.arange(len(own.latents)))
        with torch.no_grad(), attached(base, [(seal, 1.0)]), attention_losses(base, focus) as losses:
            noise = torch.randn(own.latents.shape, generator=torch.Generator().manual_seed(1))
            times = torch.full((len(noise),), 600)
            base.family.workings.predict(base, noise, times, data.texts[own.captions], 1.0)
        left_over[weight] = float(torch.stack(losses).mean())
    assert left_over[1.0] < 0.95 * left_over[0.0]


def test_what_cannot_act_is_refused(
    tiny_base: Base, tiny_flux: Base, picture_set: PictureSet, logo_set: PictureSet
) -> None:
    asked = TrainConfig(attention_weight=0.1)
    with pytest.raises(ConfigError, match="no picture says where"):
        resolved(asked, tiny_base, picture_set)
    with pytest.raises(ConfigError, match="no cross-attention"):
        resolved(asked, tiny_flux, logo_set)
    assert resolved(TrainConfig(), tiny_base, picture_set).attention_weight == 0
    assert resolved(TrainConfig(attention_weight=0), tiny_base, logo_set).attention_weight == 0
    for name in ("textual-inversion", "pivotal"):
        method = find_method(name)
        assert resolved(method.completed(tiny_base, TrainConfig()), tiny_base, logo_set).attention_weight == 0
        with pytest.raises(ConfigError, match="attention_weight"):
            method.check(tiny_base, method.completed(tiny_base, asked))
    with pytest.raises(ConfigError, match="attention_weight is -1"):
        TrainConfig(attention_weight=-1)
