"""Opening `.safetensors` files of anybody's making: tensors and metadata, checked, without copying.

Not for: what the tensors are called and mean (formats/), or what makes a seal of them (seal_file.py). Nothing here
executes or unpickles what it reads; a file that is not sound is refused by its header, before its tensors are
touched.
"""

import hashlib
import itertools
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import SealFormatError
from .file_header import (
    INTEGER_BYTES,
    LENGTH_BYTES,
    FileHeader,
    TensorEntry,
    clip,
    parse_file_header,
    parse_header_length,
)
from .foreign_files import PROBE_BYTES
from .header_file import opened, read_header_of
from .magnitude import largest_magnitude

_TORCH_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
}
_READ_AS = {"F64": torch.float32, "F8_E4M3": torch.float16, "F8_E5M2": torch.float16} | dict.fromkeys(
    INTEGER_BYTES, torch.float32
)
"""What is converted on reading. Every 8-bit float is a float16 exactly; 64-bit ones are rounded."""


@dataclass(frozen=True, eq=False)
class TensorFile:
    """The content of a file. The tensors are views of `tensor_bytes` where their type needs no converting.

    From a path the bytes are a private mapping: writing to a tensor never reaches the file, and the file may be
    replaced or deleted. It must not be rewritten in place, as no program here does: its tensors would change, and
    reading what was cut off would end the process.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    header: FileHeader
    tensor_bytes: memoryview
    """Everything after the header."""

    def tensor_hash(self) -> str:
        """SHA-256 of the tensors' bytes, 64 hex digits; its first 12 are called AutoV3."""
        return hashlib.sha256(self.tensor_bytes).hexdigest()


def read_tensor_file(path: Path | str) -> TensorFile:
    """The whole file, checked: laid out without gap or overlap, known types, every number but alphas finite.

    Raises: SealFormatError, SealShapeError naming the file and the value.
    """
    with opened(Path(path)) as file:
        header = read_header_of(file, str(path))
        # Zero-copy, and writable so that tensors can be made of it; a page written to becomes our own.
        data = mmap.mmap(file.fileno(), header.data_start + header.data_bytes, access=mmap.ACCESS_COPY)
    return _assemble(header, memoryview(data)[header.data_start :], str(path))


def parse_tensor_file(data: bytes | bytearray | memoryview, name: str) -> TensorFile:
    """The file in these bytes, which errors call `name`; read-only bytes are copied once.

    Raises: as `read_tensor_file` does.
    """
    view = memoryview(data).cast("B")
    length = parse_header_length(bytes(view[:PROBE_BYTES]), len(view), name)
    start = LENGTH_BYTES + length
    header = parse_file_header(bytes(view[LENGTH_BYTES:start]), len(view) - start, name)
    tensor_bytes = view[start:]
    return _assemble(header, memoryview(bytearray(tensor_bytes)) if view.readonly else tensor_bytes, name)


def _assemble(header: FileHeader, tensor_bytes: memoryview, name: str) -> TensorFile:
    tensors = {key: _tensor(entry, tensor_bytes) for key, entry in header.entries.items()}
    _check_finite(header, tensors, tensor_bytes, name)
    return TensorFile(tensors, header.metadata, header, tensor_bytes)


def _tensor(entry: TensorEntry, tensor_bytes: memoryview) -> Tensor:
    """A view of the bytes, or a copy where they are not aligned or have to be converted."""
    dtype = _TORCH_DTYPES[entry.dtype]
    count = (entry.stop - entry.start) // dtype.itemsize
    tensor = torch.frombuffer(tensor_bytes, dtype=dtype, count=count, offset=entry.start)
    if tensor.data_ptr() % dtype.itemsize:  # a header whose length is no multiple of 8
        copied = bytearray(tensor_bytes[entry.start : entry.stop])
        tensor = torch.frombuffer(copied, dtype=dtype)
    if entry.dtype in _READ_AS:
        tensor = tensor.to(_READ_AS[entry.dtype])
    return tensor.view(entry.shape)


def _check_finite(
    header: FileHeader, tensors: Mapping[str, Tensor], tensor_bytes: memoryview, name: str
) -> None:
    """Refuses NaN and infinity. Neighbours of one type are looked at together: calls cost more than bytes.

    Alphas are left to their layers' own check (checks.py): some say nothing, and then infinity is no damage.
    """
    for dtype, run in itertools.groupby(header.in_file_order(), key=lambda item: item[1].dtype):
        keys, entries = zip(*run, strict=True)
        start, stop = entries[0].start, entries[-1].stop
        count = (stop - start) // _TORCH_DTYPES[dtype].itemsize
        together = _tensor(TensorEntry(dtype, (count,), start, stop), tensor_bytes)
        if not math.isfinite(largest_magnitude(together)):
            for key in keys:
                if _is_alpha(key, tensors[key]) or math.isfinite(largest_magnitude(tensors[key])):
                    continue
                raise SealFormatError(
                    f"{name!r} is damaged: tensor {clip(key)} holds NaN or infinity",
                    "the training diverged; use an earlier checkpoint",
                )


def _is_alpha(key: str, tensor: Tensor) -> bool:
    """Whether it is a layer's alpha, by its name in every dialect."""
    return tensor.numel() == 1 and key.endswith(".alpha")
