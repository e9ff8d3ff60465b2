"""The files behind the rows: content-addressed, written before a row says so and removed after none does any more.

    put     the file -> (in the row's transaction: hold, row)      killed in between: a leftover
    remove  (transaction: row gone) -> drop the file               killed in between: a leftover

Files are shared by all rows of the same content. `hold` and `drop` take turns on one content, so that nobody's row
is left without its file by somebody else's removal. What is left over is found by verify.py.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import LocalStore
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from ..engine.store import path_of
from ..errors import FullError, MissingError, SealsmithError, StoreError
from .database import Database
from .room import is_full
from .tables import ArtefactRow, SealRow

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SEALS, ARTEFACTS = "seals", "artefacts"
"""Folders of the store; whatever else is in it is not ours."""
OUR_PATHS = re.compile(rf"({SEALS}|{ARTEFACTS})/([0-9a-f]{{2}})/(\2[0-9a-f]{{62}})(\.safetensors)?")

log = logging.getLogger(__name__)


def seal_path(digest: str) -> str:
    """Where the engine looks for a seal, too."""
    return path_of(digest)


def artefact_path(digest: str) -> str:
    return f"{ARTEFACTS}/{digest[:2]}/{digest}"


def digest_in(path: str) -> str | None:
    """The digest a path of ours is named by; None for others' paths."""
    match = OUR_PATHS.fullmatch(path)
    if match is None:
        return None
    digest = match[3]
    return digest if path in (seal_path(digest), artefact_path(digest)) else None


class Files:
    """The files of seals and artefacts in an object store. Any thread may use it."""

    def __init__(self, store: "ObjectStore", database: Database):
        self._store, self._database = store, database
        prefix = store.prefix if isinstance(store, LocalStore) else None
        self._folder = None if prefix is None else Path(prefix)

    def put(self, path: str, data: bytes) -> None:
        """Writes a file whole; it stays through a loss of power. Raises: StoreError, FullError.

        Somebody who drops the same content may take it away again at once, until a row holds it.
        """
        with self._mapped(path):
            obstore.put(self._store, path, data)
            if self._folder is not None:
                with suppress(FileNotFoundError):
                    _sync(self._folder / path)

    def read(self, path: str) -> bytes:
        """Raises: MissingError, StoreError."""
        with self._mapped(path):
            return bytes(obstore.get(self._store, path).bytes())

    def size_bytes(self, path: str) -> int | None:
        """How large a file is; None when it is not there. Raises: StoreError."""
        try:
            with self._mapped(path):
                return int(obstore.head(self._store, path)["size"])
        except MissingError:
            return None

    def paths(self) -> Iterator[str]:
        """Every file of ours. Raises: StoreError."""
        for folder in (SEALS, ARTEFACTS):
            with self._mapped(folder):
                for chunk in obstore.list(self._store, folder):
                    yield from (entry["path"] for entry in chunk if digest_in(entry["path"]) is not None)

    def hold(self, session: Session, path: str, data: bytes) -> None:
        """To be called in the transaction of a file's row: the file, put before, is there and stays."""
        self._database.lock(session, path)
        if self.size_bytes(path) != len(data):  # somebody removed it meanwhile
            self.put(path, data)

    def drop(self, path: str) -> bool:
        """Removes a file unless a row needs it; whether it did. To be called when the row is gone for good."""
        with self._database.writing() as session:
            self._database.lock(session, path)
            if self._is_needed(session, path):
                return False
            try:
                with self._mapped(path):
                    obstore.delete(self._store, path)
            except MissingError:
                return False
            return True

    def sweep(self, path: str) -> None:
        """As `drop`, when all that matters is done: a file that cannot be removed now is a leftover."""
        try:
            self.drop(path)
        except SealsmithError as error:
            log.warning("a file is left over, which `sealsmith catalog verify --repair` removes: %s", error)

    def _is_needed(self, session: Session, path: str) -> bool:
        digest = digest_in(path)
        table = SealRow if path.startswith(f"{SEALS}/") else ArtefactRow
        return bool(session.scalar(select(exists().where(table.digest == digest))))

    @contextmanager
    def _mapped(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise MissingError(
                f"the store has lost the file {path!r}", "import it again, or restore the store from a backup"
            ) from error
        except (ObstoreError, OSError, ValueError) as error:
            if is_full(error):
                raise FullError(
                    f"the store has no room left for {path!r}", "try again once whoever runs it has made room"
                ) from error
            raise StoreError(
                f"the store did not do its part for {path!r}: {str(error).partition(chr(10))[0][:200]}",
                "try again; if it stays so, see whether it is reachable and has room",
            ) from error


def _sync(path: Path) -> None:
    """Waits until a file and its name are on the disk; obstore's local store does not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if os.name == "nt":
        return
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
