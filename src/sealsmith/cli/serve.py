"""`sealsmith serve`: pictures over HTTP, in three dialects."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from ..garbage import keep_what_is_here
from .console import note
from .opened_catalog import opened_catalog
from .options import BaseOption, DatabaseOption, DataOption, DeviceOption, OtelEndpointOption, StoreOption
from .parameters import takes
from .studio import shown_studio, studio_address

if TYPE_CHECKING:
    from ..catalog import NewKey
    from ..server.service import Service
    from ..server.tracing import Tracing

    FirstKey = Callable[[], NewKey | None]
    """Makes the first key of a catalog without keys; None: there are some, or none are asked for."""


@dataclass(frozen=True)
class ServeOptions:
    """What `sealsmith serve` takes."""

    local: Annotated[
        bool, typer.Option("--local", help="For one person on this machine: a folder of seals, no keys.")
    ] = False
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="Port to listen at; 0: any that is free.", min=0, max=65535)] = (
        7860
    )
    seals_folder: Annotated[
        Path, typer.Option(help="--local: where the seals are, and uploaded ones go.")
    ] = Path("seals")
    base: BaseOption = "sealworld"
    device: DeviceOption = "cpu"
    is_opened: Annotated[
        bool, typer.Option("--open", help="Open the studio in the browser, where there is one.")
    ] = False
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="The same bytes for the same request, whatever else is drawn."),
    ] = False
    workers: Annotated[
        int,
        typer.Option(
            help="Workers for trainings and studies, beside the server; 0: they are elsewhere.", min=0, max=64
        ),
    ] = 1
    key_rate: Annotated[
        int,
        typer.Option(help="Requests a minute that one key may make; 0: any number.", min=0, max=1_000_000),
    ] = 1200
    tenant_rate: Annotated[
        int,
        typer.Option(
            help="Requests a minute that all keys of a tenant may make; 0: any number.", min=0, max=1_000_000
        ),
    ] = 2400
    stranger_rate: Annotated[
        int,
        typer.Option(
            help="Requests a minute without a valid key that may come from one address; 0: any number.",
            min=0,
            max=1_000_000,
        ),
    ] = 60
    otel_endpoint: OtelEndpointOption = None
    data: DataOption = None
    database: DatabaseOption = None
    store: StoreOption = None


@takes(ServeOptions)
def serve_command(options: ServeOptions) -> None:
    """Draw pictures over HTTP: our own dialect, OpenAI's and A1111's."""
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "the server's libraries are not installed", "pip install '.[serve]' in the clone, or make setup"
        ) from error
    asyncio.run(_serve(options))


async def _serve(options: ServeOptions) -> None:
    """Until this process is told to end."""
    from ..server.app import create_app
    from ..server.listening import LEAVE_WITHIN_S, allow_many_connections, listening, until_told
    from ..server.local_service import own_names
    from ..server.log import set_up_log
    from ..server.tracing import open_tracing

    tracing = open_tracing(options.otel_endpoint)
    opening = _local(options, tracing) if options.local else _shared(options, tracing)
    names = own_names(options.host) if options.local else None
    allow_many_connections()
    note(f"opening {options.base}")
    async with (
        opening as (service, make_first_key),
        listening(create_app(service, hosts=names), options.host, options.port) as listener,
    ):
        set_up_log()
        keep_what_is_here()
        print(f"http://{options.host}:{listener.port}", flush=True)
        new = make_first_key()  # only now, when it can be used: it is told once
        key = None if new is None else new.token
        with shown_studio(studio_address(options.host, listener.port, key), key, options.is_opened):
            await until_told()
        service.engine.expect_end()
        note("finishing what is under way")
        await service.orders.close(LEAVE_WITHIN_S)
    await asyncio.to_thread(tracing.close)


@asynccontextmanager
async def _local(options: ServeOptions, tracing: "Tracing") -> "AsyncIterator[tuple[Service, FirstKey]]":
    """For one person: a folder of seals."""
    from ..server.local_service import LocalSettings, local_service

    settings = LocalSettings(
        options.base, options.device, options.deterministic, seals_folder=options.seals_folder
    )
    async with local_service(settings, tracing) as service:
        yield service, lambda: None


@asynccontextmanager
async def _shared(options: ServeOptions, tracing: "Tracing") -> "AsyncIterator[tuple[Service, FirstKey]]":
    """For many: a catalog, and what makes its first key."""
    from ..server.catalog_service import catalog_service, first_key
    from ..server.drawing_service import EngineSettings
    from ..server.rates import RateLimits
    from ..server.workers import worker_launch, working

    settings = EngineSettings(options.base, options.device, options.deterministic)
    limits = RateLimits(options.key_rate, options.tenant_rate, options.stranger_rate)
    with opened_catalog(options.data, options.database, options.store) as (catalog, where):
        launch = worker_launch(where, options.base, options.device, options.otel_endpoint)
        async with (
            catalog_service(settings, catalog, where.store, limits, tracing) as service,
            working(launch, options.workers) as crew,
        ):
            yield replace(service, crew=crew), partial(first_key, catalog)
