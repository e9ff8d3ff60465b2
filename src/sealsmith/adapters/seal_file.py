"""Reading and writing seal files: one `.safetensors`, complete in itself, same bytes for the same seal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
from torch import Tensor

from ..errors import SealError, SealFormatError
from .checks import check_finite, check_layers, check_seal_header, check_suffix
from .embeddings import check_embeddings
from .file_header import LENGTH_BYTES, split_metadata
from .files import atomic_write
from .formats import header_entries, native_dialect, read_layers, write_layers
from .formats.vectors import bundled, read_vectors, vector_entries, write_vectors
from .hashes import tensor_hash
from .metadata import HASH_KEY, OWN_KEY, dump_metadata, header_of_foreign, parse_metadata
from .networks import check_networks
from .peft_config import with_config_beside
from .seal import Seal, SealHeader
from .sidecars import facts_beside
from .tensor_file import TensorFile, parse_tensor_file, read_tensor_file


def read_seal(path: Path | str) -> Seal:
    """The seal in a file, checked: every tensor finite, named, paired, of the header's rank, and undamaged.

    One whose header names no trigger takes it from the sidecars beside it, where there are any.
    Raises: SealFormatError; SealShapeError naming the layer.
    """
    path = Path(path)
    check_suffix(path)
    file = read_tensor_file(path)
    seal = _seal_of(file, with_config_beside(file.metadata, path), str(path))
    seal.path = path
    if not seal.header.trigger:
        seal.header = replace(seal.header, trigger=facts_beside(path).trigger)
    return seal


def write_seal(path: Path | str, seal: Seal) -> None:
    """Writes `seal` to `path` in one step, in the dialect that holds its layers as they are.

    That is diffusers', for stock `pipeline.load_lora_weights(path)`, where every layer is low-rank or DoRA; a file
    of one word's vectors alone is for stock `pipeline.load_textual_inversion(path)`.
    Raises: SealFormatError when the seal is one that `read_seal` would refuse; OutputError.
    """
    path = Path(path)
    check_suffix(path)
    atomic_write(path, dump_seal(seal, native_dialect(seal.layers, seal.header.family)))


def parse_seal(data: bytes | bytearray, name: str = "seal") -> Seal:
    """The seal in the bytes of a file; `name` is what errors call it. Raises as `read_seal` does.

    Its tensors are views of a `bytearray`, which is not to be changed then; of `bytes` there is a copy.
    """
    file = parse_tensor_file(data, name)
    return _seal_of(file, file.metadata, name)


@dataclass(frozen=True, eq=False)
class OwnWords:
    """What a file of ours says of itself, its table of tensors left unread. Nothing of it is proved yet."""

    metadata: dict[str, str]
    table: bytes
    """The table as it stands: equal for files with the same tensors' names, types, shapes and places."""
    data: bytearray
    """The whole file."""
    start: int
    """Where in it the tensors' bytes begin."""

    @property
    def tensor_bytes(self) -> memoryview:
        return memoryview(self.data)[self.start :]

    def proved_header(self) -> SealHeader | None:
        """What it says of the seal; None where it is damaged: `parse_seal` says how."""
        if self.metadata.get(HASH_KEY) != f"0x{tensor_hash(self.data)}":
            return None
        try:
            return parse_metadata(self.metadata, "seal")
        except SealFormatError:
            return None


def own_words(data: bytearray) -> OwnWords | None:
    """The words of a file of ours; None for another's, and for one whose header is not as we write it."""
    start = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    found = split_metadata(bytes(data[LENGTH_BYTES:start])) if start <= len(data) else None
    return OwnWords(*found, data, start) if found and OWN_KEY in found[0] else None


def proven_hash(seal: Seal) -> str:
    """The hash of its tensors that reading a file of ours has proved, 64 hex digits; "" for another's."""
    return seal.metadata.get(HASH_KEY, "").removeprefix("0x") if OWN_KEY in seal.metadata else ""


