"""A service for many people, with its catalog: two tenants, and keys of every kind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
from pydantic import SecretStr
from running import Running

from sealsmith.catalog import Catalog, Quota, Scope
from sealsmith.catalog.database import utc_now
from sealsmith.jobs.worker import Worker, WorkerSettings

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
        self.catalog.keys.revoke(prefix_of(headers))
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


def prefix_of(headers: Headers) -> str:
    return "_".join(headers["authorization"].removeprefix("Bearer ").split("_")[:2])


@contextmanager
def working(shared: Shared, folder: Path) -> Iterator[None]:
    """A worker that does what is handed in."""
    settings = WorkerSettings(folder, (shared.base,), lease_s=600.0, poll_s=0.05, progress_s=0.001)
    worker = Worker(shared.catalog, shared.database, shared.store, settings)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(120)


def told(http: httpx2.Client, key: Headers, url: str, after: int = 0) -> list[tuple[int, str]]:
    """Numbers and kinds of a job's events, to its end."""
    with http.stream("GET", url, headers={**key, "last-event-id": str(after)}) as response:
        lines = [line.partition(": ") for line in response.iter_lines()]
    numbers = [int(value) for field, _, value in lines if field == "id"]
    kinds = [value for field, _, value in lines if field == "event"]
    return list(zip(numbers, kinds, strict=True))
