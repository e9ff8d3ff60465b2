"""Whether a finished training changed anything: finite weights, and a change that is not lost in rounding."""

from ..adapters import Seal, largest_change
from ..bases import Base
from ..errors import TrainingError

SMALLEST_CHANGE = 1e-6
"""Relative to the layer's weights; smaller ones vanish in float32's rounding."""
LARGEST_CHANGE = 100.0
"""Relative likewise; nothing of the base is left under larger ones."""


def check_learned(base: Base, seal: Seal) -> None:
    """Raises: TrainingError with the reason when the seal does nothing, drowns the base, or is not finite."""
    change = largest_change(base.components, seal)
    if not change < float("inf"):
        raise TrainingError(
            f"the training failed: after step {seal.header.training['step']} the weights are not finite",
            "lower the learning rate",
        )
    if change > LARGEST_CHANGE:
        raise TrainingError(
            f"the training diverged: a layer's change is {change:.0f} times as large as its weights",
            f"lower the learning rate (it was {seal.header.training.get('learning_rate')})",
        )
    if change < SMALLEST_CHANGE:
        raise TrainingError(
            f"the training failed: its largest change of a layer is {change:.1e} of that layer's weights, "
            "which changes no picture",
            "raise the learning rate or the number of steps",
        )
