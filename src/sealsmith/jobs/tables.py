"""The tables of jobs, in the catalog's database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..catalog.tables import ID_CHARS, NAME_CHARS, Number, Row


class JobRow(Row):
    __tablename__ = "jobs"
    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_CHARS), unique=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(String(NAME_CHARS))
    payload: Mapped[dict[str, Any]]
    priority: Mapped[int]
    state: Mapped[str] = mapped_column(String(ID_CHARS))
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    progress: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    created: Mapped[datetime]
    begin_after: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(NAME_CHARS))
    lease_until: Mapped[datetime | None]
    fence: Mapped[int]
    """Grows with every lease: who holds an older one may write nothing."""
    num_events: Mapped[int]
    __table_args__ = (
        Index("ix_jobs_tenant_id_number", "tenant_id", "number"),
        Index("ix_jobs_state_priority_number", "state", "priority", "number"),
    )


class EventRow(Row):
    __tablename__ = "job_events"
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(ID_CHARS))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime]
