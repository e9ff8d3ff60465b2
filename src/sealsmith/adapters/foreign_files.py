"""What a file really is when it is no `.safetensors` in spite of its name, told from its first bytes."""

from typing import NamedTuple

PROBE_BYTES = 512
"""How much of a file's beginning `recognise` wants to see."""


class ForeignKind(NamedTuple):
    """A kind of file by its article and name ("a zip archive"), and what its owner should do."""

    what: str
    remedy: str


_NEVER_OPENED = "pickled weights can carry code and are never opened: get the .safetensors version"
_FETCH_AGAIN = "fetch the file again, from a link that leads to the file itself"
_PICKLE = ForeignKind("a Python pickle", _NEVER_OPENED)
_WEB_PAGE = ForeignKind("a web page, not the file it should have led to", _FETCH_AGAIN)
_PICTURE = ForeignKind("a picture", "name the seal file, not its preview")

_BY_BEGINNING: tuple[tuple[bytes, ForeignKind], ...] = (
    (b"PK\x03\x04", ForeignKind("a zip archive, as PyTorch's .pt and .ckpt files are", _NEVER_OPENED)),
    *((bytes([0x80, protocol]), _PICKLE) for protocol in range(2, 6)),
    (b"GGUF", ForeignKind("a GGUF model", "get the .safetensors version")),
    (b"GGML", ForeignKind("a GGML model", "get the .safetensors version")),
    (b"version https://git-lfs", ForeignKind("a Git LFS pointer", "fetch the real file with: git lfs pull")),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"RIFF", _PICTURE),
    (b"\x1f\x8b", ForeignKind("a gzip archive", "unpack it first")),
    (b"7z\xbc\xaf", ForeignKind("a 7z archive", "unpack it first")),
    (b"Rar!", ForeignKind("a RAR archive", "unpack it first")),
    (b"<", _WEB_PAGE),
    (b"{", ForeignKind("JSON text, such as the error message of a download", _FETCH_AGAIN)),
    (bytes(8), ForeignKind("an unfinished download: it begins with zeros", _FETCH_AGAIN)),
)


def recognise(beginning: bytes) -> ForeignKind | None:
    """The kind of a file that begins so, or None.

    Only for files already known to be no `.safetensors`: a sound one begins with a number, in any bytes.
    """
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    for start, kind in _BY_BEGINNING:
        if beginning.startswith(start) or text.startswith(start):
            return kind
    return None
