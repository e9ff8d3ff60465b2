"""The identity of weights: a hash over files, remembered for large ones so that it is computed once.

A remembered hash is named by the file's path, size and time of change, and is forgotten with any of them.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LARGE_BYTES = 512 * 1024**2
"""From this total size on, hashing takes seconds, and the hashes are remembered."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def digest_of_files(paths: Sequence[Path]) -> str:
    """12 hex digits of the SHA-256 over the SHA-256 of each file, in the order given."""
    is_large = sum(path.stat().st_size for path in paths) > LARGE_BYTES
    digest = hashlib.sha256()
    for path in paths:
        digest.update(bytes.fromhex(_remembered_sha256(path) if is_large else _sha256(path)))
    return digest.hexdigest()[:12]


def cache_folder() -> Path:
    """Where hashes are remembered: `sealsmith/hashes` in the user's cache folder. It need not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sealsmith" / "hashes"


def _remembered_sha256(path: Path) -> str:
    facts = path.resolve().stat()
    key = f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"
    note = cache_folder() / hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    with suppress(OSError, UnicodeDecodeError):  # not remembered, or not readable: computed again
        known = note.read_text(encoding="ascii")
        if _SHA256.fullmatch(known):
            return known
    computed = _sha256(path)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        _write_whole(note, computed)
    return computed


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_whole(path: Path, text: str) -> None:
    """The file appears with all of its text or not at all, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        Path(partial).replace(path)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
