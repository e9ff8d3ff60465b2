"""Tenants, and how much each may: counted where it is decided, in the database, so that nobody gets more by haste.

What can be derived is not counted: storage is the sum of what there is, so no crash can make it wrong. Pictures are
gone when they are drawn, so that they have a counter a day, raised only while it is below the limit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import cast

from sqlalchemy import Date, Integer, Table, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..errors import ConfigError, ConflictError, MissingError, QuotaError
from .database import Clock, Database
from .ids import new_id
from .paging import check_limit, check_mark
from .tables import NAME_CHARS, ArtefactRow, SealRow, TenantRow, UsageRow
from .values import Page, Quota, Tenant, Usage

USAGE = cast(Table, UsageRow.__table__)
COUNT_MORE = (
    update(USAGE)
    .where(
        USAGE.c.tenant_id == bindparam("tenant"),
        USAGE.c.day == bindparam("today", type_=Date),
        USAGE.c.pictures + bindparam("more", type_=Integer)
        <= select(TenantRow.pictures_a_day).where(TenantRow.id == bindparam("tenant")).scalar_subquery(),
    )
    .values(pictures=USAGE.c.pictures + bindparam("more", type_=Integer))
    .returning(USAGE.c.pictures)
)
"""All that is done for every picture but the first of a day: a row where that day was begun and has room."""


class Tenants:
    """Who there is."""

    def __init__(self, database: Database, clock: Clock):
        self._database, self._clock = database, clock

    def create(self, name: str, quota: Quota | None = None) -> Tenant:
        """A new tenant. Raises: ConfigError, ConflictError for a name that is taken."""
        name, quota = _checked_name(name), _checked_quota(quota or Quota())
        row = TenantRow(id=new_id(), name=name, created=self._clock(), **vars(quota))
        try:
            with self._database.writing() as session:
                session.add(row)
        except IntegrityError as error:
            raise ConflictError(f"there is a tenant {name!r} already", "choose another name") from error
        return tenant_of(row)

    def get(self, tenant: str) -> Tenant:
        """The tenant of this id. Raises: MissingError."""
        with self._database.reading() as session:
            return tenant_of(found_tenant(session, tenant))

    def named(self, name: str) -> Tenant:
        """The tenant of this name. Raises: MissingError."""
        if not name.isprintable():  # nobody is called so, and not every database can be asked
            return tenant_of(_found(None, name))
        with self._database.reading() as session:
            return tenant_of(_found(session.scalar(select(TenantRow).where(TenantRow.name == name)), name))

    def names(self, tenants: Iterable[str]) -> dict[str, str]:
        """What the tenants of these ids are called; of one that is not there, nothing."""
        wanted = select(TenantRow).where(TenantRow.id.in_(set(tenants)))
        with self._database.reading() as session:
            return {row.id: row.name for row in session.scalars(wanted)}

    def list(self) -> tuple[Tenant, ...]:
        """All of them, by name."""
        with self._database.reading() as session:
            return tuple(map(tenant_of, session.scalars(select(TenantRow).order_by(TenantRow.name))))

    def page(self, after: str | None = None, limit: int = 50) -> Page[Tenant]:
        """Part of them, by name; `after`: `next` of the part before. Raises: ConfigError."""
        check_limit(limit)
        wanted = select(TenantRow).order_by(TenantRow.name).limit(limit + 1)
        if after is not None:
            wanted = wanted.where(TenantRow.name > check_mark(after))
        with self._database.reading() as session:
            found = tuple(map(tenant_of, session.scalars(wanted)))
        return Page(found[:limit], found[limit - 1].name if len(found) > limit else None)

    def set_quota(self, tenant: str, quota: Quota) -> Tenant:
        """Raises: MissingError, ConfigError."""
        return self.change_quota(tenant, vars(quota))

    def change_quota(self, tenant: str, changes: Mapping[str, int]) -> Tenant:
        """Some of a quota's fields anew, the others as they are. Raises: MissingError, ConfigError."""
        with self._database.writing() as session:
            row = lock_tenant(session, tenant)
            for name, value in vars(_checked_quota(replace(tenant_of(row).quota, **changes))).items():
                setattr(row, name, value)
            return tenant_of(row)

    def usage(self, tenant: str) -> Usage:
        """What the tenant has used by now. Raises: MissingError."""
        with self._database.reading() as session:
            found_tenant(session, tenant)
            day = session.get(UsageRow, (tenant, self._clock().date()))
            return Usage(day.pictures if day else 0, stored_bytes(session, tenant))

    def take_pictures(self, tenant: str, num_pictures: int) -> None:
        """Counts pictures that are about to be drawn: all of them or, where that is too many, none.

        Raises: QuotaError, with the seconds to midnight in UTC; MissingError.
        """
        if num_pictures < 1:
            raise ConfigError(f"{num_pictures} pictures were asked for", "ask for one or more")
        now = self._clock()
        today = now.date()
        values = {"tenant": tenant, "today": today, "more": num_pictures}
        if self._database.alone(COUNT_MORE, values):
            return
        with self._database.writing() as session:
            limit = found_tenant(session, tenant).pictures_a_day
            insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
            first = insert(UsageRow).values(tenant_id=tenant, day=today, pictures=0)
            session.execute(first.on_conflict_do_nothing())
            if session.scalar(COUNT_MORE, values) is None:
                raise QuotaError(
                    f"{num_pictures} pictures more would be above {limit} a day",
                    "come again after midnight in UTC, or ask for a larger quota",
                    retry_after_s=_seconds_to_midnight(now),
                )

    def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        """Uncounts pictures of today that were not drawn after all."""
        with self._database.writing() as session:
            session.execute(
                update(UsageRow)
                .filter_by(tenant_id=tenant, day=self._clock().date())
                .where(UsageRow.pictures >= num_pictures)
                .values(pictures=UsageRow.pictures - num_pictures)
            )


