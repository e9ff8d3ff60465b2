"""`sealsmith serve`: pictures over HTTP, in three dialects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import note
from .opened_catalog import opened_catalog
from .options import BaseOption, DatabaseOption, DataOption, DeviceOption, StoreOption
from .parameters import takes

if TYPE_CHECKING:
    from ..server.service import Service


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
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="The same bytes for the same request, whatever else is drawn."),
    ] = False
    workers: Annotated[
        int,
        typer.Option(help="Workers for trainings, beside the server; 0: they are elsewhere.", min=0, max=64),
    ] = 1
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
            "the server's libraries are not installed", "pip install 'sealsmith[serve]'"
        ) from error
    asyncio.run(_serve(options))


async def _serve(options: ServeOptions) -> None:
    """Until this process is told to end."""
    from ..server.app import create_app
    from ..server.listening import LEAVE_WITHIN_S, listening, until_told
    from ..server.local_service import own_names
    from ..server.log import set_up_log

    opening = _local(options) if options.local else _shared(options)
    names = own_names(options.host) if options.local else None
    note(f"opening {options.base}")
    async with (
        opening as service,
        listening(create_app(service, hosts=names), options.host, options.port) as listener,
    ):
        set_up_log()
        print(f"http://{options.host}:{listener.port}", flush=True)
        await until_told()
        note("finishing what is under way")
        await service.orders.close(LEAVE_WITHIN_S)


@asynccontextmanager
async def _local(options: ServeOptions) -> "AsyncIterator[Service]":
    """For one person: a folder of seals."""
    from ..server.local_service import LocalSettings, local_service

    settings = LocalSettings(options.base, options.device, options.deterministic, options.seals_folder)
    async with local_service(settings) as service:
        yield service


@asynccontextmanager
async def _shared(options: ServeOptions) -> "AsyncIterator[Service]":
    """For many: a catalog, whose first key is shown when it is made."""
    from ..server.catalog_service import catalog_service, first_key
    from ..server.drawing_service import EngineSettings
    from ..server.workers import worker_launch, working

    settings = EngineSettings(options.base, options.device, options.deterministic)
    with opened_catalog(options.data, options.database, options.store) as (catalog, where):
        launch = worker_launch(where, options.base)
        async with (
            catalog_service(settings, catalog, where.store) as service,
            working(launch, options.workers),
        ):
            if (new := first_key(catalog)) is not None:
                note(f"the first key, shown this once, good for everything: {new.token.get_secret_value()}")
            yield service
