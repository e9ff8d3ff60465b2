"""Dialects of seal files, one file each; foreign names for `down` and `up` stop inside this folder.

A dialect tells whether it recognises a file's keys, and translates between those keys and layers. All meet in
the middle at a mapping from a layer's path ("unet.down_blocks.0...to_q") to a `Layer`.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from torch import Tensor

from ...errors import SealFormatError
from ..seal import Layer
from .diffusers import Diffusers


class Dialect(Protocol):
    """One way of naming a seal's tensors."""

    name: str

    def is_mine(self, keys: Iterable[str]) -> bool:
        """Whether every key is written in this dialect."""
        ...

    def layers(self, state: Mapping[str, Tensor]) -> dict[str, Layer]:
        """The layers under their paths; SealFormatError when one has only one of its two tensors."""
        ...

    def state(self, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
        """The tensors under this dialect's keys; inverse of `layers`."""
        ...


DIFFUSERS = Diffusers()
DIALECTS: tuple[Dialect, ...] = (DIFFUSERS,)


def find_dialect(keys: Iterable[str]) -> Dialect:
    """The dialect these keys are written in.

    Raises: SealFormatError naming a key nobody recognises.
    """
    keys = list(keys)
    for dialect in DIALECTS:
        if dialect.is_mine(keys):
            return dialect
    known = ", ".join(dialect.name for dialect in DIALECTS)
    foreign = next((key for key in keys if not DIFFUSERS.is_mine([key])), "")
    raise SealFormatError(
        f"unknown tensor name {foreign!r}", f"seal files are read in these dialects: {known}"
    )
