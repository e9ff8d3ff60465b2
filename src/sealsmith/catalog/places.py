"""Where a server keeps what it keeps: one folder, unless the settings name a database or a store elsewhere."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from ..errors import OutputError


@dataclass(frozen=True)
class Places:
    """The addresses of a catalog, and the folder of its jobs."""

    database: SecretStr
    store: str
    work: Path
    """For what jobs go on from."""


def places(
    data: Path | None = None, database: SecretStr | str | None = None, store: str | None = None
) -> Places:
    """What is given, and the rest in the folder `data`, which is made: None is this user's own.

    Raises: OutputError when the folder cannot be.
    """
    folder = (data or default_data_folder()).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot use the folder {str(folder)!r}: {error.strerror}", "name another one with --data"
        ) from error
    address = database or f"sqlite:///{folder / 'catalog.db'}"
    return Places(
        database=address if isinstance(address, SecretStr) else SecretStr(address),
        store=store or (folder / "store").as_uri(),
        work=folder / "work",
    )


def default_data_folder(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform, home: Path | None = None
) -> Path:
    """Where this system's programs keep what must not be lost."""
    home = home or Path.home()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "sealsmith" / "data"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "sealsmith"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "sealsmith"
