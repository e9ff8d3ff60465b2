"""When a training does what: the learning rate of a step, and the steps that are checkpointed."""

import math

from .config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Learning rate of the step after `step` others: linear warm-up, then constant or half a cosine to 0.

    `config` must be resolved.
    """
    peak = config.learning_rate
    assert peak is not None, "an unresolved configuration has no learning rate"
    warmup = min(config.num_warmup_steps, config.num_steps // 2)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return peak
    done = (step - warmup) / (config.num_steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def is_due(every: int | None, step: int, num_steps: int) -> bool:
    """Whether something done every `every` steps is due after `step` steps; the last step is always due."""
    return every is not None and (step % every == 0 or step == num_steps)


def checkpoint_steps(config: TrainConfig) -> list[int]:
    """Steps after which a checkpoint is written, ascending; the last is `num_steps`."""
    every, last = config.checkpoint_every, config.num_steps
    return [step for step in range(1, last + 1) if is_due(every, step, last)]
