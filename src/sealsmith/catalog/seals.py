"""Whose seals there are, and who may use which.

A seal is its owner's, its content's and its base's: the same file that two tenants import is two seals, and neither
learns of the other. It is private unless its owner grants it. `usable` is asked on every request, before any cache.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, undefer

from ..adapters.hashes import tensor_hash
from ..engine.store import MAX_SEAL_BYTES, check_digest, digest_of, is_digest
from ..errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    SealExistsError,
    SealMissingError,
    SealSizeError,
    SealsmithError,
)
from .database import Clock, Database
from .files import Files, seal_path
from .paging import read_page
from .tables import DIGEST_CHARS, NAME_CHARS, GrantRow, SealRow
from .tenants import check_room, found_tenant, lock_tenant
from .values import Page, SealFacts, SealRecord, SealSearch, UsableSeal

MIN_HASH_CHARS = 6
"""So much of a hash, and nothing else, is taken for one in a search."""
MAX_THUMBNAIL_CHARS = 256 << 10


class _Named(Protocol):
    """A seal's row, or part of one."""

    @property
    def digest(self) -> str: ...
    @property
    def tenant_id(self) -> str: ...


_Found = TypeVar("_Found", bound=_Named)


class Seals:
    """The seals of all tenants."""

    def __init__(self, database: Database, files: Files, clock: Clock):
        self._database, self._files, self._clock = database, files, clock

    def add(self, tenant: str, data: bytes, facts: SealFacts, *, by_name: bool = False) -> SealRecord:
        """Keeps a seal file that has been checked; one that is there already stays as it was, its file healed.

        `by_name`: only where the name will mean this one of the tenant's seals, and no other name does.
        Raises: QuotaError, SealSizeError, MissingError for the tenant, ConfigError, StoreError, DatabaseError;
        SealExistsError for a name or a file that is taken, with `by_name`.
        """
        digest = self.put_file(data)
        try:
            with self._database.writing() as session:
                if by_name:
                    lock_tenant(session, tenant)
                    _check_name(session, tenant, digest, facts)
                return self.insert(session, tenant, data, facts)
        except SealsmithError:
            self._files.sweep(seal_path(digest))  # what is refused leaves nothing
            raise

    def put_file(self, data: bytes) -> str:
        """Stores a seal's file ahead of its row; its digest. Raises: SealSizeError, StoreError."""
        if len(data) > MAX_SEAL_BYTES:
            raise SealSizeError(f"the seal is {len(data)} bytes large", f"give at most {MAX_SEAL_BYTES}")
        digest = digest_of(data)
        self._files.put(seal_path(digest), data)  # also where it is already: it may be damaged there
        return digest

    def insert(self, session: Session, tenant: str, data: bytes, facts: SealFacts) -> SealRecord:
        """The row of a seal whose file was put, in a transaction in which more than this happens, or nothing.

        Raises: as `add`.
        """
        _check_facts(facts)
        digest = digest_of(data)
        lock_tenant(session, tenant)
        row = session.scalar(_owned(tenant, digest, facts.base_digest))
        if row is None:
            check_room(session, tenant, len(data))
            card = None if facts.scorecard is None else dict(facts.scorecard)
            row = SealRow(
                tenant_id=tenant,
                digest=digest,
                tensors_digest=tensor_hash(data),
                size_bytes=len(data),
                created=self._clock(),
                verdict=_verdict(card),
                scorecard=card,
                **{key: value for key, value in vars(facts).items() if key != "scorecard"},
            )
            session.add(row)
            session.flush()
        row.tensors_digest = row.tensors_digest or tensor_hash(data)
        self._files.hold(session, seal_path(digest), data)
        return _record(row)

    def usable(self, tenant: str, digest: str, base_digest: str | None = None) -> SealRecord:
        """The seal of this content that the tenant may use now: its own, else one granted to it.

        `base_digest`: the base it is to be for; None: any.
        Raises: SealMissingError, the same whether there is none or it is somebody else's; DatabaseError.
        """
        check_digest(digest)
        wanted = _visible(tenant).where(SealRow.digest == digest)
        if base_digest is not None:
            wanted = wanted.where(SealRow.base_digest == base_digest)
        with self._database.reading() as session:
            rows = sorted(session.scalars(wanted), key=lambda row: (row.tenant_id != tenant, row.number))
            if not rows:
                raise _missing(digest)
            return _record(rows[0])

    def named(self, tenant: str, name: str) -> SealRecord:
        """The seal of this name that the tenant may use now: its own, else one granted to it.

        Raises: SealMissingError; ConflictError where the name means several.
        """
        with self._database.reading() as session:
            wanted = _visible(tenant).where(SealRow.name == name).order_by(SealRow.number)
            return _record(_meant(session.scalars(wanted).all(), tenant, name))

    def to_draw(self, tenant: str, name: str) -> UsableSeal:
        """The seal that this name means as `named` says, or of this digest; what every picture asks, and no more.

        Raises: SealMissingError, the same whether there is none or it is somebody else's; ConflictError where the
        name means several.
        """
        return _usable(self._database.alone(*_asked_to_draw(tenant, name)), tenant, name)

    def to_draw_at_once(self, tenant: str, name: str) -> UsableSeal | None:
        """As `to_draw`, by whoever must not wait; None: ask that, it may take long."""
        rows = self._database.at_once(*_asked_to_draw(tenant, name))
        return None if rows is None else _usable(rows, tenant, name)

    def page(
        self, tenant: str, search: SealSearch | str = "", after: str | None = None, limit: int = 50
    ) -> Page[SealRecord]:
        """The seals a tenant may use, newest first, that `search` finds; plain text is looked for as its `text`.

        Raises: ConfigError.
        """
        search = SealSearch(search) if isinstance(search, str) else search
        wanted = _visible(tenant).where(*_conditions(search))
        with self._database.reading() as session:
            return read_page(session, wanted, SealRow.number, after, limit, _record)

    def thumbnail(self, tenant: str, digest: str) -> str:
        """The small picture of a seal the tenant may use, "data:image/jpeg;base64,..."; or nothing.

        Raises: SealMissingError.
        """
        owner = self.usable(tenant, digest)
        with self._database.reading() as session:
            row = session.scalar(
                _owned(owner.tenant, digest, owner.base_digest).options(undefer(SealRow.thumbnail))
            )
            return row.thumbnail if row is not None else ""

    def read(self, tenant: str, digest: str) -> bytes:
        """The file of a seal the tenant may use. Raises: SealMissingError, StoreError; MissingError: it is lost."""
        return self._files.read(seal_path(self.usable(tenant, digest).digest))

    def set_scorecard(
        self, tenant: str, digest: str, base_digest: str, scorecard: Mapping[str, Any]
    ) -> SealRecord:
        """One's own seal with what was measured later. Raises: SealMissingError, ForbiddenError."""
        with self._database.writing() as session:
            _own(session, tenant, digest, base_digest)  # or it is said why not
            row = write_scorecard(session, tenant, digest, base_digest, scorecard)
            assert row is not None
            return _record(row)

    def rename(self, tenant: str, digest: str, base_digest: str, name: str) -> SealRecord:
        """One's own seal under a name that no other of one's seals has.

        Raises: SealMissingError, ForbiddenError, SealExistsError, ConfigError.
        """
        with self._database.writing() as session:
            lock_tenant(session, tenant)
            row = _own(session, tenant, digest, base_digest)
            _check_text("name", name)
            same = select(SealRow).filter_by(tenant_id=tenant, name=name).where(SealRow.number != row.number)
            if (other := session.scalar(same)) is not None:
                raise _taken(name, other.digest)
            row.name = name
            return _record(row)

    def grant(self, tenant: str, digest: str, base_digest: str, to: str) -> None:
        """Lets another tenant use one's own seal; to grant it again changes nothing.

        Raises: SealMissingError, ForbiddenError, MissingError for the other tenant; ConfigError for oneself.
        """
        if to == tenant:
            raise ConfigError("a seal cannot be shared with its owner", "name another tenant")
        insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
        with self._database.writing() as session:
            found_tenant(session, to)
            row = _own(session, tenant, digest, base_digest, stays=True)
            values = {"seal_number": row.number, "tenant_id": to, "created": self._clock()}
            session.execute(insert(GrantRow).values(**values).on_conflict_do_nothing())

    def ungrant(self, tenant: str, digest: str, base_digest: str, to: str) -> None:
        """Takes that back, from the next request on. Raises: SealMissingError, ForbiddenError."""
        with self._database.writing() as session:
            row = _own(session, tenant, digest, base_digest)
            session.execute(
                delete(GrantRow).where(GrantRow.seal_number == row.number, GrantRow.tenant_id == to)
            )

    def decline(self, tenant: str, digest: str) -> None:
        """Gives up what was granted to oneself: the seals of this content that are others', whoever they are.

        Raises: SealMissingError where there is none that one may use.
        """
        check_digest(digest)
        with self._database.writing() as session:
            if session.scalar(_visible(tenant).where(SealRow.digest == digest)) is None:
                raise _missing(digest)
            these = select(SealRow.number).where(SealRow.digest == digest)
            session.execute(
                delete(GrantRow).where(GrantRow.tenant_id == tenant, GrantRow.seal_number.in_(these))
            )

    def grants(self, tenant: str, digest: str, base_digest: str) -> tuple[str, ...]:
        """Ids of the tenants that one's own seal is shared with. Raises: SealMissingError, ForbiddenError."""
        with self._database.reading() as session:
            row = _own(session, tenant, digest, base_digest)
            shared = select(GrantRow.tenant_id).where(GrantRow.seal_number == row.number)
            return tuple(session.scalars(shared.order_by(GrantRow.created, GrantRow.tenant_id)))

    def delete(self, tenant: str, digest: str, base_digest: str) -> None:
        """Removes one's own seal for everybody, and then its file if no other seal has the same.

        Raises: SealMissingError; ForbiddenError for one that is only shared with the tenant.
        """
        with self._database.writing() as session:
            lock_tenant(session, tenant)
            session.delete(_own(session, tenant, digest, base_digest))
        self._files.sweep(seal_path(digest))


