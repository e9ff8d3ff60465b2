"""What every method offers the training loop. The fourth act of a method's life, applying the saved state
when pictures are made, is `adapters.attach`, which knows nothing of training.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from ...adapters import Change
from ...adapters.embeddings import Embeddings
from ...adapters.networks import Network
from ...bases import Base
from ..config import TrainConfig
from .parameters import copied, put_back


class Adapted(Protocol):
    """A base with a method's parameters in it, trainable.

    `layers` and `state` answer after the base was restored too: a cancelled training is saved then.
    """

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """By names that are the same in every training of these settings."""

    @property
    def trains_text(self) -> bool:
        """Whether texts must be encoded anew in every step, with gradients."""

    def layers(self) -> dict[str, Change]:
        """The change of weights that has been learned, as a seal holds it: on the CPU, for the unchanged base.

        Empty for a method that changes no weights.
        """

    def embeddings(self) -> Embeddings:
        """The vectors that have been learned, on the CPU: word -> text encoder -> [V, D]."""

    def networks(self) -> dict[str, Network]:
        """The hypernetworks that have been learned, on the CPU, by their layer's path."""

    def begin(self, step: int) -> None:
        """Told before each step, counted from 0, what is about to be trained."""

    def state(self) -> dict[str, Tensor]:
        """A copy of the parameters, on the CPU: with the settings and the base all that going on needs."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Puts a saved state back."""

    def off(self) -> AbstractContextManager[None]:
        """Within it the base answers as if nothing were attached."""


class Adaptation:
    """What methods have in common of `Adapted`: parameters that all learn in every step and are the whole state.

    What a seal file holds of it (layers, vectors, networks) each method says itself.
    """

    parameters: Mapping[str, nn.Parameter]

    def layers(self) -> dict[str, Change]:
        return {}

    def embeddings(self) -> Embeddings:
        return {}

    def networks(self) -> dict[str, Network]:
        return {}

    def begin(self, step: int) -> None:
        """Nothing changes from step to step."""

    def state(self) -> dict[str, Tensor]:
        return copied(self.parameters)

    def load(self, state: Mapping[str, Tensor]) -> None:
        put_back(self.parameters, state)


class Method(Protocol):
    """Puts trainable parameters into a base, and takes them out again."""

    @property
    def name(self) -> str: ...

    def bears_bf16(self, config: TrainConfig) -> bool:
        """Whether what it learns is as good on a base in bf16: it reads the base's weights and changes none."""

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        """`config` with what this method decides where the user did not: learning rate, targets, init."""

    def check(self, base: Base, config: TrainConfig) -> None:
        """Raises: ConfigError when the settings don't fit the base or the method; cheap, before any work.

        `config` must be completed.
        """

    def attached(self, base: Base, config: TrainConfig) -> AbstractContextManager[Adapted]:
        """Within it the base is adapted; afterwards it is as it was, however the block ended."""
