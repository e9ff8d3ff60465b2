"""API keys: `seal_<id>_<secret>`. The secret has 256 bits, is shown once and kept as its SHA-256.

A password needs a slow hash because people choose it; 256 random bits cannot be guessed however fast the hash is.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Row, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from ..errors import AuthError, ConfigError, ConflictError, DatabaseError, FullError, MissingError
from .database import Clock, Database
from .ids import new_key_id
from .paging import check_limit, check_mark, no_mark
from .tables import NAME_CHARS, KeyRow
from .tenants import lock_tenant
from .values import Key, NewKey, Page, Scope

SECRET_BYTES = 32
LAST_USED_STEP = timedelta(minutes=1)
"""A key's last use is written down at most so often: not every request should write."""
MAX_ASKED = 500
"""Keys that one question is about."""
NOBODY = "0" * 64
"""What a token is compared with when there is no such key, so that both take equally long."""
KEYS = KeyRow.__table__
KEY = select(KEYS).where(KEYS.c.id == bindparam("key"))
"""What every request asks first."""

log = logging.getLogger(__name__)


class Keys:
    """Who may ask, and for what."""

    def __init__(self, database: Database, clock: Clock):
        self._database, self._clock = database, clock

    def create(
        self, tenant: str, scopes: Iterable[Scope], name: str = "", lasts: timedelta | None = None
    ) -> NewKey:
        """A new key; `lasts`: None, it does not expire. Raises: MissingError, ConfigError."""
        wanted = frozenset(Scope(scope) for scope in scopes)
        if not wanted:
            raise ConfigError("a key without a scope is good for nothing", f"give some of {', '.join(Scope)}")
        if len(name) > NAME_CHARS or not name.isprintable():
            raise ConfigError(
                f"a key cannot be called {name[:NAME_CHARS]!r}",
                f"give at most {NAME_CHARS} printable characters",
            )
        if lasts is not None and lasts <= timedelta(0):
            raise ConfigError(f"a key that lasts {lasts} is of no use", "give a time above 0")
        now = self._clock()
        with self._database.writing() as session:
            lock_tenant(session, tenant)
            return _add(session, tenant, ",".join(sorted(wanted)), name, now, now + lasts if lasts else None)

    def list(self, tenant: str | None = None) -> tuple[Key, ...]:
        """The keys of a tenant, or all, oldest first; expired and revoked ones too."""
        wanted = select(KeyRow).order_by(KeyRow.created, KeyRow.id)
        if tenant is not None:
            wanted = wanted.where(KeyRow.tenant_id == tenant)
        with self._database.reading() as session:
            return tuple(map(_key, session.scalars(wanted)))

    def page(self, tenant: str | None = None, after: str | None = None, limit: int = 50) -> Page[Key]:
        """Part of a tenant's keys, or of all, the newest first; `after`: `next` of the part before.

        Raises: ConfigError for a limit or a mark that is none.
        """
        check_limit(limit)
        wanted = select(KeyRow).order_by(KeyRow.created.desc(), KeyRow.id.desc()).limit(limit + 1)
        if tenant is not None:
            wanted = wanted.where(KeyRow.tenant_id == tenant)
        with self._database.reading() as session:
            if after is not None:
                last = session.get(KeyRow, check_mark(after).removeprefix(prefix_of("")))
                if last is None:
                    raise no_mark(after)
                same = and_(KeyRow.created == last.created, KeyRow.id < last.id)
                wanted = wanted.where(or_(KeyRow.created < last.created, same))
            found = tuple(map(_key, session.scalars(wanted)))
        return Page(found[:limit], found[limit - 1].prefix if len(found) > limit else None)

    def rotate(self, key: str, keep_old: timedelta = timedelta(0)) -> NewKey:
        """Another key of the same tenant, scopes, name and expiry; the old one is valid for `keep_old`.

        Raises: MissingError; ConflictError for a key that is not valid any more.
        """
        now = self._clock()
        with self._database.writing() as session:
            old = _found(session, key)
            if not _is_valid(old, now):
                raise ConflictError(
                    f"the key {prefix_of(key)} is not valid any more", "create a new one instead"
                )
            new = _add(session, old.tenant_id, old.scopes, old.name, now, old.expires)
            if keep_old > timedelta(0):
                old.expires = min(now + keep_old, old.expires or now + keep_old)
            else:
                old.revoked = now
            return new

    def revoke(self, key: str) -> Key:
        """Ends a key, from the next request on; to revoke it again changes nothing. Raises: MissingError."""
        with self._database.writing() as session:
            row = _found(session, key)
            row.revoked = row.revoked or self._clock()
            return _key(row)

    def authenticate(self, token: str) -> Key:
        """The key that this token is. Raises: AuthError, which never says why it is not valid."""
        now = self._clock()
        row = _proven(self._database.alone(KEY, {"key": _id_in(token)}), token, now)
        if _is_use_news(row, now):
            self._note_use(row.id, now)
        return _key(row)

    def authenticate_at_once(self, token: str) -> Key | None:
        """As `authenticate`, by whoever must not wait; None: ask that, it may take long."""
        now = self._clock()
        rows = self._database.at_once(KEY, {"key": _id_in(token)})
        if rows is None:
            return None
        row = _proven(rows, token, now)
        return None if _is_use_news(row, now) else _key(row)

    def still_valid(self, keys: Iterable[str]) -> tuple[Key, ...]:
        """Those of keys, by how they begin, that are valid now: for whoever has shown the whole key before."""
        now, ids = self._clock(), [key.removeprefix(prefix_of("")) for key in keys]
        found: list[Key] = []
        with self._database.reading() as session:
            for start in range(0, len(ids), MAX_ASKED):
                rows = session.scalars(select(KeyRow).where(KeyRow.id.in_(ids[start : start + MAX_ASKED])))
                found += [_key(row) for row in rows if _is_valid(row, now)]
        return tuple(found)

    def _note_use(self, key: str, now: datetime) -> None:
        """Writes down that a key was used. A database that takes nothing keeps nobody out who only reads."""
        try:
            with self._database.writing() as session:
                session.execute(update(KeyRow).where(KeyRow.id == key).values(last_used=now))
        except (DatabaseError, FullError) as error:
            log.warning("the last use of %s is not noted: %s", prefix_of(key), error)


