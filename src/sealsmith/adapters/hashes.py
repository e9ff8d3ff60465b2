"""The hashes by which people and registries know a seal file, as each of them computes it.

| name | of what | shown |
| --- | --- | --- |
| SHA256 | the whole file | 64 hex digits |
| AutoV1 | the 64 KiB that begin 1 MiB into the file; the same for all smaller files | 8 |
| AutoV2 | as SHA256 | 10 |
| AutoV3 | the bytes after the header: survives a new title | 12 |
| CRC32 | the whole file | 8 |

Source: AutoV1 and AutoV2 as A1111's web UI has them; AutoV3 as its additional-networks extension has it, whose
full form kohya's trainers keep in the header as `sshs_model_hash`, beside `sshs_legacy_hash`.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import SealFormatError

LEGACY_START, LEGACY_STOP = 0x100000, 0x110000
"""The bytes of a file that AutoV1 looks at."""
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileHashes:
    """Every hash of one file, in lowercase hex."""

    sha256: str
    autov1: str
    """8 digits."""
    tensors: str
    """SHA-256 of the bytes after the header, all 64 digits."""
    crc32: str

    @property
    def autov2(self) -> str:
        return self.sha256[:10]

    @property
    def autov3(self) -> str:
        return self.tensors[:12]

    def by_name(self) -> dict[str, str]:
        """As registries write them: their names, uppercase digits."""
        named = {
            "AutoV1": self.autov1,
            "AutoV2": self.autov2,
            "AutoV3": self.autov3,
            "SHA256": self.sha256,
            "CRC32": self.crc32,
        }
        return {name: digits.upper() for name, digits in named.items()}


def hash_file(path: Path | str) -> FileHashes:
    """All hashes of a safetensors file, from one pass over it in pieces of 1 MiB.

    Raises: SealFormatError when the file cannot be read, or is too short for the header it claims.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _hash_stream(file, path.stat().st_size, str(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def file_hash(path: Path | str) -> str:
    """SHA-256 of a whole file, 64 hex digits; the first 10 are what others call AutoV2.

    Raises: SealFormatError when it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def tensor_hash(data: bytes | bytearray) -> str:
    """SHA-256 of a seal file's bytes after its header, 64 hex digits; its first 12 are called AutoV3.

    It stays the same when only the header changes: a new title, a scorecard.
    """
    return hashlib.sha256(memoryview(data)[8 + int.from_bytes(data[:8], "little") :]).hexdigest()


def kohya_hashes(
    entries: Mapping[str, Any], tensors: memoryview, metadata: Mapping[str, str]
) -> tuple[str, str]:
    """`sshs_model_hash` (64 hex digits) and `sshs_legacy_hash` (8) of a file about to be written.

    Both are of the file as it would be with the `ss_` entries of `metadata` as its only metadata, so that
    they outlive later edits of titles. The first skips the header, so it is the tensors' plain hash; the
    second is AutoV1 of that file, and through the header's length it depends on the `ss_` entries.
    `entries` are the header's tensors (name -> dtype, shape, offsets), `tensors` the bytes behind it.
    """
    kept = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    table = {"__metadata__": kept} | dict(entries)
    # As safetensors writes it: UTF-8 as it is, no spaces, padded to 8 bytes.
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    legacy = hashlib.sha256(head[LEGACY_START:LEGACY_STOP])
    legacy.update(tensors[max(0, LEGACY_START - len(head)) : max(0, LEGACY_STOP - len(head))])
    return hashlib.sha256(tensors).hexdigest(), legacy.hexdigest()[:8]


class _Range:
    """SHA-256 of the bytes from `start` up to, not including, `stop` of a stream that comes in chunks."""

    def __init__(self, start: int = 0, stop: int = sys.maxsize):
        self._start, self._stop = start, stop
        self._hash = hashlib.sha256()

    def take(self, chunk: memoryview, offset: int) -> None:
        """`offset` is where in the stream the chunk begins."""
        self._hash.update(chunk[max(0, self._start - offset) : max(0, self._stop - offset)])

    def hex(self) -> str:
        return self._hash.hexdigest()


def _hash_stream(file: BinaryIO, size: int, name: str) -> FileHashes:
    head = file.read(8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or length > size - 8:
        raise SealFormatError(
            f"{name!r} is not a seal file: its header claims {length} bytes in a file of {size}",
            "fetch or copy the file again; a seal is one .safetensors file",
        )
    whole, legacy, tensors = _Range(), _Range(LEGACY_START, LEGACY_STOP), _Range(8 + length)
    crc, offset, chunk = 0, 0, head
    while chunk:
        view = memoryview(chunk)
        for part in (whole, legacy, tensors):
            part.take(view, offset)
        crc = zlib.crc32(view, crc)
        offset += len(chunk)
        chunk = file.read(CHUNK_BYTES)
    return FileHashes(whole.hex(), legacy.hex()[:8], tensors.hex(), f"{crc:08x}")


def _unreadable(path: Path | str, error: OSError) -> SealFormatError:
    return SealFormatError(f"cannot read {str(path)!r}: {error.strerror or error}", "check the path")
