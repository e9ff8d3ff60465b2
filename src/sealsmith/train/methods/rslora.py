"""`rslora`: LoRA scaled by `alpha / sqrt(rank)`, so that large ranks learn as fast as small ones.

A seal file holds the alpha for which alpha / rank is that scale. Source: Kalajdzievski 2023, arXiv:2312.03732.
"""

from functools import partial

from .lora import lora_config, low_rank
from .peft_method import PeftMethod
from .starts import STARTS

RSLORA = PeftMethod(
    "rslora",
    partial(lora_config, use_rslora=True),
    low_rank,
    inits=("gaussian", "kaiming", *STARTS),
    rate_factor=0.25,
)
