"""A seal made ready for another dialect or number format, and what of it would be lost."""

from dataclasses import replace

import torch

from ..errors import SealFormatError
from .changes import Change, moved, tensors
from .formats import write_layers
from .seal import Seal

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def converted(seal: Seal, dialect: str, dtype: str | None = None) -> tuple[Seal, dict[str, str]]:
    """The seal without the layers that `dialect` cannot express, and path -> reason of those.

    `dtype` is one of `DTYPES`; None keeps every tensor's own.
    Raises: SealFormatError when no layer is left, or a number is too large for `dtype`; ConfigError for a dialect
    that nobody writes.
    """
    unwritable = write_layers(seal.layers, dialect, seal.header.family).unwritable
    layers = {path: change for path, change in seal.layers.items() if path not in unwritable}
    if unwritable and not layers:
        path, reason = next(iter(unwritable.items()))
        raise SealFormatError(
            f"none of the {len(unwritable)} layers can be written in the dialect {dialect!r}, {path!r}: {reason}",
            "keep the file as it is",
        )
    if dtype is not None:
        layers = {path: _cast(path, change, dtype) for path, change in layers.items()}
        seal = _cast_rest(seal, DTYPES[dtype])
    return replace(seal, layers=layers, dialect=dialect, unknown=()), unwritable


def _cast_rest(seal: Seal, dtype: torch.dtype) -> Seal:
    """The seal with its vectors and hypernetworks in `dtype`; writing refuses what became infinite."""
    words = {
        word: {encoder: each.to(dtype) for encoder, each in vectors.items()}
        for word, vectors in seal.embeddings.items()
    }
    cpu = torch.device("cpu")
    networks = {path: network.moved(cpu, dtype) for path, network in seal.networks.items()}
    return replace(seal, embeddings=words, networks=networks)


def _cast(path: str, change: Change, dtype: str) -> Change:
    cast = moved(change, "cpu", DTYPES[dtype])
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors(cast).values()):
        raise SealFormatError(f"layer {path!r} has numbers too large for {dtype}", "choose bf16 or fp32")
    return cast
