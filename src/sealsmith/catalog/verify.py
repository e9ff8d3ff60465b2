"""Does what the rows say and what the store holds agree? What a crash can leave are files that no row needs.

Safe while others work: a file without a row may be one whose row comes in a moment, and removing it costs its owner
nothing but a second upload (files.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, text

from ..engine.store import digest_of
from ..errors import MissingError
from .database import Database
from .files import Files, artefact_path, seal_path
from .tables import ArtefactRow, SealRow

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Lost:
    """A row whose file is not what it should be."""

    tenant: str
    path: str
    why: str
    """"missing", "cut short" or "damaged"."""


@dataclass(frozen=True)
class Verification:
    """What was found, and done about it."""

    num_rows: int
    leftovers: tuple[str, ...]
    """Files in the store that no row needs."""
    num_removed: int
    """How many of them are gone now."""
    lost: tuple[Lost, ...]
    """What only its owner, by importing it again, or a backup can bring back."""
    complaints: tuple[str, ...]
    """The database's own, about itself."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong any more."""
        return not self.lost and not self.complaints and self.num_removed == len(self.leftovers)


def verify(database: Database, files: Files, *, repair: bool = False, deep: bool = False) -> Verification:
    """Compares rows and files. `repair` removes leftovers; `deep` reads every file and proves its hash.

    Raises: StoreError, DatabaseError.
    """
    found = set(files.paths())
    num_rows, needed, lost = 0, set[str](), list[Lost]()
    for tenant, path, digest, size_bytes in _needed(database):
        num_rows += 1
        why = None if path in needed and not deep else _fault(files, path, digest, size_bytes, deep)
        needed.add(path)
        if why:
            lost.append(Lost(tenant, path, why))
    leftovers = tuple(sorted(found - needed))
    num_removed = sum(files.drop(path) for path in leftovers) if repair else 0
    return Verification(num_rows, leftovers, num_removed, tuple(lost), tuple(_complaints(database)))


def _needed(database: Database) -> Iterator[tuple[str, str, str, int]]:
    """Tenant, path, digest and size of every row's file, some rows a transaction."""
    for table, path_of in ((SealRow, seal_path), (ArtefactRow, artefact_path)):
        last = 0
        while True:
            wanted = select(table.number, table.tenant_id, table.digest, table.size_bytes)
            wanted = wanted.where(table.number > last).order_by(table.number).limit(ROWS_AT_ONCE)
            with database.reading() as session:
                rows = session.execute(wanted).all()
            if not rows:
                break
            for number, tenant, digest, size_bytes in rows:
                last = number
                yield tenant, path_of(digest), digest, size_bytes


def _fault(files: Files, path: str, digest: str, size_bytes: int, deep: bool) -> str | None:
    actual = files.size_bytes(path)
    if actual is None:
        return "missing"
    if actual != size_bytes:
        return "cut short" if actual < size_bytes else "damaged"
    if not deep:
        return None
    try:
        return None if digest_of(files.read(path)) == digest else "damaged"
    except MissingError:
        return "missing"


def _complaints(database: Database) -> Iterator[str]:
    if not database.is_sqlite:
        return  # PostgreSQL proves its pages and constraints itself
    with database.reading() as session:
        for (line,) in session.execute(text("PRAGMA integrity_check")):
            if line != "ok":
                yield str(line)
        for table, number, parent, _ in session.execute(text("PRAGMA foreign_key_check")):
            yield f"row {number} of {table} refers to nothing in {parent}"
