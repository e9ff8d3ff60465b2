"""`lora`: a low-rank change `alpha / rank * up @ down` beside a layer. Source: Hu et al. 2021, arXiv:2106.09685."""

from typing import Any

from peft import LoraConfig

from ...adapters import LowRank
from ..config import TrainConfig
from .peft_method import ADAPTER, PeftMethod
from .starts import STARTS


def lora_config(config: TrainConfig, **more: Any) -> LoraConfig:
    """PEFT's settings of a LoRA; starts in STARTS are made afterwards, in place of PEFT's."""
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.rank * config.scale,
        init_lora_weights="gaussian" if config.init == "gaussian" else True,
        **more,
    )


def low_rank(layer: Any) -> LowRank:
    """What a PEFT LoRA layer adds; `scaling` is what PEFT really multiplies by, whatever alpha is called."""
    down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    return LowRank(down.detach().clone(), up.detach().clone(), layer.scaling[ADAPTER] * len(down))


LORA = PeftMethod("lora", lora_config, low_rank, inits=("gaussian", "kaiming", *STARTS))