def write_scorecard(
    session: Session, tenant: str, digest: str, base_digest: str, scorecard: Mapping[str, Any]
) -> SealRow | None:
    """What was measured, written to one's own seal; None where it is not, or no longer, the tenant's own."""
    row = session.scalar(_owned(tenant, digest, base_digest))
    if row is not None:
        row.scorecard, row.verdict = dict(scorecard), _verdict(scorecard)
    return row


def check_name_free(session: Session, tenant: str, name: str) -> None:
    """Raises: SealExistsError when one of the tenant's own seals is called so."""
    if (other := session.scalar(select(SealRow).filter_by(tenant_id=tenant, name=name))) is not None:
        raise _taken(name, other.digest)


def free_name(session: Session, tenant: str, digest: str, name: str) -> str:
    """The name, numbered where another of the tenant's own seals has it: "zwx", "zwx-2", "zwx-3".

    The tenant is locked, so that it stays free until the transaction ends. Raises: MissingError.
    """
    lock_tenant(session, tenant)
    others = select(SealRow.name).where(SealRow.tenant_id == tenant, SealRow.digest != digest)
    taken = set(session.scalars(others))
    numbered, number = name, 1
    while numbered in taken:
        number += 1
        end = f"-{number}"
        numbered = name[: NAME_CHARS - len(end)] + end
    return numbered


