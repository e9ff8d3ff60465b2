"""What a sweep goes along: an axis is a setting and its values, written as `strength=0:1.4:0.2`.

Not for: what is measured there (sweep.py).
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError

Value = float | int | str

MAX_VALUES = 64
_WHOLE = ("steps", "rank", "checkpoint", "seed")
AXES = ("strength", "guidance", *_WHOLE, "prompt")
ALL_CHECKPOINTS = "all"


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes, in the order of the sheet."""

    name: str
    """One of AXES."""
    values: tuple[Value, ...]

    def label(self, value: Value) -> str:
        """The value in a few words, for a sheet: "strength 0.8"."""
        return str(value) if self.name == "prompt" else f"{self.name} {value:g}"


def parse_axis(text: str, checkpoints: tuple[int, ...] = ()) -> Axis:
    """The axis of `name=values`.

    Values: `start:stop:step`, both ends included, or a list with commas; of prompts with `|`. `checkpoint=all`
    means `checkpoints`, the steps at which the training was saved.
    Raises: ConfigError naming what is wrong.
    """
    name, equals, words = (part.strip() for part in text.partition("="))
    if not equals or name not in AXES:
        close = difflib.get_close_matches(name, AXES, n=1)
        known = f"write one of {', '.join(AXES)}, as strength=0:1.4:0.2"
        raise ConfigError(f"{text!r} is no axis", f"did you mean {close[0]}=...?" if close else known)
    if name == "prompt":
        values: tuple[Value, ...] = tuple(part.strip() for part in words.split("|") if part.strip())
    elif name == "checkpoint" and words == ALL_CHECKPOINTS:
        values = checkpoints
    else:
        values = _numbers(name, words)
    if not values:
        raise ConfigError(f"the axis {text!r} has no values", "give at least one")
    if len(values) > MAX_VALUES or len(set(values)) < len(values):
        raise ConfigError(
            f"the axis {text!r} has {len(values)} values, {len(set(values))} of them different",
            f"give each once, {MAX_VALUES} at most",
        )
    return Axis(name, values)


def axis_of(name: str, values: Sequence[float]) -> Axis:
    """The axis of this name, any but prompts, through these values. Raises: ConfigError, as `parse_axis`."""
    return parse_axis(f"{name}={','.join(f'{value:.17g}' for value in values)}")


def _numbers(name: str, words: str) -> tuple[Value, ...]:
    start, *rest = words.split(":")
    if not rest:
        return tuple(_number(name, word) for word in words.split(",") if word.strip())
    if len(rest) != 2:
        raise ConfigError(f"{name}={words} is no range", "write start:stop:step, as 0:1.4:0.2")
    low, high, step = (float(_number(name, word)) for word in (start, *rest))
    if step <= 0 or high < low or (high - low) / step > MAX_VALUES:
        raise ConfigError(
            f"{name}={words} is no range of at most {MAX_VALUES} values",
            "write start:stop:step, as 0:1.4:0.2",
        )
    count = math.floor((high - low) / step + 1e-9) + 1
    return tuple(_number(name, f"{low + step * i:.10g}") for i in range(count))


def _number(name: str, word: str) -> float | int:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (name in _WHOLE and value != int(value)):
        kind = "whole number" if name in _WHOLE else "finite number"
        raise ConfigError(f"{word.strip()!r} in {name}= is no {kind}", "write 1,2,3 or start:stop:step")
    return int(value) if name in _WHOLE else value
