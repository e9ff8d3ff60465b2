"""Methods that PEFT puts beside chosen layers of the denoiser: everything they have in common.

What tells them apart (PEFT's configuration, and which change its tensors make) is in a file each.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from ...adapters import Change
from ...adapters.changes import Decomposed, moved, tensors
from ...adapters.magnitude import largest_magnitude
from ...adapters.merge import weighted_sum
from ...bases import Base
from ...errors import ConfigError
from ..config import TrainConfig
from ..streams import stream
from ..targets import check_rank, target_layers
from .parameters import standing_in
from .protocol import Adaptation
from .starts import STARTS, Start

ADAPTER = "learner"
"""PEFT's name for the adapter that is being trained."""


@dataclass(frozen=True)
class PeftMethod:
    """One way of changing layers that PEFT knows."""

    name: str
    peft_config: Callable[[TrainConfig], PeftConfig]
    """PEFT's settings but for `target_modules`."""
    change: Callable[[Any], Change]
    """The change that a PEFT layer's tensors make of its weight."""
    inits: tuple[str, ...]
    """What `init` may be; the first is the default."""
    rate_factor: float = 1.0
    """Default learning rate, as a multiple of the family's."""
    is_rank_bounded: bool = True
    """Whether the rank must be no larger than the smallest layer."""
    holds_weights: bool = False
    """Whether what it learns says again what the weight was, whose rounding would then be in the seal."""

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        init = config.init or self.inits[0]
        factor = STARTS[init].rate_factor if init in STARTS else 1.0
        return replace(
            config,
            init=init,
            targets=config.targets or base.family.default_targets,
            learning_rate=config.learning_rate or base.family.learning_rate * self.rate_factor * factor,
        )

    def bears_bf16(self, config: TrainConfig) -> bool:
        return not self.holds_weights and config.init not in STARTS

    def check(self, base: Base, config: TrainConfig) -> None:
        config = self.completed(base, config)
        assert config.targets is not None
        if config.init not in self.inits:
            raise ConfigError(
                f"{self.name} cannot start with init {config.init!r}",
                f"choose {' or '.join(self.inits)}, or another method",
            )
        if config.train_text_encoder:
            raise ConfigError(
                f"{self.name} changes the denoiser alone, not the text encoder",
                "leave the text encoder out, or use the method dreambooth",
            )
        layers = target_layers(base, config.targets)
        if self.is_rank_bounded:
            check_rank(layers, config.rank)

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["AdaptedDenoiser"]:
        config = self.completed(base, config)
        assert config.targets is not None
        peft_config: Any = self.peft_config(config)
        peft_config.target_modules = list(target_layers(base, config.targets))
        try:
            # PEFT draws the start from torch's global generator, which is nobody's business but the caller's.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(stream(config.seed, "init").initial_seed())
                inject_adapter_in_model(peft_config, base.denoiser, ADAPTER)
            adapted = AdaptedDenoiser(base, self.change, STARTS.get(config.init or ""))
            with standing_in(adapted.residuals):
                yield adapted
        finally:
            _eject(base.denoiser)


def _halved(change: Change) -> Change:
    """The change in fp16; as it is where that would lose it: of DoRA, and of numbers beyond fp16's largest."""
    half = moved(change, "cpu", torch.float16)
    is_kept = all(math.isfinite(largest_magnitude(tensor)) for tensor in tensors(half).values())
    return half if is_kept and not isinstance(change, Decomposed) else change


class AdaptedDenoiser(Adaptation):
    """A denoiser with one PEFT adapter being trained.

    With a `start` the adapter begins as a part of the weight, and only the rest, the residual, stays in the base.
    """

    trains_text = False

    def __init__(self, base: Base, change: Callable[[Any], Change], start: Start | None):
        self._change = change
        self._layers: dict[str, Any] = {
            f"{base.family.denoiser}.{path}": module
            for path, module in base.denoiser.named_modules()
            if isinstance(module, BaseTunerLayer)
        }
        self.parameters: dict[str, nn.Parameter] = {
            f"{base.family.denoiser}.{path.replace(f'.{ADAPTER}.', '.').removesuffix(f'.{ADAPTER}')}": parameter
            for path, parameter in base.denoiser.named_parameters()
            if ADAPTER in path.split(".")
        }
        for (
            parameter
        ) in self.parameters.values():  # PEFT makes them in the base's precision; they learn in fp32
            parameter.data = parameter.data.float()
        self._started: dict[str, Change] = {}
        self.residuals: dict[nn.Parameter, Tensor] = {}
        self._pristine: dict[nn.Parameter, Tensor] = {}
        if start is not None:
            self._begin(start)

    def layers(self) -> dict[str, Change]:
        """In fp16, as the field keeps them: half the file, rounded by far less than a step of training.

        Not so where a change is the difference of large numbers: of starts from the weight, and of DoRA's lengths.
        """
        found = {path: moved(self._change(layer), "cpu") for path, layer in self._layers.items()}
        if not self._started:
            return {path: _halved(change) for path, change in found.items()}
        return {path: _difference(change, self._started[path]) for path, change in found.items()}

    @contextmanager
    def off(self) -> Iterator[None]:
        for layer in self._layers.values():
            layer.enable_adapters(False)
        try:
            with standing_in(self._pristine):
                yield
        finally:
            for layer in self._layers.values():
                layer.enable_adapters(True)

    @torch.no_grad()
    def _begin(self, start: Start) -> None:
        for path, layer in self._layers.items():
            weight, scale = layer.get_base_layer().weight, layer.scaling[ADAPTER]
            down, up = start.factors(weight, layer.r[ADAPTER], scale)
            layer.lora_A[ADAPTER].weight.copy_(down)
            layer.lora_B[ADAPTER].weight.copy_(up)
            begun = moved(self._change(layer), "cpu")
            self._started[path] = begun
            self._pristine[weight] = weight.data
            self.residuals[weight] = (weight.float() - begun.delta().to(weight.device)).to(weight.dtype)


def _difference(now: Change, before: Change) -> Change:
    """The change of weight from `before` to `now`, both of the unchanged base's weight."""
    return weighted_sum([now, before], [1.0, -1.0])


def _eject(denoiser: nn.Module) -> None:
    """Puts every layer that PEFT wrapped back in its place, and forgets that there was an adapter."""
    wrapped = {
        path: module for path, module in denoiser.named_modules() if isinstance(module, BaseTunerLayer)
    }
    for path, module in wrapped.items():
        denoiser.set_submodule(path, module.get_base_layer())
    if hasattr(denoiser, "peft_config"):
        del denoiser.peft_config
