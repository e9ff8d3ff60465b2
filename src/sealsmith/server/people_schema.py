"""What the routes of people take and answer."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, WithJsonSchema, field_serializer

from ..catalog import Quota
from .library import Scope, Standing, Used
from .limits import MAX_DAYS, MAX_KEPT_MINUTES, MAX_QUOTA, MAX_QUOTA_BYTES, MAX_TENANT_CHARACTERS
from .people import KeyFacts, NewKeyFacts, TenantFacts
from .schema import Strict

TenantName = Annotated[str, Field(min_length=1, max_length=MAX_TENANT_CHARACTERS, description="Its name.")]
Revealed = Annotated[SecretStr, WithJsonSchema({"type": "string"})]
"""A secret that is told once, to whom it was made for, and prints itself nowhere else."""


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


class QuotaWish(Strict):
    """How much a tenant is to be allowed; what is left out stays as it is, or as all have it."""

    pictures_a_day: int | None = Field(None, ge=0, le=MAX_QUOTA)
    trainings_at_once: int | None = Field(None, ge=0, le=MAX_QUOTA)
    storage_bytes: int | None = Field(None, ge=0, le=MAX_QUOTA_BYTES)

    @property
    def wanted(self) -> dict[str, int]:
        """What is not left out."""
        return self.model_dump(exclude_none=True)


class TenantRequest(Strict):
    """A tenant that is wanted."""

    name: TenantName
    quota: QuotaWish | None = None

    @property
    def allowed(self) -> Quota:
        return Quota() if self.quota is None else Quota(**self.quota.wanted)


class TenantChange(Strict):
    """What is to change."""

    quota: QuotaWish


class TenantBody(BaseModel):
    """A tenant, as who administers the service sees it."""

    id: str
    name: str
    created: datetime
    quota: QuotaBody
    usage: UsedBody


class TenantsBody(BaseModel):
    """Some tenants, by name."""

    tenants: list[TenantBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


class KeyRequest(Strict):
    """A key that is wanted."""

    tenant: TenantName
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    name: str = Field("", max_length=MAX_TENANT_CHARACTERS, description="What to call it.")
    days: float | None = Field(
        None,
        ge=0.001,
        le=MAX_DAYS,
        allow_inf_nan=False,
        description="How long it is valid; for good if left out.",
    )


class KeyRotation(Strict):
    """How a key is to be replaced."""

    keep_minutes: float = Field(
        0, ge=0, le=MAX_KEPT_MINUTES, allow_inf_nan=False, description="How long the old one stays valid."
    )


class KeyBody(BaseModel):
    """A key, without its secret."""

    prefix: str = Field(description="How it begins.")
    tenant: str = Field(description="By name.")
    name: str
    scopes: list[str]
    created: datetime
    expires: datetime | None
    last_used: datetime | None = Field(description="To the minute.")
    state: Literal["valid", "expired", "revoked"]


class NewKeyBody(KeyBody):
    """A key that was just made."""

    key: Revealed = Field(description="The key itself: told now, and never again.")

    @field_serializer("key", when_used="json")
    def _reveal(self, key: SecretStr) -> str:
        return key.get_secret_value()


class KeysBody(BaseModel):
    """Some keys, the newest first."""

    keys: list[KeyBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


def quota_body(quota: Quota | None) -> QuotaBody:
    if quota is None:
        return QuotaBody(pictures_a_day=None, trainings_at_once=None, storage_bytes=None)
    return QuotaBody(**vars(quota))


def me_body(standing: Standing, scopes: Collection[str]) -> MeBody:
    return MeBody(
        tenant=NamedTenantBody(id=standing.tenant, name=standing.name),
        scopes=sorted(scopes),
        quota=quota_body(standing.quota),
        usage=used_body(standing.used),
        is_local=standing.quota is None,
    )


def used_body(used: Used) -> UsedBody:
    return UsedBody(**vars(used))


def tenant_body(facts: TenantFacts) -> TenantBody:
    tenant = facts.tenant
    return TenantBody(
        id=tenant.id,
        name=tenant.name,
        created=tenant.created,
        quota=quota_body(tenant.quota),
        usage=used_body(facts.used),
    )


def key_body(facts: KeyFacts) -> KeyBody:
    key = facts.key
    return KeyBody(
        prefix=key.prefix, tenant=facts.tenant, name=key.name, scopes=sorted(key.scopes), created=key.created,
        expires=key.expires, last_used=key.last_used, state=facts.state,
    )  # fmt: skip


def new_key_body(made: NewKeyFacts) -> NewKeyBody:
    return NewKeyBody(**dict(key_body(made.facts)), key=made.new.token)
