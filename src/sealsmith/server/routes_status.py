"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the server, without a key."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import __version__
from ..errors import DatabaseError, EngineError
from ..jobs import Backlog
from .log import Log
from .schema import HealthBody, ReadyBody
from .service import Service, ServiceOf

log = Log("sealsmith.status")

router = APIRouter()


@router.get("/healthz", tags=["status"], response_model=HealthBody)
async def health() -> HealthBody:
    """Whether this process is alive, whatever the state of the engine."""
    return HealthBody(status="ok", version=__version__)


@router.get("/readyz", tags=["status"], response_model=ReadyBody)
async def ready(service: ServiceOf) -> ReadyBody:
    """Whether pictures can be drawn now."""
    if service.engine.pid is None:
        raise EngineError("the engine is being started", "try again in a moment", retry_after_s=1.0)
    return ReadyBody(status="ready", engine_starts=service.engine.num_starts)


@router.get(
    "/metrics",
    tags=["status"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text."}},
)
async def metrics(service: ServiceOf) -> Response:
    """Counters and times, for Prometheus."""
    metrics = service.metrics
    metrics.waiting.set(service.orders.num_waiting)
    metrics.engine_starts.set(service.engine.num_starts)
    metrics.show_engine(await service.engine.gauges())
    metrics.show_work(await _backlog(service), service.crew)
    metrics.show_tenants(service.orders.underway.values())
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _backlog(service: Service) -> Backlog | None:
    """None, where there are no jobs, or nobody can say how many: then the counts of before stand."""
    if service.trainings is None:
        return None
    try:
        return await service.trainings.backlog()
    except DatabaseError as error:
        log.warning("jobs not counted", why=str(error))
        return None
