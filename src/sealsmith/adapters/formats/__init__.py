"""Dialects of seal files, one file each; foreign names for `down` and `up` stop inside this folder.

All meet in the middle at a mapping from a layer's path ("unet.down_blocks.0...to_q") to its `Change`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ...errors import SealFormatError
from ..changes import Change
from . import diffusers


@dataclass(frozen=True)
class Parsed:
    """What a file's tensors mean."""

    layers: dict[str, Change]
    unknown: tuple[str, ...]
    """Names of tensors nobody here could read; every other tensor is in a layer."""
    dialect: str


def read_layers(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Parsed:
    """The layers in a file's tensors; alphas come from tensors of their own, from `metadata`, or are the rank.

    Raises: SealFormatError for a layer without one of its tensors.
    """
    layers, unknown = diffusers.read(tensors, metadata)
    return Parsed(layers, unknown, "diffusers")


def write_layers(
    layers: Mapping[str, Change], dialect: str, family: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a file in `dialect`, and the paths of layers that it cannot say.

    Raises: SealFormatError for a dialect that nobody writes.
    """
    if dialect != "diffusers":
        raise SealFormatError(f"no files are written in the dialect {dialect!r}", "diffusers")
    return diffusers.write(layers), ()
