"""Whether a finished training changed anything: finite weights, and a change that is not lost in rounding."""

import torch

from ..adapters import Seal
from ..bases import Base
from ..errors import TrainingError

SMALLEST_CHANGE = 1e-6
"""Relative to the layer's weights; smaller ones vanish in float32's rounding."""


def largest_change(base: Base, seal: Seal) -> float:
    """The largest `|scale * up @ down| / |weight|` (Frobenius norms) of the layers; nan if one is not finite.

    The product is never formed: |up @ down|^2 = sum of (up^T up) * (down down^T), both [rank, rank].
    """
    scale = seal.header.alpha / seal.header.rank
    changes = []
    for key in seal.state:
        if not key.endswith(".lora_A.weight"):
            continue
        layer = key.removesuffix(".lora_A.weight")
        down = seal.state[key].double().flatten(1)
        up = seal.state[f"{layer}.lora_B.weight"].double().flatten(1)
        square = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0)
        weight = base.unet.get_submodule(layer.removeprefix("unet.")).weight
        changes.append(scale * square.sqrt() / weight.double().norm().cpu())
    return float(torch.stack(changes).amax())


def check_learned(base: Base, seal: Seal) -> None:
    """Raises: TrainingError with the reason when the seal does nothing or is not finite."""
    change = largest_change(base, seal)
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
