"""A service for many people: a catalog of tenants, keys and seals, and an engine on the catalog's store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ..catalog import Catalog, NewKey, Scope
from ..errors import MissingError
from .catalog_library import CatalogLibrary
from .drawing_service import EngineSettings, drawing_service
from .inspector import Inspector
from .long_work import job_watch
from .people import People
from .rates import RateLimits, Rates
from .service import Service
from .studies import Studies
from .tracing import NO_TRACING, Tracing
from .trainings import Trainings

FIRST_TENANT = "owner"


@asynccontextmanager
async def catalog_service(
    settings: EngineSettings,
    catalog: Catalog,
    store: str,
    limits: RateLimits | None = None,
    tracing: Tracing = NO_TRACING,
) -> AsyncIterator[Service]:
    """A running service, with an engine that is ready. `catalog`: stays open; `store`: the address of its files.

    Raises: what keeps the engine from starting.
    """
    base, watch = settings.base, job_watch(catalog)
    async with drawing_service(settings, store, CatalogLibrary(catalog), Inspector(), tracing) as service:
        yield replace(
            service,
            trainings=Trainings(catalog, base, watch),
            studies=Studies(catalog, base, watch),
            people=People(catalog),
            rates=Rates(limits or RateLimits()),
        )


def first_key(catalog: Catalog) -> NewKey | None:
    """A key for everything, with a tenant of its own, in a catalog without keys; None: there are some.

    Raises: DatabaseError.
    """
    if catalog.keys.list():
        return None
    try:
        tenant = catalog.tenants.named(FIRST_TENANT)
    except MissingError:
        tenant = catalog.tenants.create(FIRST_TENANT)
    return catalog.keys.create(tenant.id, Scope, "first")