def _proven(rows: Sequence[Row[Any]], token: str, now: datetime) -> Row[Any]:
    """The row of this token's key. Raises: AuthError."""
    row = next(iter(rows), None)
    expected = NOBODY if row is None else row.secret_hash
    is_right = hmac.compare_digest(_hash_of(token), expected)
    if row is None or not is_right or not _is_valid(row, now):
        raise AuthError("there is no valid key with this request", "send one that is valid")
    return row


def _is_use_news(row: Row[Any], now: datetime) -> bool:
    """Whether it is to be written down that the key is used."""
    return row.last_used is None or now - row.last_used >= LAST_USED_STEP


def prefix_of(key: str) -> str:
    """How the key of this id begins."""
    return f"seal_{key}"


def _add(
    session: Session, tenant: str, scopes: str, name: str, now: datetime, expires: datetime | None
) -> NewKey:
    key = new_key_id()
    token = f"{prefix_of(key)}_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = KeyRow(
        id=key,
        tenant_id=tenant,
        secret_hash=_hash_of(token),
        scopes=scopes,
        name=name,
        created=now,
        expires=expires,
    )
    session.add(row)
    return NewKey(_key(row), SecretStr(token))


def _id_in(token: str) -> str:
    """The part of a token that names its key; of what is no token, nothing that could be one."""
    parts = token.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "seal" and parts[1].isalnum() else ""


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _is_valid(row: KeyRow | Row[Any], now: datetime) -> bool:
    return row.revoked is None and (row.expires is None or now < row.expires)


def _found(session: Session, key: str) -> KeyRow:
    row = session.get(KeyRow, key.removeprefix(prefix_of("")), with_for_update=True)
    if row is None:
        raise MissingError(f"there is no key {key[:NAME_CHARS]!r}", "`sealsmith keys list` shows all")
    return row


def _key(row: KeyRow | Row[Any]) -> Key:
    return Key(
        id=row.id,
        tenant=row.tenant_id,
        prefix=prefix_of(row.id),
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split(",")),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        last_used=row.last_used,
    )
