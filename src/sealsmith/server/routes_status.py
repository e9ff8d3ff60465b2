"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the server, without a key."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import __version__
from ..errors import EngineError
from .schema import HealthBody, ReadyBody
from .service import ServiceOf

router = APIRouter()


@router.get("/healthz", tags=["status"], response_model=HealthBody)
async def health() -> HealthBody:
    """That this process lives, whatever the engine does."""
    return HealthBody(status="ok", version=__version__)


@router.get("/readyz", tags=["status"], response_model=ReadyBody)
async def ready(service: ServiceOf) -> ReadyBody:
    """That pictures can be drawn now."""
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
    service.metrics.waiting.set(service.orders.num_waiting)
    service.metrics.engine_starts.set(service.engine.num_starts)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
