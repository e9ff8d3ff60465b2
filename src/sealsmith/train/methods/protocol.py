"""What every method offers the training loop. The fourth act of a method's life, applying the saved state
when pictures are made, is `adapters.attach`, which knows nothing of training.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from ...bases import Base
from ..config import TrainConfig


class Adapted(Protocol):
    """A base with a method's parameters in it, trainable."""

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """By the key under which each is saved in a seal file."""

    def state(self) -> dict[str, Tensor]:
        """A copy of the parameters, on the CPU, as a seal file holds them."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Puts a saved state back."""

    def off(self) -> AbstractContextManager[None]:
        """Within it the base answers as if nothing were attached."""


class Method(Protocol):
    """Puts trainable parameters into a base, and takes them out again."""

    @property
    def name(self) -> str: ...

    def check(self, base: Base, config: TrainConfig) -> None:
        """Raises: ConfigError when the settings don't fit the base; cheap, before any work."""

    def attached(self, base: Base, config: TrainConfig) -> AbstractContextManager[Adapted]:
        """Within it the base is adapted; afterwards it is as it was, however the block ended."""