def found_tenant(session: Session, tenant: str) -> TenantRow:
    """The tenant's row. Raises: MissingError."""
    return _found(session.get(TenantRow, tenant), tenant)


def lock_tenant(session: Session, tenant: str) -> TenantRow:
    """The tenant's row, nobody else's until the transaction ends. Raises: MissingError."""
    row = session.scalar(
        select(TenantRow)
        .where(TenantRow.id == tenant)
        .with_for_update(key_share=True)  # rows may still refer to it
    )
    return _found(row, tenant)


def check_room(session: Session, tenant: str, num_bytes: int) -> None:
    """Makes sure that so much more may be stored; the tenant is locked, so that it stays so until the end.

    Raises: QuotaError, MissingError.
    """
    limit = lock_tenant(session, tenant).storage_bytes
    stored = stored_bytes(session, tenant)
    if stored + num_bytes > limit:
        raise QuotaError(
            f"{num_bytes} bytes more would be above {limit} bytes of storage; {stored} are used",
            "delete what you no longer need, or ask for a larger quota",
        )


def stored_bytes(session: Session, tenant: str) -> int:
    """The size of all that a tenant has here."""
    sizes = (
        session.scalar(select(func.sum(table.size_bytes)).where(table.tenant_id == tenant))
        for table in (SealRow, ArtefactRow)
    )
    return sum(int(size or 0) for size in sizes)


def tenant_of(row: TenantRow) -> Tenant:
    quota = Quota(row.pictures_a_day, row.trainings_at_once, row.storage_bytes)
    return Tenant(row.id, row.name, quota, row.created)


def _found(row: TenantRow | None, tenant: str) -> TenantRow:
    if row is None:
        raise MissingError(f"there is no tenant {tenant[:NAME_CHARS]!r}", "create it first")
    return row


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= NAME_CHARS or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"a tenant cannot be called {name[:NAME_CHARS]!r}", f"give 1 to {NAME_CHARS} printable characters"
        )
    return name


def _checked_quota(quota: Quota) -> Quota:
    for name, value in vars(quota).items():
        if not 0 <= value < 1 << 31 if name != "storage_bytes" else not 0 <= value < 1 << 62:
            raise ConfigError(f"{name} of a quota is {value}", "give 0 or more")
    return quota


def _seconds_to_midnight(now: datetime) -> float:
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return (tomorrow - now).total_seconds()
