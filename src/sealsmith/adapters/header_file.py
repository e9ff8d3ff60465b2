"""Opening a seal file as far as its header. Imports no torch.

Not for: what the header says (file_header.py), or the tensors behind it (tensor_file.py).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import SealFormatError
from .file_header import FETCH_AGAIN, LENGTH_BYTES, FileHeader, parse_file_header, parse_header_length
from .foreign_files import PROBE_BYTES

MAX_FILE_BYTES = 8 << 30
"""Whole models are as large, adapters are not; it also bounds what a file full of holes can claim."""


def read_header(path: Path | str) -> FileHeader:
    """Names, types and shapes of a file's tensors, and its metadata; its tensors are not read.

    Raises: SealFormatError, SealShapeError naming the file and the value.
    """
    with opened(Path(path)) as file:
        return read_header_of(file, str(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, unbuffered, once it is known to be a regular one. Raises: SealFormatError."""
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path; a file shorter than its mapping
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise SealFormatError(
            f"cannot read the seal file {str(path)!r}: {reason}", "check the path"
        ) from error


def _open_at_once(path: str, flags: int) -> int:
    """`os.open`, but not waiting for a writer when the file is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_header_of(file: BinaryIO, name: str) -> FileHeader:
    """The header of an open file, which errors call `name`. Raises: as `read_header` does."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise SealFormatError(f"{name!r} is a device or pipe, not a file", "name one .safetensors file")
    if status.st_size > MAX_FILE_BYTES:
        raise SealFormatError(
            f"{name!r} is {status.st_size} bytes large, expected at most {MAX_FILE_BYTES}",
            "this looks like a whole model; name the seal file",
        )
    beginning = file.read(PROBE_BYTES)
    length = parse_header_length(beginning, status.st_size, name)
    file.seek(LENGTH_BYTES)
    text = file.read(length)
    if len(text) < length:
        raise SealFormatError(
            f"{name!r} became shorter while it was read: {len(text)} of {length} header bytes", FETCH_AGAIN
        )
    return parse_file_header(text, status.st_size - LENGTH_BYTES - length, name)
