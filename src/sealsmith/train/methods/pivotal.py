"""`pivotal`: vectors for the trigger first, then a LoRA around them while they rest.

Source: Roich et al. 2021, arXiv:2106.05744, as the field has it for diffusion models: find the point of the text
that comes nearest to the pictures, then tune the model at that point. Both are in one file.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor

from ...adapters import Change
from ...adapters.embeddings import Embeddings
from ...adapters.networks import Network
from ...bases import Base
from ..config import TrainConfig
from .lora import LORA
from .peft_method import AdaptedDenoiser
from .textual_inversion import LEARNING_RATE, InvertedWord, check_vectors, inverted

PIVOT = 0.25
"""Share of the steps that the vectors learn in."""


class Pivotal:
    name = "pivotal"

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        """As for a LoRA; the vectors have a rate of their own, which rises and falls with it.

        No caption is dropped, for the vectors would learn nothing in that step; the prior keeps guidance working.
        """
        weight = config.attention_weight or 0.0
        return replace(LORA.completed(base, config), caption_dropout=0.0, attention_weight=weight)

    def bears_bf16(self, config: TrainConfig) -> bool:
        return False

    def check(self, base: Base, config: TrainConfig) -> None:
        check_vectors(base, config)
        LORA.check(base, config)

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["PivotalTraining"]:
        config = self.completed(base, config)
        assert config.learning_rate is not None
        unit = LEARNING_RATE / config.learning_rate
        with inverted(base, config, unit) as word, LORA.attached(base, config) as layers:
            yield PivotalTraining(word, layers, round(PIVOT * config.num_steps))


class PivotalTraining:
    """Vectors and a LoRA, one of them learning at a time."""

    trains_text = True

    def __init__(self, word: InvertedWord, layers: AdaptedDenoiser, pivot: int):
        self._word = word
        self._layers = layers
        self._pivot = pivot
        self.parameters = {**word.parameters, **layers.parameters}

    def begin(self, step: int) -> None:
        """Before step `pivot` the vectors learn, from it on the layers."""
        for parameter in self._word.parameters.values():
            parameter.requires_grad_(step < self._pivot)
        for parameter in self._layers.parameters.values():
            parameter.requires_grad_(step >= self._pivot)

    def layers(self) -> dict[str, Change]:
        return self._layers.layers()

    def embeddings(self) -> Embeddings:
        return self._word.embeddings()

    def networks(self) -> dict[str, Network]:
        return {}

    def state(self) -> dict[str, Tensor]:
        return self._word.state() | self._layers.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._word.load(state)
        self._layers.load(state)

    @contextmanager
    def off(self) -> Iterator[None]:
        with self._word.off(), self._layers.off():
            yield


PIVOTAL = Pivotal()
