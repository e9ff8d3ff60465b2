"""`--method` in words: a method, its start and its settings, or a reason why not."""

import pytest

from sealsmith.bench.variants import find_variants
from sealsmith.errors import ConfigError
from sealsmith.train import TrainConfig


def test_a_word_becomes_a_training() -> None:
    plain, pissa, small = find_variants(
        ["lora", "lora:pissa", "lora:olora:rank=4:alpha=8:learning_rate=5e-4:targets=attention+convolutions"]
    )
    training = TrainConfig(rank=32)
    assert plain.of(training) == training
    assert pissa.of(training) == TrainConfig(rank=32, init="pissa")
    assert small.of(training) == TrainConfig(
        rank=4, alpha=8.0, init="olora", learning_rate=5e-4, targets=("attention", "convolutions")
    )
    assert (pissa.name, pissa.folder_name) == ("lora:pissa", "lora-pissa")


def test_a_word_twice_is_one_row() -> None:
    assert [variant.name for variant in find_variants(["dora", "lora", "dora"])] == ["dora", "lora"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("dorra", "unknown method 'dorra'"),
        ("lora:pisa", "'pisa' in the method 'lora:pisa' is no start"),
        ("lora:rnak=4", "unknown setting 'rnak'"),
        ("lora:rank=four", "rank=four in the method 'lora:rank=four' is no value of it"),
        ("lora:num_steps=4", "num_steps in the method 'lora:num_steps=4' is the same for every method"),
    ],
)
def test_what_cannot_be_read_is_named(word: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find_variants([word])


def test_a_value_out_of_its_range_is_refused_with_the_training_s_own_words() -> None:
    (variant,) = find_variants(["lora:rank=0"])
    with pytest.raises(ConfigError, match="rank is 0"):
        variant.of(TrainConfig())
