"""What a seal must satisfy before anything is built from it.

Not for: whether its file is sound, which is decided first (file_header.py, tensor_file.py).
"""

import math
from collections.abc import Mapping
from pathlib import Path

from ..errors import SealFormatError, SealShapeError
from .changes import Change, LowRank, tensors
from .magnitude import largest_magnitude
from .seal import SealHeader

MAX_RANK = 4096
SMALL_RANK = 512
"""Up to this rank a layer may be smaller than its rank: some trainers give every layer the same one."""

_DAMAGED = "fetch or copy the file again; a seal is one .safetensors file"


def check_suffix(path: Path) -> None:
    """Refuses every file but `.safetensors`: other formats of weights can carry code."""
    if path.is_dir():
        inside = sorted(
            path.glob("*.safetensors"), key=lambda file: (file.name != "seal.safetensors", file.name)
        )
        raise SealFormatError(
            f"{str(path)!r} is a folder, not a seal file",
            f"name the file in it: {inside[0]}" if inside else "name a .safetensors file",
        )
    if path.suffix.lower() != ".safetensors":
        raise SealFormatError(
            f"{str(path)!r} is not a .safetensors file",
            "seals are .safetensors files; pickled weights (.bin, .pt, .ckpt) are never opened",
        )


def check_finite(layers: Mapping[str, Change]) -> None:
    """Refuses NaN and infinity, naming the first layer that has one."""
    for path, change in layers.items():
        for name, tensor in tensors(change).items():
            if not math.isfinite(largest_magnitude(tensor)):
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
