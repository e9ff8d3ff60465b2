"""`dreambooth`: every matrix of the denoiser is trained, and of the text encoders if asked; no adapter at all.

A seal file holds the difference in half precision. Source: Ruiz et al. 2022, arXiv:2208.12242. Differs: biases and
norms stay as they are, for which seal files have no place; they are under 0.1 % of the
parameters (0.3 % on sealworld).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...adapters import Change, Full
from ...bases import Base
from ...errors import ConfigError
from ..config import TrainConfig
from ..targets import EVERYTHING, all_layers, target_layers
from .parameters import standing_in
from .protocol import Adaptation

RATE_FACTOR = 0.1
"""Default learning rate, as a multiple of the family's for a LoRA."""


class Dreambooth:
    name = "dreambooth"

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        return replace(
            config,
            targets=config.targets or (EVERYTHING,),
            learning_rate=config.learning_rate or base.family.learning_rate * RATE_FACTOR,
        )

    def bears_bf16(self, config: TrainConfig) -> bool:
        return False

    def check(self, base: Base, config: TrainConfig) -> None:
        if config.init is not None:
            raise ConfigError(
                f"dreambooth has no start to choose, and init is {config.init!r}", "leave init out"
            )
        if config.train_text_encoder and base.family.objective == "flow":
            raise ConfigError(
                f"the text of {base.name} is read by T5, which is too large to be fine-tuned on a few pictures",
                "leave the text encoder out",
            )
        target_layers(base, config.targets or (EVERYTHING,))

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["TunedBase"]:
        config = self.completed(base, config)
        assert config.targets is not None
        groups = {base.family.denoiser: target_layers(base, config.targets)}
        if config.train_text_encoder:
            groups |= {name: all_layers(base.components[name]) for name in base.family.text_encoders}
        weights = {
            f"{component}.{path.removeprefix('text_model.')}": layer.get_parameter("weight")
            for component, layers in groups.items()
            for path, layer in layers.items()
        }
        learning = {weight: weight.data.clone() for weight in weights.values()}
        tuned = TunedBase(weights, learning, trains_text=config.train_text_encoder)
        try:
            with standing_in(learning):
                for weight in weights.values():
                    weight.requires_grad_(True)
                yield tuned
        finally:
            for weight in weights.values():
                weight.requires_grad_(False)
                weight.grad = None


class TunedBase(Adaptation):
    """A base whose own weights are being trained.

    What has been learned is kept here, beside the pristine weights, and outlives the time in the base: a training
    that is interrupted saves it afterwards.
    """

    def __init__(
        self, weights: Mapping[str, nn.Parameter], learning: Mapping[nn.Parameter, Tensor], trains_text: bool
    ):
        """`learning` are the tensors that stand in for the weights while training."""
        self.parameters = dict(weights)
        self.trains_text = trains_text
        self._learned = {path: learning[weight] for path, weight in weights.items()}
        self._pristine = {path: weight.data for path, weight in weights.items()}

    def layers(self) -> dict[str, Change]:
        return {
            path: Full((learned - self._pristine[path]).to("cpu", torch.float16))
            for path, learned in self._learned.items()
        }

    def state(self) -> dict[str, Tensor]:
        return {path: learned.cpu().clone() for path, learned in self._learned.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        for path, learned in self._learned.items():
            learned.copy_(state[path])

    @contextmanager
    def off(self) -> Iterator[None]:
        with standing_in({weight: self._pristine[path] for path, weight in self.parameters.items()}):
            yield
