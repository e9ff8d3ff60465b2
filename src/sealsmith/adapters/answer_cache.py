"""A registry's answers, kept in a folder: one JSON file a hash, each written in one step.

Also that a registry does not know a hash is an answer, kept for a shorter time: seals get published. A file
that cannot be read counts as missing, and is replaced by the next answer.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .civitai import parse_version
from .files import atomic_write

DAY_S = 24 * 3600.0
FOUND_LASTS_S = 30 * DAY_S
MISSING_LASTS_S = DAY_S


@dataclass(frozen=True)
class Kept:
    """One answer from the cache."""

    answer: dict[str, Any] | None
    """None: the registry did not know the hash."""
    asked_at: float
    """Seconds since 1970."""

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be asked again; one from the future is not believed."""
        lasts = MISSING_LASTS_S if self.answer is None else FOUND_LASTS_S
        return 0 <= now - self.asked_at < lasts


class AnswerCache:
    """The answers of the registry at one address, below the folder of all such answers."""

    def __init__(self, folder: Path, url: str):
        self._folder = folder / "registry" / hashlib.sha256(url.encode()).hexdigest()[:16]

    def read(self, digits: str) -> Kept | None:
        """What is kept for a hash (hex digits); None when nothing readable is."""
        try:
            entry = json.loads(self._path(digits).read_bytes())
            answer, asked_at = entry["answer"], float(entry["asked_at"])
            if answer is not None:
                parse_version(answer)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return None
        return Kept(answer, asked_at)

    def write(self, digits: str, kept: Kept) -> None:
        """Raises: OutputError."""
        entry = {"asked_at": kept.asked_at, "answer": kept.answer}
        atomic_write(self._path(digits), json.dumps(entry, indent=1).encode())

    def _path(self, digits: str) -> Path:
        return self._folder / f"{digits.lower()}.json"


def default_cache_folder(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform, home: Path | None = None
) -> Path:
    """Where this system's programs keep what they can get again."""
    home = home or Path.home()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sealsmith" / "cache"
    if platform == "darwin":
        return home / "Library" / "Caches" / "sealsmith"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "sealsmith"
