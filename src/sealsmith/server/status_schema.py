"""What `/v1/admin/status` answers."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, Field

from .. import __version__
from ..jobs import Backlog
from .workers import Worker


class TierBody(BaseModel):
    """A place where seals are kept ready."""

    used_bytes: int
    total_bytes: int = Field(description="What it takes at most.")
    seals: int


class TiersBody(BaseModel):
    """From near to far; null: there is none."""

    ram: TierBody | None
    disk: TierBody | None


class EngineBody(BaseModel):
    """The process that draws."""

    starts: int
    is_ready: bool
    base: str
    queued: int = Field(description="Pictures that wait for their turn in it.")
    drawing: int
    pool: TierBody | None = Field(description="Seals that pictures can be drawn with at once.")
    tiers: TiersBody


class WorkerBody(BaseModel):
    """A worker for trainings beside this server."""

    pid: int | None
    state: Literal["running", "waiting"] = Field(
        description="`waiting`: it died, and another is started soon."
    )
    restarts: int


class JobsBody(BaseModel):
    """The jobs of all tenants."""

    queued: int
    running: int
    failed_today: int = Field(description="Since midnight in UTC.")


class OpenOrdersBody(BaseModel):
    """The orders of all tenants."""

    open: int = Field(description="Not over yet.")


class StatusBody(BaseModel):
    """How the service is."""

    version: str
    engine: EngineBody
    workers: list[WorkerBody]
    jobs: JobsBody | None = Field(description="Null where nothing is trained.")
    orders: OpenOrdersBody
    pictures_per_s_1m: float = Field(description="Finished in the last minute, a second.")


def tier_body(gauges: Mapping[str, float], tier: str) -> TierBody | None:
    """`gauges`: as the engine counts; None: it has no such tier."""
    if f"{tier}_total_bytes" not in gauges:
        return None
    return TierBody(
        used_bytes=int(gauges[f"{tier}_used_bytes"]),
        total_bytes=int(gauges[f"{tier}_total_bytes"]),
        seals=int(gauges[f"{tier}_seals"]),
    )


def engine_body(gauges: Mapping[str, float], num_starts: int, is_ready: bool, base: str) -> EngineBody:
    return EngineBody(
        starts=num_starts,
        is_ready=is_ready,
        base=base,
        queued=int(gauges.get("queued", 0)),
        drawing=int(gauges.get("drawing", 0)),
        pool=tier_body(gauges, "pool"),
        tiers=TiersBody(ram=tier_body(gauges, "ram"), disk=tier_body(gauges, "disk")),
    )


def status_body(
    engine: EngineBody,
    crew: Sequence[Worker],
    backlog: Backlog | None,
    num_orders: int,
    pictures_per_s: float,
) -> StatusBody:
    workers = [WorkerBody(pid=each.pid, state=each.state, restarts=each.num_restarts) for each in crew]
    return StatusBody(
        version=__version__,
        engine=engine,
        workers=workers,
        jobs=None if backlog is None else _jobs_body(backlog),
        orders=OpenOrdersBody(open=num_orders),
        pictures_per_s_1m=pictures_per_s,
    )


def _jobs_body(backlog: Backlog) -> JobsBody:
    return JobsBody(
        queued=backlog.num_queued, running=backlog.num_running, failed_today=backlog.num_failed_today
    )
