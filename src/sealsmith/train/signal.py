"""Whether a training can work at all, and whether it is working: each way to fail has a sentence of its own.

Not for: what the finished seal does (verify.py, score/).
"""

from collections.abc import Sequence

import torch

from ..errors import PictureSetError, TrainingError
from .methods import Adapted
from .pictures import PictureSet, TrainingPicture

FLAT_LEVELS = 2
"""Pictures whose brightest and darkest values of 255 are no further apart than this, in every channel, are flat."""
NUM_FIRST, NUM_LAST = 5, 10
RISE = 2.0
"""A loss that ends at so many times the loss it began with has diverged."""


def check_pictures(pictures: PictureSet) -> None:
    """Raises: PictureSetError when no picture shows anything: all flat, or all masked away."""
    silent = [reason for picture in pictures.pictures if (reason := _silence(picture))]
    if len(silent) == len(pictures.pictures):
        raise PictureSetError(
            f"there is nothing to learn from: all {len(silent)} pictures are empty, the first {silent[0]}",
            "check how they were exported, and that masks are white where the seal is",
        )


def check_trainable(adapted: Adapted) -> None:
    """Raises: TrainingError when no parameter can be trained."""
    free = [key for key, parameter in adapted.parameters.items() if parameter.requires_grad]
    if not free:
        raise TrainingError(
            f"the training failed: nothing can be trained, all {len(adapted.parameters)} parameters are frozen",
            "name layers of the base as targets",
        )


def check_gradient(norm: float, step: int) -> None:
    """`norm` is that of step `step`'s gradient. Raises: TrainingError when it is 0."""
    if norm == 0:
        raise TrainingError(
            f"the training failed at step {step}: the gradient is 0, so nothing the pictures show reaches the seal",
            "check the masks, and that the targets are layers the base uses",
        )


def check_progress(losses: Sequence[float], learning_rate: float | None) -> None:
    """Raises: TrainingError when the loss has risen far above what it began with.

    Both ends are medians, for single steps vary with their noise level.
    """
    if len(losses) < NUM_FIRST + NUM_LAST:
        return
    first = float(torch.tensor(losses[:NUM_FIRST]).median())
    last = float(torch.tensor(losses[-NUM_LAST:]).median())
    if last > RISE * first:
        raise TrainingError(
            f"the training diverged: the loss rose from {first:.3f} to {last:.3f}",
            f"lower the learning rate (it was {learning_rate})",
        )


def _silence(picture: TrainingPicture) -> str:
    """Why nothing can be learned from a picture; "" when something can."""
    extremes = [channel.getextrema() for channel in picture.image.convert("RGB").split()]
    if all(float(high) - float(low) <= FLAT_LEVELS for low, high in extremes):  # type: ignore[arg-type]
        return f"is one flat colour, {tuple(int(low) for low, _ in extremes)}"  # type: ignore[arg-type]
    if picture.mask is not None and picture.mask.getbbox() is None:
        return "is masked away"
    return ""
