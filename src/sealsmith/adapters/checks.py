"""What a seal file and its content must satisfy before anything is built from them.

Files come from strangers: lengths are believed only after they were compared with the file's size, and
nothing here executes or unpickles what it reads.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import SealFormatError, SealShapeError
from .seal import Layer, SealHeader

MAX_HEADER_BYTES = 16 << 20
"""More than any trainer writes: tag frequencies of large sets and a thumbnail stay under 4 MiB."""
MAX_TENSORS = 50_000
MAX_RANK = 4096
FLOAT_DTYPES = ("F32", "F16", "BF16")

_DAMAGED = "fetch or copy the file again; a seal is one .safetensors file"


def check_suffix(path: Path) -> None:
    """Refuses every file but `.safetensors`: other formats of weights can carry code."""
    if path.suffix.lower() != ".safetensors":
        raise SealFormatError(
            f"{str(path)!r} is not a .safetensors file",
            "seals are .safetensors files; pickled weights (.bin, .pt, .ckpt) are never opened",
        )


def check_file_header(data: bytes, name: str) -> dict[str, Any]:
    """The JSON header of a safetensors file, once its length, its kind and its tensor list are plausible.

    Raises: SealFormatError, naming `name`.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length < 2 or length > len(data) - 8:
        raise SealFormatError(
            f"{name!r} is not a seal file: its header claims {length} bytes in a file of {len(data)}",
            _DAMAGED,
        )
    if length > MAX_HEADER_BYTES:
        raise SealFormatError(
            f"{name!r} has an absurd header: {length} of {MAX_HEADER_BYTES} bytes", _DAMAGED
        )
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise SealFormatError(f"{name!r} has an unreadable header: {error}", _DAMAGED) from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise SealFormatError(f"{name!r} has a header that is no table of tensors and strings", _DAMAGED)
    tensors = {key: entry for key, entry in header.items() if key != "__metadata__"}
    if not 0 < len(tensors) <= MAX_TENSORS:
        raise SealFormatError(f"{name!r} holds {len(tensors)} tensors, expected 1 to {MAX_TENSORS}", _DAMAGED)
    for key, entry in tensors.items():
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if dtype not in FLOAT_DTYPES:
            expected = ", ".join(FLOAT_DTYPES)
            raise SealFormatError(
                f"tensor {key!r} in {name!r} is of type {dtype!r}, not {expected}", _DAMAGED
            )
    return header


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuses NaN and infinity, naming the first tensor that has one."""
    for key, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
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
