"""The header of a `.safetensors` file: parsed, and believed only after it agrees with the file's size.

Files come from strangers. Lengths are judged before anything is read or parsed by them, the JSON is counted
before it is built, and every tensor's bytes must follow the one before without gap or overlap. Not for: the
tensors themselves (tensor_file.py), and what they mean (formats/). Imports no torch.

The format: 8 bytes little-endian length N, N bytes JSON, then the tensors' bytes. The JSON maps a tensor's name to
`{"dtype": "F16", "shape": [4, 320], "data_offsets": [begin, end]}`, and `__metadata__` to strings by strings.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from ..errors import SealFormatError, SealShapeError
from .foreign_files import recognise

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 8 << 20
"""More than trainers write: tag frequencies of large sets and a thumbnail stay under 4 MiB."""
MAX_TENSORS = 50_000
MAX_COMMAS = 1_000_000
MAX_BRACKETS = 250_000
"""Three a tensor, and those in the strings of its metadata. With MAX_COMMAS it bounds the cost of parsing."""
MAX_DIMENSIONS = 8
MAX_NAME_CHARACTERS = 512
MAX_DIGITS = 19
"""Of an integer: enough for every 63-bit size."""

MAX_SPLIT_BYTES = 1 << 20
"""Of a header whose strings are read by themselves, uncounted."""

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
"""Types of weights that are read, by safetensors' names."""
INTEGER_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
"""Types that only an alpha may have: some trainers stored the integer it was given as."""

FETCH_AGAIN = "fetch or copy the file again; a seal is one .safetensors file"


class TensorEntry(NamedTuple):
    """What the header says of one tensor; its bytes are `start` to `stop` of those after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class FileHeader:
    """A whole header. `num_bytes` is the JSON's length, `data_bytes` that of all tensors after it."""

    entries: dict[str, TensorEntry]
    metadata: dict[str, str]
    num_bytes: int
    data_bytes: int

    @property
    def data_start(self) -> int:
        """Where in the file the tensors' bytes begin."""
        return LENGTH_BYTES + self.num_bytes

    def in_file_order(self) -> list[tuple[str, TensorEntry]]:
        """The entries as their bytes follow each other, which need not be the header's order."""
        return sorted(self.entries.items(), key=lambda item: item[1].start)


def parse_header_length(beginning: bytes, file_bytes: int, name: str) -> int:
    """Length in bytes of the JSON header, from the first bytes of a file of `file_bytes`.

    With PROBE_BYTES of beginning an error can say what the file is instead.
    Raises: SealFormatError, before anything of that length was read.
    """
    if not beginning:
        raise SealFormatError(f"{name!r} is not a seal file: it is empty", FETCH_AGAIN)
    length = int.from_bytes(beginning[:LENGTH_BYTES], "little")
    fits = file_bytes >= LENGTH_BYTES + 2 and 2 <= length <= file_bytes - LENGTH_BYTES
    if fits and length <= MAX_HEADER_BYTES:
        return length
    kind = recognise(beginning) if length == 0 or length > MAX_HEADER_BYTES else None
    if kind is not None:
        raise SealFormatError(f"{name!r} is {kind.what}, not a .safetensors file", kind.remedy)
    if fits:
        raise SealFormatError(
            f"{name!r} has an absurd header: {length} of at most {MAX_HEADER_BYTES} bytes", FETCH_AGAIN
        )
    raise SealFormatError(
        f"{name!r} is not a seal file: its header claims {length} bytes in a file of {file_bytes}",
        FETCH_AGAIN,
    )


def parse_file_header(text: bytes, data_bytes: int, name: str) -> FileHeader:
    """The header in its JSON `text`, checked against the `data_bytes` that follow it in the file.

    Raises: SealFormatError, SealShapeError; both name the file, the tensor and the value.
    """
    table = _load_table(text, name)
    metadata = table.pop("__metadata__", {})
    if not _is_metadata(metadata) or not all(isinstance(entry, dict) for entry in table.values()):
        raise SealFormatError(f"{name!r} has a header that is no table of tensors and strings", FETCH_AGAIN)
    if not 0 < len(table) <= MAX_TENSORS:
        raise _wrong_count(len(table), name)
    entries = {key: _parse_entry(key, entry, name) for key, entry in table.items()}
    header = FileHeader(entries, metadata, len(text), data_bytes)
    _check_layout(header, name)
    return header


def split_metadata(text: bytes) -> tuple[dict[str, str], bytes] | None:
    """The strings of a header and the rest of it as it stands: the table of its tensors, unread.

    None where the strings do not come first, as we write them, or are not what they should be.
    """
    if len(text) > MAX_SPLIT_BYTES or not text.startswith(_FIRST):
        return None
    try:
        whole = str(text, "utf-8")
        metadata, stop = _METADATA.raw_decode(whole, len(_FIRST))
    except (ValueError, RecursionError):
        return None
    return (metadata, whole[stop:].rstrip(" \t\n\r").encode()) if _is_metadata(metadata) else None


