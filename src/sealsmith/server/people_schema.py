"""What the routes of people answer."""

from collections.abc import Collection

from pydantic import BaseModel, Field

from ..catalog import Quota
from .library import Standing


class NamedTenantBody(BaseModel):
    """A tenant."""

    id: str
    name: str


class QuotaBody(BaseModel):
    """How much a tenant may; null: as much as they like."""

    pictures_a_day: int | None
    trainings_at_once: int | None
    storage_bytes: int | None


class UsedBody(BaseModel):
    """How much of it is used."""

    pictures_today: int
    trainings: int = Field(description="Waiting or at work.")
    storage_bytes: int


class MeBody(BaseModel):
    """Who the caller is."""

    tenant: NamedTenantBody
    scopes: list[str] = Field(description="What the key is for: `generate`, `train`, `admin`.")
    quota: QuotaBody
    usage: UsedBody
    is_local: bool = Field(description="One person's own service, which asks for no key.")


def quota_body(quota: Quota | None) -> QuotaBody:
    if quota is None:
        return QuotaBody(pictures_a_day=None, trainings_at_once=None, storage_bytes=None)
    return QuotaBody(**vars(quota))


def me_body(standing: Standing, scopes: Collection[str]) -> MeBody:
    return MeBody(
        tenant=NamedTenantBody(id=standing.tenant, name=standing.name),
        scopes=sorted(scopes),
        quota=quota_body(standing.quota),
        usage=UsedBody(**vars(standing.used)),
        is_local=standing.quota is None,
    )
