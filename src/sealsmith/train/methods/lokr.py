"""`lokr`: the Kronecker product of a small matrix and a larger one, the larger one low-rank if that is smaller.

Source: LyCORIS, arXiv:2309.14859; Edalati et al. 2022, arXiv:2212.10650.
"""

from typing import Any

from peft import LoKrConfig

from ...adapters import Kronecker
from ..config import TrainConfig
from .peft_method import ADAPTER, PeftMethod

_FACTORS = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")


def _peft_config(config: TrainConfig) -> LoKrConfig:
    alpha: Any = config.rank * config.scale  # declared an int, and only ever divided
    return LoKrConfig(r=config.rank, alpha=alpha)


def _kronecker(layer: Any) -> Kronecker:
    """What a PEFT LoKr layer adds; `w1` is scaled where both factors are whole: files scale by 1 then."""
    groups = {end: getattr(layer, f"lokr_{end}") for end in _FACTORS}
    factors = {end: group[ADAPTER].detach().clone() for end, group in groups.items() if ADAPTER in group}
    scale = layer.scaling[ADAPTER]
    if "w1" in factors and "w2" in factors:
        return Kronecker(alpha=1.0, w1=factors["w1"] * scale, w2=factors["w2"])
    return Kronecker(alpha=scale * layer.r[ADAPTER], **factors)


LOKR = PeftMethod(
    "lokr", _peft_config, _kronecker, inits=("kaiming",), rate_factor=3.0, is_rank_bounded=False
)
