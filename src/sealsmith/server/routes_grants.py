"""`/v1/seals/{seal_id}/grants`: with whom a seal is shared. Its owner says so and takes it back, and whoever it is
shared with gives it up."""

from fastapi import APIRouter

from .keyed_route import KeyedRoute
from .seal_schema import GrantBody, GrantsBody, SealId, TenantName
from .service import Keeper, ServiceOf

router = APIRouter(route_class=KeyedRoute, prefix="/v1/seals/{seal_id}/grants", tags=["seals"])


@router.get("", response_model=GrantsBody)
async def list_grants(seal_id: SealId, service: ServiceOf, caller: Keeper) -> GrantsBody:
    """The tenants that one of the caller's own seals is shared with, in the order in which they came."""
    names = await service.library.grants(caller, seal_id)
    return GrantsBody(grants=[GrantBody(tenant=name) for name in names])


@router.put("/{tenant_name}", status_code=204)
async def grant_seal(seal_id: SealId, tenant_name: TenantName, service: ServiceOf, caller: Keeper) -> None:
    """Let another tenant use one of the caller's own seals; sharing it again changes nothing."""
    await service.library.grant(caller, seal_id, tenant_name)


@router.delete("/{tenant_name}", status_code=204)
async def ungrant_seal(seal_id: SealId, tenant_name: TenantName, service: ServiceOf, caller: Keeper) -> None:
    """Take that back, from the next request on. Pictures that are being drawn are finished.

    By the caller's own name: give up a seal that others have shared with the caller."""
    await service.library.ungrant(caller, seal_id, tenant_name)
