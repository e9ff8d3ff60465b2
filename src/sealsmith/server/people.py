"""Tenants and their keys, for whoever administers a service.

Every question goes to the database, in a thread of its own. Not for: who asks and what is theirs (library.py).
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ..catalog import Catalog, Key, KeyState, NewKey, Page, Quota, Scope, Tenant
from ..jobs import TRAIN, Queue
from .library import Used


@dataclass(frozen=True)
class TenantFacts:
    """A tenant, and how much of its quota it has used."""

    tenant: Tenant
    used: Used


@dataclass(frozen=True)
class KeyFacts:
    """A key, without its secret."""

    key: Key
    tenant: str
    """Its tenant's name."""
    state: KeyState


@dataclass(frozen=True)
class NewKeyFacts:
    """A key that was just made."""

    new: NewKey
    facts: KeyFacts


def used_of(catalog: Catalog, tenant: str) -> Used:
    """How much a tenant has used. Raises: MissingError."""
    usage = catalog.tenants.usage(tenant)
    return Used(usage.pictures_today, Queue(catalog).num_unfinished(tenant, TRAIN), usage.storage_bytes)


class People:
    """The tenants and keys of a catalog."""

    def __init__(self, catalog: Catalog):
        """`catalog`: stays open for as long as this is asked."""
        self._catalog = catalog

    async def tenants(self, after: str | None, limit: int) -> Page[TenantFacts]:
        """By name. Raises: ConfigError."""
        return await asyncio.to_thread(self._tenants, after, limit)

    async def create_tenant(self, name: str, quota: Quota) -> TenantFacts:
        """Raises: ConfigError, ConflictError for a name that is taken."""
        return await asyncio.to_thread(self._create_tenant, name, quota)

    async def change_quota(self, tenant: str, changes: Mapping[str, int]) -> TenantFacts:
        """Some fields of the quota of the tenant of this id anew. Raises: MissingError, ConfigError."""
        await asyncio.to_thread(self._catalog.tenants.change_quota, tenant, changes)
        return await asyncio.to_thread(self._tenant, tenant)

    async def keys(self, tenant: str | None, after: str | None, limit: int) -> Page[KeyFacts]:
        """The newest first; `tenant`: of the one of this name. Raises: MissingError, ConfigError."""
        return await asyncio.to_thread(self._keys, tenant, after, limit)

    async def create_key(
        self, tenant: str, scopes: Collection[Scope], name: str, lasts: timedelta | None
    ) -> NewKeyFacts:
        """A key of the tenant of this name. Raises: MissingError, ConfigError."""
        return await asyncio.to_thread(self._create_key, tenant, scopes, name, lasts)

    async def rotate_key(self, prefix: str, keep_old: timedelta) -> NewKeyFacts:
        """Another key in its place. Raises: MissingError; ConflictError for one that is not valid any more."""
        return await asyncio.to_thread(self._rotate_key, prefix, keep_old)

    async def revoke_key(self, prefix: str) -> KeyFacts:
        """Ends a key, from the next request on. Raises: MissingError."""
        return await asyncio.to_thread(self._revoke_key, prefix)

    def _tenants(self, after: str | None, limit: int) -> Page[TenantFacts]:
        page = self._catalog.tenants.page(after, limit)
        facts = (TenantFacts(tenant, used_of(self._catalog, tenant.id)) for tenant in page.items)
        return Page(tuple(facts), page.next)

    def _create_tenant(self, name: str, quota: Quota) -> TenantFacts:
        return self._tenant(self._catalog.tenants.create(name, quota).id)

    def _tenant(self, tenant: str) -> TenantFacts:
        return TenantFacts(self._catalog.tenants.get(tenant), used_of(self._catalog, tenant))

    def _keys(self, tenant: str | None, after: str | None, limit: int) -> Page[KeyFacts]:
        owner = None if tenant is None else self._catalog.tenants.named(tenant).id
        page = self._catalog.keys.page(owner, after, limit)
        return Page(self._facts(page.items), page.next)

    def _create_key(
        self, tenant: str, scopes: Collection[Scope], name: str, lasts: timedelta | None
    ) -> NewKeyFacts:
        owner = self._catalog.tenants.named(tenant)
        return self._new(self._catalog.keys.create(owner.id, scopes, name, lasts))

    def _rotate_key(self, prefix: str, keep_old: timedelta) -> NewKeyFacts:
        return self._new(self._catalog.keys.rotate(prefix, keep_old))

    def _revoke_key(self, prefix: str) -> KeyFacts:
        return self._facts([self._catalog.keys.revoke(prefix)])[0]

    def _new(self, new: NewKey) -> NewKeyFacts:
        return NewKeyFacts(new, self._facts([new.key])[0])

    def _facts(self, keys: Collection[Key]) -> tuple[KeyFacts, ...]:
        names, now = self._catalog.tenants.names(key.tenant for key in keys), self._catalog.clock()
        return tuple(KeyFacts(key, names.get(key.tenant, ""), key.state(now)) for key in keys)
