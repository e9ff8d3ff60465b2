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

from ..errors import SealFormatError, SealShapeError
from .changes import Change, LowRank, tensors
from .seal import SealHeader

MAX_HEADER_BYTES = 16 << 20
"""More than any trainer writes: tag frequencies of large sets and a thumbnail stay under 4 MiB."""
MAX_TENSORS = 50_000
MAX_RANK = 4096
SMALL_RANK = 512
"""Up to this rank a layer may be smaller than its rank: some trainers give every layer the same one."""
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


def check_finite(layers: Mapping[str, Change]) -> None:
    """Refuses NaN and infinity, naming the first layer that has one."""
    for path, change in layers.items():
        for name, tensor in tensors(change).items():
            if not bool(torch.isfinite(tensor).all()):
                raise SealFormatError(
                    f"layer {path!r} holds NaN or infinity in {name!r}",
                    "the training diverged; use an earlier checkpoint",
                )


def check_seal_header(header: SealHeader) -> None:
    """Refuses a rank or alpha that no training can have produced."""
    if not 1 <= header.rank <= MAX_RANK:
        raise SealFormatError(f"absurd rank {header.rank}, expected 1 to {MAX_RANK}", _DAMAGED)
    if not (math.isfinite(header.alpha) and header.alpha > 0):
        raise SealFormatError(f"absurd alpha {header.alpha}, expected a positive number", _DAMAGED)


def check_layers(layers: Mapping[str, Change]) -> None:
    """Refuses layers whose tensors make no change that a training could have produced, naming the first.

    Raises: SealShapeError.
    """
    for name, change in layers.items():
        alpha = change.alpha
        if not (math.isfinite(alpha) and alpha > 0):
            raise SealFormatError(
                f"layer {name!r} has the absurd alpha {alpha}, expected a positive number", _DAMAGED
            )
        if isinstance(change, LowRank):
            _check_halves(name, change)
        size = min(change.shape[0], math.prod(change.shape[1:]))
        if change.rank > MAX_RANK or change.rank > max(size, SMALL_RANK):
            raise SealShapeError(
                f"layer {name!r}: rank {change.rank} is absurd for a layer of "
                f"{change.shape[0]} x {math.prod(change.shape[1:])}",
                "the file is damaged, or its layers are not what their names say",
            )


def _check_halves(name: str, change: LowRank) -> None:
    down, up = change.down, change.up
    fits = down.ndim == up.ndim and (down.ndim == 2 or (down.ndim == 4 and up.shape[2:] == (1, 1)))
    if not fits or up.shape[1] != down.shape[0] or 0 in (*down.shape, *up.shape):
        raise SealShapeError(
            f"layer {name!r}: down {tuple(down.shape)} and up {tuple(up.shape)} are no low-rank change",
            _DAMAGED,
        )
