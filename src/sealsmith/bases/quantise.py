"""Bases with their denoiser's linear layers in 8-bit integers: a third less memory, a small error in every picture.

By torchao, weights alone: int8 with one scale an output, activations as they are. Measured on the embedded base it
is nearer to the whole base than optimum-quanto's int8 (0.6 % against 1.5 % of a prediction) and as fast as it on a
CPU. Convolutions stay as they are, torchao has no integers for them.

A quantised weight is rounded coarsely, and a seal's change is often smaller than a step of that rounding: fuse
first, quantise after (generate/quantised.py). Seals beside the layers work on a quantised base as on any.
"""

import importlib.util
from collections.abc import Callable

import torch
from torch import nn

from ..errors import ConfigError
from .base import Base
from .plan import SEQUENTIAL_OFFLOAD

SMALLEST_SIDE = 16
"""Layers with fewer inputs or outputs stay as they are: they hold next to nothing, and much hangs on them."""


def quantise(base: Base, precision: str = "int8") -> int:
    """Quantises the linear layers of the base's denoiser, for good; returns how many.

    Raises: ConfigError for an unknown precision, a base quantised already or offloaded layer by layer, or
    torchao not installed.
    """
    if precision not in PRECISIONS:
        raise ConfigError(
            f"unknown precision {precision!r} to quantise to", f"choose one of {', '.join(PRECISIONS)}"
        )
    if is_quantised(base):
        raise ConfigError(f"{base.name!r} is quantised already", "open the base anew")
    if base.plan.memory == SEQUENTIAL_OFFLOAD:
        raise ConfigError(
            f"{base.name!r} is offloaded layer by layer: it holds no weights to quantise",
            "open it with the memory plan none or model-offload",
        )
    if importlib.util.find_spec("torchao") is None:
        raise ConfigError(
            "quantising needs torchao", "pip install '.[quantised]' in the clone, or make setup"
        )
    layers = [module for module in base.denoiser.modules() if _is_worth_it(module)]
    PRECISIONS[precision](base.denoiser)
    return len(layers)


def is_quantised(base: Base) -> bool:
    """Whether any layer of the base's denoiser has a weight that is no plain tensor."""
    return any(_is_quantised(module) for module in base.denoiser.modules() if isinstance(module, nn.Linear))


def _int8(denoiser: nn.Module) -> None:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    with torch.no_grad():
        quantize_(denoiser, Int8WeightOnlyConfig(), filter_fn=lambda module, name: _is_worth_it(module))


PRECISIONS: dict[str, Callable[[nn.Module], None]] = {"int8": _int8}
"""What a denoiser can be quantised to, and how."""


def _is_worth_it(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and min(module.weight.shape) >= SMALLEST_SIDE


def _is_quantised(module: nn.Linear) -> bool:
    return type(module.weight) is not nn.Parameter
