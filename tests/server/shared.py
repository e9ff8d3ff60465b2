"""A service for many people, with its catalog: two tenants, and keys of every kind."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr
from running import Running

from sealsmith.catalog import Catalog, Quota, Scope
from sealsmith.catalog.database import utc_now

Headers = dict[str, str]


@dataclass(frozen=True)
class Shared:
    """The service, and the catalog it asks."""

    running: Running
    catalog: Catalog
    database: SecretStr
    store: str
    base: str

    def key(self, tenant: str, *scopes: Scope) -> Headers:
        """A new key of a tenant, by name, as a request has it; good for drawing and training if not said."""
        known = self.catalog.tenants.named(tenant)
        new = self.catalog.keys.create(known.id, scopes or (Scope.GENERATE, Scope.TRAIN))
        return {"authorization": f"Bearer {new.token.get_secret_value()}"}

    def revoked_key(self, tenant: str) -> Headers:
        headers = self.key(tenant, *Scope)
        self.catalog.keys.revoke(_prefix(headers))
        return headers

    def outdated_key(self, tenant: str) -> Headers:
        """One that was good until just now."""
        known = self.catalog.tenants.named(tenant)
        new = self.catalog.keys.create(known.id, Scope, lasts=timedelta(microseconds=1))
        assert new.key.expires is not None
        assert new.key.expires < utc_now()
        return {"authorization": f"Bearer {new.token.get_secret_value()}"}

    def tenant(self, name: str, **quota: int) -> str:
        """Id of a new tenant."""
        return self.catalog.tenants.create(name, Quota(**quota)).id


def _prefix(headers: Headers) -> str:
    return "_".join(headers["authorization"].removeprefix("Bearer ").split("_")[:2])