def _owned(tenant: str, digest: str, base_digest: str) -> Select[SealRow]:
    return select(SealRow).filter_by(tenant_id=tenant, digest=digest, base_digest=base_digest)


def _is_visible(tenant: str | ColumnElement[str]) -> ColumnElement[bool]:
    """The one place that says which seals a tenant may use."""
    granted = exists().where(GrantRow.seal_number == SealRow.number, GrantRow.tenant_id == tenant)
    return or_(SealRow.tenant_id == tenant, granted)


def _visible(tenant: str) -> Select[SealRow]:
    return select(SealRow).where(_is_visible(tenant))


TO_DRAW = (
    select(SealRow.digest, SealRow.name, SealRow.trigger, SealRow.tenant_id)
    .where(_is_visible(bindparam("tenant")))
    .order_by(SealRow.number)
)
TO_DRAW_NAMED = TO_DRAW.where(SealRow.name == bindparam("name"))
TO_DRAW_BY_DIGEST = TO_DRAW.where(SealRow.digest == bindparam("name"))


def _asked_to_draw(tenant: str, name: str) -> tuple[Executable, dict[str, str]]:
    """What asks for the seals that this name or digest may mean to a tenant who draws."""
    wanted = TO_DRAW_BY_DIGEST if is_digest(name) else TO_DRAW_NAMED
    return wanted, {"tenant": tenant, "name": name}


def _usable(rows: Sequence[Row[Any]], tenant: str, name: str) -> UsableSeal:
    """Raises: as `_meant`."""
    meant: Any = _meant(rows, tenant, name)
    return UsableSeal(meant.digest, meant.name, meant.trigger)


def _meant(rows: Sequence[_Found], tenant: str, name: str) -> _Found:
    """Which of the seals that a name may mean it does: one's own, else one granted.

    Raises: SealMissingError; ConflictError where it means several.
    """
    found = [row for row in rows if row.tenant_id == tenant] or rows
    if not found:
        raise SealMissingError(f"there is no seal {name[:80]!r}", "list yours, or ask its owner to share it")
    if len({row.digest for row in found}) > 1:
        digests = ", ".join(row.digest[:12] for row in found)
        raise ConflictError(
            f"{len(found)} seals are called {name!r}: {digests}", "name one by its whole digest"
        )
    return found[0]