def _load_table(text: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `text`, counted before it is built."""
    num_tensors = text.count(b'"data_offsets"')
    if num_tensors > MAX_TENSORS:
        raise _wrong_count(num_tensors, name)
    commas, brackets = text.count(b","), text.count(b"[") + text.count(b"{")
    if commas > MAX_COMMAS or brackets > MAX_BRACKETS:
        raise SealFormatError(
            f"{name!r} has an absurd header: {commas} commas and {brackets} brackets, "
            f"expected at most {MAX_COMMAS} and {MAX_BRACKETS}",
            FETCH_AGAIN,
        )
    try:
        table = json.loads(
            str(text, "utf-8"), object_pairs_hook=_unique, parse_int=_parse_int, parse_constant=_refuse
        )
    except RecursionError as error:
        raise SealFormatError(f"{name!r} has an unreadable header: nested too deeply", FETCH_AGAIN) from error
    except ValueError as error:
        raise SealFormatError(f"{name!r} has an unreadable header: {error}", FETCH_AGAIN) from error
    if not isinstance(table, dict):
        raise SealFormatError(f"{name!r} has a header that is no table of tensors and strings", FETCH_AGAIN)
    return table


def _wrong_count(num_tensors: int, name: str) -> SealFormatError:
    return SealFormatError(f"{name!r} holds {num_tensors} tensors, expected 1 to {MAX_TENSORS}", FETCH_AGAIN)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        [(key, times)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {clip(key)} stands in it {times} times")
    return table


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits, expected at most {MAX_DIGITS}")
    return int(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} where a number was expected")


_FIRST = b'{"__metadata__":'
_METADATA = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_parse_int, parse_constant=_refuse)


def _is_metadata(metadata: object) -> bool:
    return isinstance(metadata, dict) and all(
        isinstance(value, str) and _is_encodable(value) and _is_encodable(key)
        for key, value in metadata.items()
    )


def _is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold it: JSON's escapes can spell half characters, which no file can."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse_entry(key: str, entry: dict[str, Any], name: str) -> TensorEntry:
    """The entry of one tensor, whose parts agree with each other."""
    if not 0 < len(key) <= MAX_NAME_CHARACTERS or not key.isprintable():
        raise SealFormatError(
            f"{name!r} has a tensor named {clip(key)}, of {len(key)} characters: "
            f"expected 1 to {MAX_NAME_CHARACTERS} printable ones",
            FETCH_AGAIN,
        )
    dtype, offsets = entry.get("dtype"), entry.get("data_offsets")
    item_bytes = _item_bytes(key, dtype, name)
    shape = _shape(key, entry.get("shape"), name)
    if not _is_sizes(offsets) or len(offsets) != 2:
        raise SealFormatError(
            f"tensor {clip(key)} in {name!r} has the absurd offsets {clip(offsets)}, expected begin and end",
            FETCH_AGAIN,
        )
    count, length = math.prod(shape), offsets[1] - offsets[0]
    if length != count * item_bytes:
        raise SealShapeError(
            f"tensor {clip(key)} in {name!r} is {length} bytes long, "
            f"its shape {clip(shape)} in {dtype} needs {clip(count * item_bytes)}",
            FETCH_AGAIN,
        )
    if dtype in INTEGER_BYTES and count != 1:
        raise SealShapeError(
            f"the alpha {clip(key)} in {name!r} has the shape {clip(shape)}, expected one number", FETCH_AGAIN
        )
    return TensorEntry(str(dtype), shape, offsets[0], offsets[1])


def _shape(key: str, shape: object, name: str) -> tuple[int, ...]:
    if not _is_sizes(shape) or len(shape) > MAX_DIMENSIONS or 0 in shape:
        raise SealShapeError(
            f"tensor {clip(key)} in {name!r} has the absurd shape {clip(shape)}, "
            f"expected at most {MAX_DIMENSIONS} positive numbers",
            FETCH_AGAIN,
        )
    return tuple(shape)


def _item_bytes(key: str, dtype: object, name: str) -> int:
    """Bytes of one number of this type, which must be one that this tensor may have."""
    size = ITEM_BYTES.get(dtype) if isinstance(dtype, str) else None
    if size is None and isinstance(dtype, str) and key.endswith("alpha"):
        size = INTEGER_BYTES.get(dtype)
    if size is None:
        raise SealFormatError(
            f"tensor {clip(key)} in {name!r} is of type {clip(dtype)}, not {', '.join(ITEM_BYTES)}",
            FETCH_AGAIN,
        )
    return size


def _is_sizes(value: object) -> TypeGuard[list[int]]:
    """Whether it is a list of whole numbers from 0 on; `True` is none."""
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _check_layout(header: FileHeader, name: str) -> None:
    """Refuses tensors whose bytes do not fill the file from the header to its end, each byte once."""
    end, data_bytes = 0, header.data_bytes
    for key, entry in header.in_file_order():
        if entry.start != end:
            fault = "overlaps the one before it" if entry.start < end else "leaves a gap before it"
            raise SealFormatError(
                f"{name!r} is damaged: tensor {clip(key)} {fault}, it begins at byte {entry.start}, not {end}",
                FETCH_AGAIN,
            )
        end = entry.stop
    if end > data_bytes:
        raise SealFormatError(
            f"{name!r} is damaged: it is cut short, its tensors need {end} bytes and it has {data_bytes}",
            FETCH_AGAIN,
        )
    if end < data_bytes:
        raise SealFormatError(
            f"{name!r} is damaged: {data_bytes - end} bytes too many follow its last tensor", FETCH_AGAIN
        )


def clip(value: object) -> str:
    """`repr(value)`, shortened in the middle to at most 100 characters, for a message of one line."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:60]}...{text[-37:]}"
