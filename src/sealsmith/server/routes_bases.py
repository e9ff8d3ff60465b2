"""`/v1/bases`: what pictures are drawn on."""

from fastapi import APIRouter

from .keyed_route import KeyedRoute
from .schema import BaseBody, BasesBody
from .service import Drawer, Service, ServiceOf

router = APIRouter(route_class=KeyedRoute, prefix="/v1/bases", tags=["bases"])


@router.get("", response_model=BasesBody)
async def list_bases(service: ServiceOf, caller: Drawer) -> BasesBody:
    """The base that pictures are drawn on."""
    return BasesBody(bases=[base_of(service)])


def base_of(service: Service) -> BaseBody:
    """What the engine says of its base. Raises: EngineError while there is no engine."""
    about = service.welcome.about
    return BaseBody(
        name=about["base"],
        digest=about["base_digest"],
        family=about["family"],
        precision=about["plan"],
        device=about["device"],
        steps=int(about["num_steps"]),
        guidance=float(about["guidance"]),
        side_px=int(about["picture_px"]),
        side_step_px=int(about["pixel_step"]),
        sampler=about["sampler"],
        samplers=about["samplers"].split(", "),
    )
