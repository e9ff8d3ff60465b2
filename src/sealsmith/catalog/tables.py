"""The catalog's tables, as SQLAlchemy maps them. Rows stay in this room: what leaves it are values (values.py).

Every table of something that is listed has `number`, which grows: lists are paged by it.
Not for: the tables of jobs (jobs/tables.py), which share `Row`.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows by itself only in an INTEGER."""
ID_CHARS, DIGEST_CHARS, NAME_CHARS = 32, 64, 200


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, on databases that know time zones and on those that do not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "a time without a zone"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Row(DeclarativeBase):
    """A row of any table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012 - SQLAlchemy's


class TenantRow(Row):
    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(String(ID_CHARS), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS), unique=True)
    pictures_a_day: Mapped[int]
    trainings_at_once: Mapped[int]
    storage_bytes: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime]


class UsageRow(Row):
    """What a tenant drew on one day in UTC."""

    __tablename__ = "usage"
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    pictures: Mapped[int]


class KeyRow(Row):
    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(ID_CHARS), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(DIGEST_CHARS))
    scopes: Mapped[str] = mapped_column(String(NAME_CHARS))
    """Comma-separated."""
    name: Mapped[str] = mapped_column(String(NAME_CHARS))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class SealRow(Row):
    __tablename__ = "seals"
    number: Mapped[int] = mapped_column(Number, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    digest: Mapped[str] = mapped_column(String(DIGEST_CHARS), index=True)
    tensors_digest: Mapped[str] = mapped_column(String(DIGEST_CHARS), index=True, server_default="")
    """SHA-256 of the file behind its header; empty: brought before this was kept, and not since."""
    base_digest: Mapped[str] = mapped_column(String(DIGEST_CHARS * 2))
    name: Mapped[str] = mapped_column(String(NAME_CHARS))
    trigger: Mapped[str] = mapped_column(String(NAME_CHARS))
    class_noun: Mapped[str] = mapped_column(String(NAME_CHARS))
    method: Mapped[str] = mapped_column(String(NAME_CHARS))
    family: Mapped[str] = mapped_column(String(NAME_CHARS))
    title: Mapped[str] = mapped_column(Text, server_default="")
    base: Mapped[str] = mapped_column(Text, server_default="")
    rank: Mapped[int] = mapped_column(server_default="0")
    num_layers: Mapped[int] = mapped_column(server_default="0")
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime]
    verdict: Mapped[str | None] = mapped_column(String(NAME_CHARS))
    scorecard: Mapped[dict[str, Any] | None]
    thumbnail: Mapped[str] = mapped_column(Text, deferred=True)
    has_thumbnail: Mapped[bool] = column_property(thumbnail != "")
    __table_args__ = (
        UniqueConstraint("tenant_id", "digest", "base_digest"),
        Index("ix_seals_tenant_id_number", "tenant_id", "number"),
    )


class GrantRow(Row):
    """One tenant's leave to use another's seal."""

    __tablename__ = "grants"
    seal_number: Mapped[int] = mapped_column(ForeignKey("seals.number", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True, index=True)
    created: Mapped[datetime]


class ArtefactRow(Row):
    """A file of a tenant that is no seal: a picture, an upload, what a training leaves beside its seal."""

    __tablename__ = "artefacts"
    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_CHARS), unique=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(String(NAME_CHARS))
    job_id: Mapped[str | None] = mapped_column(String(ID_CHARS), index=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARS))
    media_type: Mapped[str] = mapped_column(String(NAME_CHARS))
    digest: Mapped[str] = mapped_column(String(DIGEST_CHARS), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    about: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    __table_args__ = (Index("ix_artefacts_tenant_id_kind_number", "tenant_id", "kind", "number"),)
