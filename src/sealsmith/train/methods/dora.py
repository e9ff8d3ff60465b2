"""`dora`: the direction of a weight by LoRA, its length by a magnitude an output.

Source: Liu et al. 2024, arXiv:2402.09353.
"""

from functools import partial
from typing import Any

from ...adapters import Decomposed
from .lora import lora_config, low_rank
from .peft_method import ADAPTER, PeftMethod


def decomposed(layer: Any) -> Decomposed:
    """What a PEFT DoRA layer makes of its weight."""
    magnitude = layer.lora_magnitude_vector[ADAPTER].weight
    return Decomposed(low_rank(layer), magnitude.detach().reshape(-1).clone())


DORA = PeftMethod(
    "dora",
    partial(lora_config, use_dora=True),
    decomposed,
    inits=("gaussian", "kaiming"),
    holds_weights=True,
)
