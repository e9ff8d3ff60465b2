"""Whether a training can work at all, and whether it is working: each way to fail has a sentence of its own.

Not for: what the finished seal does (verify.py, score/).
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import PictureSetError, TrainingError
from .methods import Adapted
from .pictures import PictureSet, TrainingPicture

FLAT_LEVELS = 2
"""Pictures whose brightest and darkest values of 255 are no further apart than this, in every channel, are flat."""
NUM_FIRST, NUM_LAST = (3, 10, 30, 100), (10, 30, 100)
"""Stretches of steps at either end that are compared: short ones see a sudden rise, long ones a small one."""
RISE = 2.0
"""A loss that surely ends at more than so many times the loss it began with has diverged."""
SURENESS = 4.5
"""By how many standard errors it must be more: of healthy trainings fewer than one in 5,000 are refused so."""


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

    Where a base predicts the noise, a healthy step's loss varies eightyfold with its noise level. So means of
    logarithms are compared, and a rise must be more than their scatter makes by chance.
    """
    logs = torch.tensor(losses, dtype=torch.float64).clamp(min=1e-30).log()
    for num_first, num_last in itertools.product(NUM_FIRST, NUM_LAST):
        if num_first + num_last > len(logs):
            continue
        first, last = logs[:num_first], logs[-num_last:]
        if last.mean() - first.mean() > math.log(RISE) + SURENESS * _error_of_difference(first, last):
            before, after = (math.exp(side.mean()) for side in (first, last))
            raise TrainingError(
                f"the training diverged: the loss rose from {before:.3f} to {after:.3f}",
                f"lower the learning rate (it was {learning_rate})",
            )


def _error_of_difference(first: Tensor, last: Tensor) -> float:
    """Standard error of the difference of the means of two samples that scatter alike (Student 1908)."""
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in (first, last))
    variance = squares / (len(first) + len(last) - 2)
    return math.sqrt(variance * (1 / len(first) + 1 / len(last)))


def _silence(picture: TrainingPicture) -> str:
    """Why nothing can be learned from a picture; "" when something can."""
    extremes = [channel.getextrema() for channel in picture.image.convert("RGB").split()]
    if all(float(high) - float(low) <= FLAT_LEVELS for low, high in extremes):  # type: ignore[arg-type]
        return f"is one flat colour, {tuple(int(low) for low, _ in extremes)}"  # type: ignore[arg-type]
    if picture.mask is not None and picture.mask.getbbox() is None:
        return "is masked away"
    return ""
