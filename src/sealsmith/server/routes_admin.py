"""`/v1/admin`: tenants, quotas, keys, and how all is, for whoever runs the service. The scope `admin` opens it."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from ..catalog import Scope
from ..errors import MissingError
from .keyed_route import KeyedRoute
from .limits import MAX_TENANT_CHARACTERS
from .people import People
from .people_schema import (
    KeyBody,
    KeyRequest,
    KeyRotation,
    KeysBody,
    NewKeyBody,
    TenantBody,
    TenantChange,
    TenantRequest,
    TenantsBody,
    key_body,
    new_key_body,
    tenant_body,
)
from .seal_schema import After, Limit
from .service import Admin, ServiceOf
from .status_schema import StatusBody, engine_body, status_body

TenantId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
KeyPrefix = Annotated[str, Path(pattern=r"^seal_[0-9a-f]{12}$", description="How the key begins.")]
SECRET = {"cache-control": "no-store"}

router = APIRouter(route_class=KeyedRoute, prefix="/v1/admin", tags=["admin"])


async def people_of(service: ServiceOf, caller: Admin) -> People:
    """Raises: MissingError where there is one person only."""
    if service.people is None:
        raise MissingError("a local service has no tenants and no keys", "serve without --local")
    return service.people


PeopleOf = Annotated[People, Depends(people_of)]


@router.get("/status", response_model=StatusBody)
async def get_status(service: ServiceOf, caller: Admin) -> StatusBody:
    """The state of the service: its engine, workers and queues."""
    welcome, engine = service.engine.welcome, service.engine
    base = "" if welcome is None else welcome.about["base"]
    return status_body(
        engine_body(await engine.gauges(), engine.num_starts, engine.pid is not None, base),
        service.crew,
        await service.trainings.backlog() if service.trainings is not None else None,
        service.orders.num_open,
        service.metrics.drawn.per_s,
    )


@router.get("/tenants", response_model=TenantsBody)
async def list_tenants(people: PeopleOf, after: After = None, limit: Limit = 50) -> TenantsBody:
    """The tenants, by name, with what they have used."""
    page = await people.tenants(after, limit)
    return TenantsBody(tenants=[tenant_body(facts) for facts in page.items], next=page.next)


@router.post("/tenants", status_code=201, response_model=TenantBody)
async def create_tenant(wanted: TenantRequest, people: PeopleOf) -> TenantBody:
    """A new tenant, without keys."""
    return tenant_body(await people.create_tenant(wanted.name, wanted.allowed))


@router.patch("/tenants/{tenant_id}", response_model=TenantBody)
async def change_tenant(tenant_id: TenantId, change: TenantChange, people: PeopleOf) -> TenantBody:
    """Change how much a tenant may. What it has used already stays used."""
    return tenant_body(await people.change_quota(tenant_id, change.quota.wanted))


@router.get("/keys", response_model=KeysBody)
async def list_keys(
    people: PeopleOf,
    tenant: Annotated[
        str | None, Query(max_length=MAX_TENANT_CHARACTERS, description="Whose; of all if left out.")
    ] = None,
    after: After = None,
    limit: Limit = 50,
) -> KeysBody:
    """Keys, the newest first, expired and revoked ones too."""
    page = await people.keys(tenant, after, limit)
    return KeysBody(keys=[key_body(facts) for facts in page.items], next=page.next)


@router.post("/keys", status_code=201, response_model=NewKeyBody)
async def create_key(wanted: KeyRequest, people: PeopleOf, response: Response) -> NewKeyBody:
    """A new key of a tenant. The key is shown in this answer, and never again."""
    scopes = [Scope(scope) for scope in wanted.scopes]
    lasts = None if wanted.days is None else timedelta(days=wanted.days)
    response.headers.update(SECRET)
    return new_key_body(await people.create_key(wanted.tenant, scopes, wanted.name, lasts))


@router.post("/keys/{prefix}/rotate", status_code=201, response_model=NewKeyBody)
async def rotate_key(
    prefix: KeyPrefix, rotation: KeyRotation, people: PeopleOf, response: Response
) -> NewKeyBody:
    """Another key of the same tenant, scopes, name and expiry, shown in this answer and never again."""
    response.headers.update(SECRET)
    return new_key_body(await people.rotate_key(prefix, timedelta(minutes=rotation.keep_minutes)))


@router.delete("/keys/{prefix}", response_model=KeyBody)
async def revoke_key(prefix: KeyPrefix, people: PeopleOf) -> KeyBody:
    """End a key, from the next request on. Ending it again changes nothing."""
    return key_body(await people.revoke_key(prefix))
