"""Reading and writing seal files: one `.safetensors`, complete in itself, same bytes for the same seal."""

import json
from pathlib import Path

import safetensors
import safetensors.torch

from ..errors import SealFormatError
from .changes import LowRank
from .checks import check_file_header, check_finite, check_layers, check_seal_header, check_suffix
from .files import atomic_write
from .formats import DIFFUSERS, find_dialect
from .hashes import tensor_hash
from .metadata import HASH_KEY, dump_metadata, parse_metadata
from .seal import Seal


def read_seal(path: Path | str) -> Seal:
    """The seal in a file, checked: every tensor finite, named, paired, of the header's rank, and undamaged.

    Raises: SealFormatError; SealShapeError naming the layer.
    """
    path = Path(path)
    check_suffix(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SealFormatError(
            f"cannot read the seal file {str(path)!r}: {error.strerror or error}", "check the path"
        ) from error
    seal = parse_seal(data, str(path))
    seal.path = path
    return seal


def write_seal(path: Path | str, seal: Seal) -> None:
    """Writes `seal` to `path` in one step, for us and for stock `pipeline.load_lora_weights(path)`.

    Raises: SealFormatError when the seal is one that `read_seal` would refuse; OutputError.
    """
    path = Path(path)
    check_suffix(path)
    atomic_write(path, dump_seal(seal))


def parse_seal(data: bytes, name: str = "seal") -> Seal:
    """The seal in the bytes of a file; `name` is what errors call it. Raises as `read_seal` does."""
    file_header = check_file_header(data, name)
    metadata = file_header.get("__metadata__", {})
    header = parse_metadata(metadata, name)
    if metadata.get(HASH_KEY) not in (None, f"0x{tensor_hash(data)}"):
        raise SealFormatError(
            f"{name!r} is damaged: its tensors do not have the hash its header states",
            "fetch or copy the file again",
        )
    try:
        state = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise SealFormatError(f"{name!r} is damaged: {error}", "fetch or copy the file again") from error
    check_finite(state)
    layers = find_dialect(state).layers(state)
    check_layers(layers, header.rank)
    return Seal(header, DIFFUSERS.state(layers))


def dump_seal(seal: Seal) -> bytes:
    """The bytes of a seal's file; the same seal gives the same bytes."""
    check_seal_header(seal.header)
    check_finite(seal.state)
    layers = DIFFUSERS.layers(seal.state)
    check_layers(layers, seal.header.rank)
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in seal.state.items()}
    data = safetensors.torch.save(state)
    tensors = _tensor_bytes(data)
    file_header = check_file_header(data, seal.header.title)
    # safetensors writes metadata in the order of a hash map, another in every process; we sort it.
    changes = {path: LowRank(down, up, seal.header.alpha) for path, (down, up) in layers.items()}
    metadata = dump_metadata(seal.header, changes, file_header, tensors)
    text = json.dumps({"__metadata__": metadata} | file_header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + tensors


def _tensor_bytes(data: bytes) -> memoryview:
    return memoryview(data)[8 + int.from_bytes(data[:8], "little") :]
