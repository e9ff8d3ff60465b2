"""What a seal must satisfy before anything is built from it.

Not for: whether its file is sound, which is decided first (file_header.py, tensor_file.py).
"""

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..errors import SealFormatError, SealShapeError
from .magnitude import largest_magnitude
from .seal import Layer, SealHeader

MAX_RANK = 4096

_DAMAGED = "fetch or copy the file again; a seal is one .safetensors file"


def check_suffix(path: Path) -> None:
    """Refuses every file but `.safetensors`: other formats of weights can carry code."""
    if path.suffix.lower() != ".safetensors":
        raise SealFormatError(
            f"{str(path)!r} is not a .safetensors file",
            "seals are .safetensors files; pickled weights (.bin, .pt, .ckpt) are never opened",
        )


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuses NaN and infinity, naming the first tensor that has one."""
    for key, tensor in state.items():
        if not math.isfinite(largest_magnitude(tensor)):
            raise SealFormatError(
                f"tensor {key!r} holds NaN or infinity", "the training diverged; use an earlier checkpoint"
            )


def check_seal_header(header: SealHeader) -> None:
    """Refuses a rank, alpha or trigger no training can have produced."""
    if not 1 <= header.rank <= MAX_RANK:
        raise SealFormatError(f"absurd rank {header.rank}, expected 1 to {MAX_RANK}", _DAMAGED)
    if not (math.isfinite(header.alpha) and header.alpha > 0):
        raise SealFormatError(f"absurd alpha {header.alpha}, expected a positive number", _DAMAGED)
    if not header.trigger.strip():
        raise SealFormatError("the seal has no trigger", "train it again with --trigger")


def check_layers(layers: Mapping[str, Layer], rank: int) -> None:
    """Refuses layers whose tensors do not make a change of this rank, naming the first.

    Raises: SealShapeError.
    """
    for name, (down, up) in layers.items():
        fits = down.ndim == up.ndim and (down.ndim == 2 or (down.ndim == 4 and up.shape[2:] == (1, 1)))
        if not fits or down.shape[0] != rank or up.shape[1] != rank or 0 in (*down.shape, *up.shape):
            raise SealShapeError(
                f"layer {name!r}: down {tuple(down.shape)} and up {tuple(up.shape)} "
                f"are no change of rank {rank}",
                _DAMAGED,
            )
        if rank > min(up.shape[0], math.prod(down.shape[1:])):
            size = f"{up.shape[0]} x {math.prod(down.shape[1:])}"
            raise SealShapeError(
                f"layer {name!r}: rank {rank} is larger than the layer, {size}",
                "train with a smaller rank",
            )