def _own(session: Session, tenant: str, digest: str, base_digest: str, stays: bool = False) -> SealRow:
    """`stays`: nobody may delete it until the transaction ends."""
    check_digest(digest)
    wanted = _owned(tenant, digest, base_digest)
    row = session.scalar(wanted.with_for_update(read=True, key_share=True) if stays else wanted)
    if row is not None:
        return row
    shared = _visible(tenant).where(and_(SealRow.digest == digest, SealRow.base_digest == base_digest))
    if session.scalar(shared) is None:
        raise _missing(digest)
    raise ForbiddenError(f"the seal {digest[:12]} is not yours, only shared with you", "ask its owner")


def _check_name(session: Session, tenant: str, digest: str, facts: SealFacts) -> None:
    """Raises: SealExistsError when the tenant has another seal of that name, or that seal by another name."""
    for row in session.scalars(
        select(SealRow).where(
            SealRow.tenant_id == tenant, or_(SealRow.name == facts.name, SealRow.digest == digest)
        )
    ):
        if row.digest != digest:
            raise _taken(facts.name, row.digest)
        if row.name != facts.name:
            raise SealExistsError(
                f"this file is your seal {row.name[:80]!r} already", "use it by that name, or remove it first"
            )


def _taken(name: str, digest: str) -> SealExistsError:
    return SealExistsError(
        f"another seal is called {name!r} already: {digest[:12]}",
        "give another name, or remove that one first",
    )


def _conditions(search: SealSearch) -> Iterator[Any]:
    """Raises: ConfigError for what can be in no seal."""
    for value in (search.text, search.trigger, search.hash):
        if not value.isprintable():
            raise ConfigError(f"nothing is called {value[:80]!r}", "search for printable characters")
    if text := search.text.strip():
        yield _matches(text)
    if search.trigger:
        yield func.lower(SealRow.trigger) == search.trigger.lower()
    if begin := search.hash.lower():
        hashes = (SealRow.digest, SealRow.tensors_digest)
        yield or_(*(column.startswith(begin, autoescape=True) for column in hashes))


def _matches(search: str) -> Any:
    """Trigger, name or title contain the words, whatever the case; or the hash begins so."""
    text = search[:NAME_CHARS].lower()
    columns = (SealRow.trigger, SealRow.name, SealRow.title)
    found = [func.lower(column).contains(text, autoescape=True) for column in columns]
    if MIN_HASH_CHARS <= len(text) <= DIGEST_CHARS and not set(text) - set("0123456789abcdef"):
        found.append(SealRow.digest.startswith(text))
    return or_(*found)


def _check_facts(facts: SealFacts) -> None:
    for name in ("name", "trigger", "class_noun", "method", "family"):
        _check_text(name, getattr(facts, name))
    for name in ("title", "base"):
        if "\0" in getattr(facts, name):
            raise ConfigError(f"the seal's {name} holds a character that is none", "write it anew without")
    if len(facts.base_digest) > 2 * DIGEST_CHARS or "\0" in facts.base_digest:
        raise ConfigError(f"the seal's base is {facts.base_digest[:80]!r}", "name it by its digest")
    if len(facts.thumbnail) > MAX_THUMBNAIL_CHARS:
        raise ConfigError(
            f"the seal's thumbnail has {len(facts.thumbnail)} characters",
            f"give at most {MAX_THUMBNAIL_CHARS}",
        )


def _check_text(name: str, value: str) -> None:
    if len(value) > NAME_CHARS or "\0" in value:
        raise ConfigError(
            f"the seal's {name} is {value[:80]!r}, {len(value)} characters long",
            f"give at most {NAME_CHARS}",
        )


def _verdict(scorecard: Mapping[str, Any] | None) -> str | None:
    verdict = None if scorecard is None else scorecard.get("verdict")
    return None if verdict is None else str(verdict)[:NAME_CHARS]


def _missing(digest: str) -> SealMissingError:
    return SealMissingError(f"there is no seal {digest[:12]}", "import it, or ask its owner to share it")


def _record(row: SealRow) -> SealRecord:
    return SealRecord(
        tenant=row.tenant_id,
        digest=row.digest,
        base_digest=row.base_digest,
        name=row.name,
        trigger=row.trigger,
        class_noun=row.class_noun,
        method=row.method,
        family=row.family,
        title=row.title,
        base=row.base,
        rank=row.rank,
        num_layers=row.num_layers,
        size_bytes=row.size_bytes,
        created=row.created,
        verdict=row.verdict,
        scorecard=row.scorecard,
        has_thumbnail=row.has_thumbnail,
    )
