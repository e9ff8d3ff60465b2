"""From a seal file's bytes to what the engine draws with: read, converted and fitted to its base, once.

Runs in the exchange's threads, beside the passes. Not for: where the bytes come from (exchange.py).
"""

from copy import deepcopy
from dataclasses import replace

import torch

from ..adapters import LowRank, Seal, parse_seal, tensor_hash
from ..adapters.changes import Change, moved, tensors
from ..bases import Base
from ..bases.placing import DTYPES
from ..generate.recipe import SealUse
from .exchange import Prepare
from .fitted import FittedSeal, fitted

OVERHEAD_BYTES = 64 << 10
"""What a seal takes beside its tensors, about: header, paths, its place in the base."""


def preparing(base: Base) -> Prepare[FittedSeal]:
    """What makes a seal ready for this base; its low-rank matrices are kept in the base's precision.

    Raises: as `parse_seal` and `fitted` do.
    """
    dtype = DTYPES[base.plan.precision]

    def prepare(digest: str, data: bytearray) -> tuple[FittedSeal, int]:
        seal = parse_seal(data, f"seal {digest[:12]}")
        use = SealUse(seal.name, 1.0, seal.header.trigger, digest, tensor_hash(data))
        ready, num_bytes = in_precision(seal, dtype, len(data))
        return fitted(base, digest, ready, use), num_bytes + OVERHEAD_BYTES

    return prepare


def in_precision(seal: Seal, dtype: torch.dtype, file_bytes: int) -> tuple[Seal, int]:
    """The seal with its low-rank matrices in `dtype`, and the bytes it takes.

    Other changes stay as the file has them, for they are multiplied out in float32. One that is in `dtype` as it is
    stays in the bytes of its file; of another none of them is kept.
    """
    changes = seal.layers.values()
    if not any(isinstance(change, LowRank) and change.down.dtype != dtype for change in changes):
        return seal, file_bytes
    layers = {path: _converted(change, dtype) for path, change in seal.layers.items()}
    embeddings, networks = deepcopy((seal.embeddings, seal.networks))
    kept = [tensor for change in layers.values() for tensor in tensors(change).values()]
    kept += [tensor for vectors in embeddings.values() for tensor in vectors.values()]
    kept += [tensor for network in networks.values() for tensor in network.tensors.values()]
    converted = replace(seal, layers=layers, embeddings=embeddings, networks=networks)
    return converted, sum(tensor.nbytes for tensor in kept)


def _converted(change: Change, dtype: torch.dtype) -> Change:
    """In memory of its own."""
    own = deepcopy(change)
    return moved(own, "cpu", dtype) if isinstance(change, LowRank) else own