def _seal_of(file: TensorFile, metadata: Mapping[str, str], name: str) -> Seal:
    own = OWN_KEY in metadata  # others edit tensors and leave the hash as it was
    if own and metadata.get(HASH_KEY) not in (None, f"0x{file.tensor_hash()}"):
        raise SealFormatError(
            f"{name!r} is damaged: its tensors do not have the hash its header states",
            "fetch or copy the file again",
        )
    try:
        parsed = read_layers(file.tensors, metadata)
        check_layers(parsed.layers)
        rest = {key: file.tensors[key] for key in parsed.unknown}
        vectors = read_vectors(rest, metadata, Path(name).stem)
    except SealError as error:  # these name the layer, but do not know the file
        raise type(error)(f"{name!r}: {error}", error.remedy) from error
    if not (parsed.layers or vectors.embeddings or vectors.networks):
        raise SealFormatError(
            f"{name!r} holds no layers of a seal: none of its {len(file.tensors)} tensors is known, "
            f"{vectors.unknown[0]!r} first",
            "it may be a whole model, or a seal of a kind not supported",
        )
    header = (
        parse_metadata(metadata, name)
        if own
        else header_of_foreign(metadata, parsed.layers, name, vectors.embeddings, vectors.networks)
    )
    return Seal(
        header,
        parsed.layers,
        dialect=parsed.dialect or "diffusers",
        unknown=vectors.unknown,
        metadata=dict(metadata),
        embeddings=vectors.embeddings,
        networks=dict(vectors.networks),
    )


def dump_seal(seal: Seal, dialect: str = "diffusers") -> bytes:
    """The bytes of a seal's file in `dialect`; the same seal gives the same bytes.

    Raises: SealFormatError when the dialect cannot say one of its layers.
    """
    check_seal_header(seal.header)
    check_layers(seal.layers)
    check_finite(seal.layers)
    check_embeddings(seal.embeddings)
    check_networks(seal.networks)
    state, unwritable = write_layers(seal.layers, dialect, seal.header.family)
    if unwritable:
        first = next(iter(unwritable))
        raise SealFormatError(
            f"{len(unwritable)} layers cannot be written in the dialect {dialect!r}, {first!r} first: "
            f"{unwritable[first]}",
            "write them in the dialect they came in",
        )
    data = safetensors.torch.save(_owned(state | _beside_layers(seal)))
    tensors = _tensor_bytes(data)
    file_header = json.loads(data[8 : len(data) - len(tensors)])
    # safetensors writes metadata in the order of a hash map, another in every process; we sort it.
    metadata = dump_metadata(
        seal.header,
        seal.layers,
        file_header,
        tensors,
        _entries(seal, dialect),
        dialect=dialect,
        kept=seal.metadata,
    )
    text = json.dumps({"__metadata__": metadata} | file_header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + tensors


def _owned(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two in the same memory: layers taken out of a fused one share `down`.

    safetensors refuses to write what overlaps.
    """
    owned: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in state.items():
        whole = tensor.detach().cpu().contiguous()
        owned[key] = whole.clone() if whole.data_ptr() in seen else whole
        seen.add(whole.data_ptr())
    return owned


def _beside_layers(seal: Seal) -> dict[str, Tensor]:
    """The tensors of all that is no layer."""
    family = seal.header.family
    if seal.layers:
        return bundled(seal.embeddings, family) | write_vectors({}, seal.networks, family)
    return write_vectors(seal.embeddings, seal.networks, family)


def _entries(seal: Seal, dialect: str) -> dict[str, str]:
    """What the header must say for the tensors to mean the same."""
    layers = header_entries(seal.layers, dialect) if seal.layers else {}
    return layers | vector_entries(seal.embeddings, seal.networks)


def _tensor_bytes(data: bytes) -> memoryview:
    return memoryview(data)[8 + int.from_bytes(data[:8], "little") :]
