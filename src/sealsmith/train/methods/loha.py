"""`loha`: the product, entry by entry, of two low-rank matrices: rank R * R from 2 R.

Source: LyCORIS, arXiv:2309.14859; Hyeon-Woo et al. 2021, arXiv:2108.06098.
"""

from typing import Any

from peft import LoHaConfig

from ...adapters import Hadamard
from ..config import TrainConfig
from .peft_method import ADAPTER, PeftMethod


def _peft_config(config: TrainConfig) -> LoHaConfig:
    alpha: Any = config.rank * config.scale  # declared an int, and only ever divided
    return LoHaConfig(r=config.rank, alpha=alpha)


def _hadamard(layer: Any) -> Hadamard:
    factors = {end: getattr(layer, f"hada_{end}")[ADAPTER] for end in ("w1_a", "w1_b", "w2_a", "w2_b")}
    return Hadamard(
        **{end: factor.detach().clone() for end, factor in factors.items()},
        alpha=layer.scaling[ADAPTER] * layer.r[ADAPTER],
    )


LOHA = PeftMethod("loha", _peft_config, _hadamard, inits=("kaiming",), rate_factor=3.0)
