"""From a seal file's bytes to what the engine draws with: read, converted and fitted to its base, once.

Runs in the exchange's threads, beside the passes. Not for: where the bytes come from (exchange.py).
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from ..adapters import LowRank, Seal, parse_seal, tensor_hash
from ..adapters.changes import Change, tensors
from ..adapters.seal_file import own_words, proven_hash
from ..bases import Base
from ..generate.recipe import SealUse
from .alike import Alike
from .exchange import Prepare
from .fitted import FittedSeal, fitted
from .packing import laid_together

OVERHEAD_BYTES = 64 << 10
"""What a seal takes beside its tensors, about: header, paths, its place in the base."""


def preparing(base: Base) -> Prepare[FittedSeal]:
    """What makes a seal ready for this base; its low-rank matrices are kept in the base's precision.

    Raises: as `parse_seal` and `fitted` do.
    """

    alike = Alike(base.dtype)

    def prepare(digest: str, data: bytearray) -> tuple[FittedSeal, int]:
        words = own_words(data)
        known = words and alike.ready(digest, words)
        if known:
            return known
        read = parse_seal(data, f"seal {digest[:12]}")
        use = SealUse(read.name, 1.0, read.header.trigger, digest, proven_hash(read) or tensor_hash(data))
        seal, num_bytes = in_precision(read, base.dtype, len(data))
        ready = fitted(base, digest, seal, use)
        num_bytes += _made_bytes(ready) + OVERHEAD_BYTES
        if words:
            alike.learn(words, read, ready, num_bytes)
        return ready, num_bytes

    return prepare


def in_precision(seal: Seal, dtype: torch.dtype, file_bytes: int) -> tuple[Seal, int]:
    """The seal with its low-rank matrices in `dtype` and as a pool has them, and the bytes it takes.

    Other changes stay as the file has them, for they are multiplied out in float32. A seal without low-rank
    matrices stays in the bytes of its file, but for what was converted when it was read; of another none of them
    is kept.
    """
    low_rank = {path: change for path, change in seal.layers.items() if isinstance(change, LowRank)}
    if not low_rank:
        return seal, max(file_bytes, _num_bytes(seal))
    together = dict(zip(low_rank, laid_together(low_rank.values(), dtype), strict=True))
    others = {path: deepcopy(change) for path, change in seal.layers.items() if path not in low_rank}
    layers: dict[str, Change] = {path: together.get(path) or others[path] for path in seal.layers}
    embeddings, networks = deepcopy((seal.embeddings, seal.networks))
    ready = replace(seal, layers=layers, embeddings=embeddings, networks=networks)
    return ready, _num_bytes(ready)


def _num_bytes(seal: Seal) -> int:
    """Of all its tensors."""
    kept = [tensor for change in seal.layers.values() for tensor in tensors(change).values()]
    kept += [tensor for vectors in seal.embeddings.values() for tensor in vectors.values()]
    kept += [tensor for network in seal.networks.values() for tensor in network.tensors.values()]
    return sum(tensor.nbytes for tensor in kept)


def _made_bytes(ready: FittedSeal) -> int:
    """What was made of the seal's own matrices: a stream for the pool that could not share their memory, and layers
    that are laid out in another way than the file has them."""
    changes = [*ready.fit.changes.values(), *(ready.text.layers.values() if ready.text else ())]
    made = _storages(tensor for change in changes for tensor in tensors(change).values())
    if ready.packed is not None:
        made |= _storages([ready.packed.stream])
    own = _storages(tensor for change in ready.seal.layers.values() for tensor in tensors(change).values())
    return sum(num_bytes for place, num_bytes in made.items() if place not in own)


def _storages(matrices: Iterable[Tensor]) -> dict[int, int]:
    """Where in memory these lie, and how many bytes each place has; what shares one is counted once."""
    return {storage.data_ptr(): storage.nbytes() for storage in (each.untyped_storage() for each in matrices)}
