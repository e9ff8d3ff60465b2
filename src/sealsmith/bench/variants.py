"""What a comparison's rows are: methods, each with the settings in which it differs from the others.

    lora    lora:pissa    lora:rank=4    lora:olora:learning_rate=5e-4    dreambooth

Not for: what the settings mean (train/config.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError
from ..train import TrainConfig
from ..train.config import INITS
from ..train.methods import find_method

COMMON = (
    "method", "trigger", "class_noun", "seed", "num_steps", "checkpoint_every", "num_checkpoints_scored",
    "preview_every", "preview_prompts",
)  # fmt: skip
"""Settings of a training that are the comparison's own, or change nothing that it measures."""


@dataclass(frozen=True)
class Variant:
    """One row to be."""

    name: str
    """As the user wrote it."""
    settings: Mapping[str, Any]
    """What it changes in the comparison's training; its method is among them."""

    @property
    def folder_name(self) -> str:
        """The name without what some file systems refuse."""
        return self.name.replace(":", "-")

    def of(self, training: TrainConfig) -> TrainConfig:
        """The training as this row has it. Raises: ConfigError when a value is out of its range."""
        return replace(training, **self.settings)


def find_variants(words: Sequence[str]) -> tuple[Variant, ...]:
    """The rows of these words, each word once. Raises: ConfigError naming what is unknown."""
    return tuple(_variant(word) for word in dict.fromkeys(words))


def _variant(word: str) -> Variant:
    method, *parts = word.split(":")
    settings: dict[str, Any] = {"method": find_method(method).name}
    for part in parts:
        name, is_setting, text = part.partition("=")
        if is_setting:
            settings[name] = _value(name, text, word)
        elif part in INITS:
            settings["init"] = part
        else:
            raise ConfigError(
                f"{part!r} in the method {word!r} is no start of a LoRA",
                f"known: {', '.join(INITS)}; a setting is written name=value",
            )
    return Variant(word, settings)


def _value(name: str, text: str, word: str) -> Any:
    types = {name: kind for name, kind in get_type_hints(TrainConfig).items() if name not in COMMON}
    if name in COMMON:
        raise ConfigError(
            f"{name} in the method {word!r} is the same for every method of a comparison",
            "give it as an option of the comparison, where there is one",
        )
    if name not in types:
        nearest = get_close_matches(name, types, n=1, cutoff=0)
        raise ConfigError(
            f"the method {word!r} has the unknown setting {name!r}", f"did you mean {nearest[0]!r}?"
        )
    kind = TypeAdapter(types[name])
    try:
        if "tuple" in str(types[name]):
            return kind.validate_python(tuple(text.split("+")))
        return kind.validate_strings(text)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"{name}={text} in the method {word!r} is no value of it: {reason}") from error
