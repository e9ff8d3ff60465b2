"""`hypernetwork`: a small network before every cross-attention key and value, which adds to the text they read.

Source: hypernetworks as AUTOMATIC1111's web UI has them. Differs: each layer has networks of its own, where A1111
shares one pair among all layers of a width; `rank` is their inner width; they begin as exactly nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ...adapters.networks import Network
from ...bases import Base
from ...errors import ConfigError
from ..config import TrainConfig
from ..streams import stream
from ..targets import all_layers
from .protocol import Adaptation

READERS = (".attn2.to_k", ".attn2.to_v")
"""Layers of a U-Net that read the text."""
RATE_FACTOR = 3.0
"""Default learning rate, as a multiple of the family's for LoRAs."""


class Hypernetwork:
    name = "hypernetwork"

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        return replace(
            config,
            learning_rate=config.learning_rate or base.family.learning_rate * RATE_FACTOR,
            targets=config.targets or base.family.default_targets,
            init=config.init or "kaiming",
        )

    def bears_bf16(self, config: TrainConfig) -> bool:
        return False

    def check(self, base: Base, config: TrainConfig) -> None:
        if not readers(base):
            raise ConfigError(
                f"a hypernetwork needs cross-attention, and {base.name} ({base.family.name}) has none: "
                "its text and picture attend to each other in one",
                "use another method, such as lora",
            )
        if config.train_text_encoder:
            raise ConfigError("a hypernetwork leaves the text encoder as it is", "use the method dreambooth")

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["Networked"]:
        draws = stream(config.seed, "init")
        parts = {
            f"{base.family.denoiser}.{path}": _Trained(layer, config.rank, draws)
            for path, layer in readers(base).items()
        }
        try:
            yield Networked(parts)
        finally:
            for part in parts.values():
                part.remove()


def readers(base: Base) -> dict[str, nn.Module]:
    """The layers whose inputs hypernetworks change, by their path in the denoiser."""
    return {path: layer for path, layer in all_layers(base.denoiser).items() if path.endswith(READERS)}


class _Trained:
    """One trainable network before one layer: `x + up(relu(down(x)))`, `up` beginning at zero."""

    def __init__(self, layer: Any, inner_width: int, draws: torch.Generator):
        width, device = layer.in_features, layer.weight.device
        bound = width**-0.5
        down = (torch.rand(inner_width, width, generator=draws) * 2 - 1) * bound
        self.tensors = {
            "0.weight": nn.Parameter(down.to(device)),
            "0.bias": nn.Parameter(torch.zeros(inner_width, device=device)),
            "1.weight": nn.Parameter(torch.zeros(width, inner_width, device=device)),
            "1.bias": nn.Parameter(torch.zeros(width, device=device)),
        }
        self.is_on = True
        self._handle = layer.register_forward_pre_hook(self._add)

    @property
    def network(self) -> Network:
        weights = self.tensors["0.weight"], self.tensors["1.weight"]
        return Network(weights, (self.tensors["0.bias"], self.tensors["1.bias"]), "relu")

    def remove(self) -> None:
        self._handle.remove()

    def _add(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return (inputs[0] + self.network.beside(inputs[0]), *inputs[1:]) if self.is_on else None


class Networked(Adaptation):
    """A denoiser with a trainable network before each layer that reads the text."""

    trains_text = False

    def __init__(self, parts: Mapping[str, _Trained]):
        self._parts = parts
        self.parameters = {
            f"{path}.{name}": tensor for path, part in parts.items() for name, tensor in part.tensors.items()
        }

    def networks(self) -> dict[str, Network]:
        """Copies, which training goes on without."""
        return {
            path: replace(
                part.network,
                weights=tuple(weight.detach().cpu().clone() for weight in part.network.weights),
                biases=tuple(bias.detach().cpu().clone() for bias in part.network.biases),
            )
            for path, part in self._parts.items()
        }

    @contextmanager
    def off(self) -> Iterator[None]:
        for part in self._parts.values():
            part.is_on = False
        try:
            yield
        finally:
            for part in self._parts.values():
                part.is_on = True


HYPERNETWORK = Hypernetwork()
