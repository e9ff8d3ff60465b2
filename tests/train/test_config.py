"""Settings: refused when out of range, completed once, and the schedule they describe."""

from dataclasses import replace
from typing import Any

import pytest

from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.train import TrainConfig
from sealsmith.train.config import resolved
from sealsmith.train.pictures import PictureSet
from sealsmith.train.schedule import checkpoint_steps, learning_rate


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("rank", 0), ("rank", -3), ("num_steps", 0), ("batch_size", 0), ("learning_rate", 0.0),
        ("learning_rate", float("nan")), ("alpha", -1.0), ("caption_dropout", 1.0), ("preview_every", 0),
        ("prior", "adapter_off"), ("targets", ("attentoin",)), ("targets", ()), ("schedule", "linear"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_named_with_its_setting(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=setting) as error:
        TrainConfig(**{setting: value})
    assert error.value.remedy


def test_a_misspelt_choice_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="attentoin") as error:
        TrainConfig(targets=("attentoin",))
    assert "did you mean 'attention'" in error.value.remedy


def test_resolving_fills_in_everything_and_twice_is_once(tiny_base: Base, picture_set: PictureSet) -> None:
    config = resolved(TrainConfig(trigger=" sks "), tiny_base, picture_set)
    assert (config.trigger, config.class_noun, config.alpha) == ("sks", "emblem", 8.0)
    assert config.targets == tiny_base.family.default_targets
    assert config.preview_prompts
    assert resolved(config, tiny_base, picture_set) == config


def test_previews_call_the_seal_even_where_captions_do_not(tiny_base: Base, picture_set: PictureSet) -> None:
    silent = [replace(picture, caption="a red wax seal on wood") for picture in picture_set.pictures]
    config = resolved(TrainConfig(), tiny_base, replace(picture_set, pictures=tuple(silent)))
    assert config.preview_prompts == ("a red wax seal of sks on wood",)


def test_previews_show_the_seal_alone(tiny_base: Base, picture_set: PictureSet) -> None:
    first, second, third = picture_set.pictures
    company = replace(second, caption="a gold coin of sks emblem and a letter a", is_portrait=False)
    config = resolved(TrainConfig(), tiny_base, replace(picture_set, pictures=(first, company, third)))
    assert config.preview_prompts == (first.caption,)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_learning_rate_rises_to_its_peak_and_never_above(schedule: str) -> None:
    config = TrainConfig(num_steps=100, num_warmup_steps=10, learning_rate=0.5, schedule=schedule)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert min(rates) > 0
    assert max(rates) == rates[10] == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert (rates[-1] < 0.001) == (schedule == "cosine")


def test_the_last_step_is_always_a_checkpoint() -> None:
    assert checkpoint_steps(TrainConfig(num_steps=250, checkpoint_every=100)) == [100, 200, 250]
