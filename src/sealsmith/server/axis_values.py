"""What a sweep over HTTP may go along: the axes, each one's usual values and its bounds.

Not for: axes that only a command has, of prompts and of a training's checkpoints (score/axes.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..errors import ConfigError
from .limits import MAX_GUIDANCE, MAX_SEED, MAX_STUDY_STEPS

AxisName = Literal["strength", "guidance", "steps", "rank", "seed"]
MAX_STRENGTH: Final = 10.0
MAX_RANK: Final = 1024


@dataclass(frozen=True)
class AxisBounds:
    """One axis."""

    usual: tuple[float, ...]
    """Where a request names no values."""
    low: float
    high: float
    is_whole: bool = True


AXES: Mapping[str, AxisBounds] = {
    "strength": AxisBounds(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4), -MAX_STRENGTH, MAX_STRENGTH, is_whole=False
    ),
    "guidance": AxisBounds((1.0, 2.0, 3.0, 4.0, 6.0, 8.0), 0.0, MAX_GUIDANCE, is_whole=False),
    "steps": AxisBounds((2, 4, 8, 16), 1, MAX_STUDY_STEPS),
    "rank": AxisBounds((1, 2, 4, 8), 1, MAX_RANK),
    "seed": AxisBounds((0, 1000, 2000, 3000), 0, MAX_SEED),
}
MIN_AXIS_NUMBER = min(axis.low for axis in AXES.values())
MAX_AXIS_NUMBER = max(axis.high for axis in AXES.values())


def axis_values(name: AxisName, values: Sequence[float] | None) -> tuple[float, ...]:
    """The values of an axis, its usual ones for None.

    Raises: ConfigError for one that is out of bounds, no whole number where the axis has only such, or there twice.
    """
    axis = AXES[name]
    if values is None:
        return axis.usual
    for value in values:
        if not axis.low <= value <= axis.high or (axis.is_whole and value != int(value)):
            kind = "whole numbers" if axis.is_whole else "numbers"
            raise ConfigError(
                f"{name} cannot be {value:g}", f"give {kind} from {axis.low:g} to {axis.high:.16g}"
            )
    if len(set(values)) < len(values):
        raise ConfigError(f"a value of {name} is there twice", "give each once")
    return tuple(values)
