"""Files of tenants that are no seals: pictures they drew, what they uploaded, what trainings leave beside a seal.

Nobody but their tenant sees them.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..engine.store import digest_of
from ..errors import ConfigError, MissingError
from .database import Clock, Database
from .files import Files, artefact_path
from .ids import new_id
from .paging import read_page
from .tables import NAME_CHARS, ArtefactRow
from .tenants import check_room
from .values import Artefact, ArtefactKind, NewArtefact, Page


class Artefacts:
    """The files of all tenants."""

    def __init__(self, database: Database, files: Files, clock: Clock):
        self._database, self._files, self._clock = database, files, clock

    def add(self, tenant: str, new: NewArtefact) -> Artefact:
        """Keeps a file. Raises: QuotaError, MissingError for the tenant, ConfigError, StoreError, DatabaseError."""
        self.put_files([new])
        with self._database.writing() as session:
            return self.insert(session, tenant, [new])[0]

    def put_files(self, several: Sequence[NewArtefact]) -> None:
        """Stores files ahead of their rows. Raises: StoreError."""
        for new in several:
            self._files.put(artefact_path(digest_of(new.data)), new.data)

    def sweep_files(self, several: Sequence[NewArtefact]) -> None:
        """Takes files away again whose rows did not come about, unless others have the same."""
        self.sweep(digest_of(new.data) for new in several)

    def sweep(self, digests: Iterable[str]) -> None:
        """Removes files of these contents that no row needs any more."""
        for digest in digests:
            self._files.sweep(artefact_path(digest))

    def insert(self, session: Session, tenant: str, several: Sequence[NewArtefact]) -> list[Artefact]:
        """Rows of files that were put, in a transaction in which more than this happens, or nothing.

        Raises: as `add`.
        """
        for new in several:
            _check(new)
        check_room(session, tenant, sum(len(new.data) for new in several))
        rows = [self._row(tenant, new) for new in several]
        session.add_all(rows)
        session.flush()
        for new in sorted(several, key=lambda new: digest_of(new.data)):  # locks in one order, whoever comes
            self._files.hold(session, artefact_path(digest_of(new.data)), new.data)
        return [_artefact(row) for row in rows]

    def of_job(
        self, session: Session, tenant: str, job: str, kind: ArtefactKind, name: str
    ) -> Artefact | None:
        """The artefact of that kind and name that a job has made; None: there is none."""
        row = session.scalar(
            select(ArtefactRow).filter_by(tenant_id=tenant, job_id=job, kind=kind.value, name=name)
        )
        return None if row is None else _artefact(row)

    def get(self, tenant: str, artefact: str) -> Artefact:
        """The tenant's artefact of this id. Raises: MissingError."""
        with self._database.reading() as session:
            return _artefact(_own(session, tenant, artefact))

    def read(self, tenant: str, artefact: str) -> bytes:
        """Its content. Raises: MissingError, StoreError."""
        return self._files.read(artefact_path(self.get(tenant, artefact).digest))

    def page(
        self,
        tenant: str,
        kind: ArtefactKind,
        job: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Artefact]:
        """The tenant's artefacts of a kind, newest first; `job`: of this one only. Raises: ConfigError."""
        wanted = select(ArtefactRow).filter_by(tenant_id=tenant, kind=kind.value)
        if job is not None:
            wanted = wanted.filter_by(job_id=job)
        with self._database.reading() as session:
            return read_page(session, wanted, ArtefactRow.number, after, limit, _artefact)

    def delete(self, tenant: str, artefact: str) -> None:
        """Removes it, and then its file if no other artefact has the same. Raises: MissingError."""
        with self._database.writing() as session:
            digests = self.remove(session, tenant, [artefact])
        self.sweep(digests)

    def remove(self, session: Session, tenant: str, several: Iterable[str]) -> list[str]:
        """Removes rows in a transaction in which more than this happens, or nothing; says what to sweep after it.

        Raises: MissingError.
        """
        rows = [_own(session, tenant, artefact) for artefact in several]
        for row in rows:
            session.delete(row)
        return [row.digest for row in rows]

    def remove_of_job(self, session: Session, tenant: str, job: str) -> list[str]:
        """As `remove`, of all that a job has made, however much that is."""
        theirs = delete(ArtefactRow).where(ArtefactRow.tenant_id == tenant, ArtefactRow.job_id == job)
        return list(dict.fromkeys(session.scalars(theirs.returning(ArtefactRow.digest))))

    def _row(self, tenant: str, new: NewArtefact) -> ArtefactRow:
        return ArtefactRow(
            id=new_id(),
            tenant_id=tenant,
            kind=new.kind.value,
            job_id=new.job,
            name=new.name,
            media_type=new.media_type,
            digest=digest_of(new.data),
            size_bytes=len(new.data),
            about=dict(new.about),
            created=self._clock(),
        )


def _own(session: Session, tenant: str, artefact: str) -> ArtefactRow:
    row = session.scalar(select(ArtefactRow).filter_by(id=artefact, tenant_id=tenant))
    if row is None:
        raise MissingError(f"there is no file {artefact[:NAME_CHARS]!r}", "list yours to see what there is")
    return row


def _check(new: NewArtefact) -> None:
    for name in ("name", "media_type"):
        value = getattr(new, name)
        if len(value) > NAME_CHARS or "\0" in value:
            raise ConfigError(
                f"the file's {name} is {value[:80]!r}, {len(value)} characters long",
                f"give at most {NAME_CHARS}",
            )


def _artefact(row: ArtefactRow) -> Artefact:
    return Artefact(
        id=row.id,
        tenant=row.tenant_id,
        kind=ArtefactKind(row.kind),
        name=row.name,
        media_type=row.media_type,
        digest=row.digest,
        size_bytes=row.size_bytes,
        about=row.about,
        job=row.job_id,
        created=row.created,
    )
