"""Whether a finished training changed anything: finite weights, and a change that is not lost in rounding."""

from ..adapters import Seal, largest_change
from ..bases import Base
from ..errors import TrainingError

SMALLEST_CHANGE = 1e-6
"""Relative to the layer's weights; smaller ones vanish in float32's rounding."""


def check_learned(base: Base, seal: Seal) -> None:
    """Raises: TrainingError with the reason when the seal does nothing or is not finite."""
    change = largest_change(base.components, seal)
    if not change < float("inf"):
        raise TrainingError(
            f"the training failed: after step {seal.header.training['step']} the weights are not finite",
            "lower the learning rate",
        )
    if change < SMALLEST_CHANGE:
        raise TrainingError(
            f"the training failed: its largest change of a layer is {change:.1e} of that layer's weights, "
            "which changes no picture",
            "raise the learning rate or the number of steps",
        )
