"""Copies of seal files on this machine's disk: bounded, proved when they are read, and never needed.

What is missing, damaged or cannot be written is fetched from the store again. Several processes may share a folder.
"""

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ..adapters.files import atomic_write
from ..errors import OutputError
from .ledger import Ledger
from .store import digest_of

SUFFIX = ".safetensors"
ABANDONED_S = 3600.0
"""A file that is still half-written after so long is nobody's: whoever wrote it was killed."""

log = logging.getLogger(__name__)


class DiskCache:
    """Files named by their content's SHA-256 in one folder. Any thread may read and write."""

    def __init__(self, folder: Path | str, limit_bytes: int, say: Callable[[str], None] = log.warning):
        """Takes over what is in the folder. `say`: where a full disk is said, once."""
        self._folder, self._say = Path(folder), say
        self._ledger = Ledger(limit_bytes)
        self._lock = Lock()
        self._is_refused = False
        self._clear_abandoned()
        for path in self._found():
            size = path.stat().st_size
            if self._ledger.has_room(size):
                self._evict(self._ledger.admit(path.stem, size))
            else:
                path.unlink(missing_ok=True)

    @property
    def num_bytes(self) -> int:
        return self._ledger.num_bytes

    @property
    def gauges(self) -> dict[str, float]:
        return {
            "disk_seals": len(self._ledger),
            "disk_used_bytes": self._ledger.num_bytes,
            "disk_total_bytes": self._ledger.limit_bytes,
        }

    def read(self, digest: str) -> bytearray | None:
        """The file of that digest; None when it is not here, or no longer what it was."""
        path = self._path(digest)
        try:
            with path.open("rb") as file:
                data = bytearray(path.stat().st_size)
                is_whole = file.readinto(data) == len(data)
        except OSError:
            self._lose(digest)
            return None
        if not is_whole or digest_of(data) != digest:
            log.warning("the copy of seal %s on the disk is damaged and is fetched again", digest[:12])
            path.unlink(missing_ok=True)
            self._lose(digest)
            return None
        with self._lock:
            if digest in self._ledger:
                self._ledger.touch(digest)
        return data

    def write(self, digest: str, data: bytes | bytearray) -> bool:
        """Keeps a copy, and says whether it could: not of what is larger than all the cache, not on a full disk."""
        with self._lock:
            if digest in self._ledger:
                return True
            if not self._ledger.has_room(len(data)):
                return False
            self._evict(self._ledger.admit(digest, len(data)))
            self._ledger.pin(digest)
        try:
            atomic_write(self._path(digest), data)
        except OutputError as error:
            self._refuse(error)
            with self._lock:
                self._ledger.unpin(digest)
                self._ledger.drop(digest)
            return False
        with self._lock:
            self._ledger.unpin(digest)
        self._is_refused = False
        return True

    def check_integrity(self) -> None:
        """Proves that the folder holds what the ledger says, within the limit, and nothing half-written."""
        with self._lock:
            self._ledger.check_integrity()
            sizes = {path.stem: path.stat().st_size for path in self._found()}
            assert sizes.keys() <= set(self._ledger.keys()), "the folder has files that are not in the ledger"
            assert sum(sizes.values()) <= self._ledger.limit_bytes

    def _lose(self, digest: str) -> None:
        """Forgets a file that is not here; one that is being written is not lost."""
        with self._lock:
            if digest in self._ledger and not self._ledger.is_pinned(digest):
                self._ledger.drop(digest)

    def _refuse(self, error: OutputError) -> None:
        """Says that the disk takes no more, and not again before it has taken something."""
        if not self._is_refused:
            self._say(f"{error}; seals are fetched from the store each time until it is possible again")
        self._is_refused = True

    def _found(self) -> list[Path]:
        """The seal files in the folder, the least recently written first."""
        files = self._folder.glob(f"*{SUFFIX}") if self._folder.is_dir() else ()
        seals = [path for path in files if re.fullmatch(r"[0-9a-f]{64}", path.stem)]
        return sorted(seals, key=lambda path: path.stat().st_mtime)

    def _clear_abandoned(self) -> None:
        """Removes what a process that was killed had half written (`atomic_write`); others may be writing now."""
        files = self._folder.glob(".*.part") if self._folder.is_dir() else ()
        for path in files:
            with suppress(OSError):  # finished meanwhile, or not ours to remove
                is_old = time.time() - path.stat().st_mtime > ABANDONED_S
                if is_old and re.fullmatch(r"\.[0-9a-f]{64}\..*\.part", path.name):
                    path.unlink()

    def _evict(self, digests: list[str]) -> None:
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{SUFFIX}"
