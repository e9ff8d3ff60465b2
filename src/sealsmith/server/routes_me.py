"""`/v1/me`: who the key says one is."""

from fastapi import APIRouter

from .keyed_route import KeyedRoute
from .people_schema import MeBody, me_body
from .service import Anybody, ServiceOf

router = APIRouter(route_class=KeyedRoute, prefix="/v1/me", tags=["people"])


@router.get("", response_model=MeBody)
async def get_me(service: ServiceOf, caller: Anybody) -> MeBody:
    """The caller: their tenant, what this key is for, and how much of the quota is used."""
    return me_body(await service.library.standing(caller), caller.scopes)
