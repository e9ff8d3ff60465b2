"""`sealsmith serve`: pictures over HTTP, in three dialects."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .console import note
from .options import BaseOption, DeviceOption
from .parameters import takes


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
    seals_folder: Annotated[Path, typer.Option(help="Where the seals are, and uploaded ones go.")] = Path(
        "seals"
    )
    base: BaseOption = "sealworld"
    device: DeviceOption = "cpu"
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="The same bytes for the same request, whatever else is drawn."),
    ] = False


@takes(ServeOptions)
def serve_command(options: ServeOptions) -> None:
    """Draw pictures over HTTP: our own dialect, OpenAI's and A1111's."""
    if not options.local:
        raise ConfigError("only a local service can be started so far", "say --local")
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
    from ..server.local_service import LocalSettings, local_service, own_names
    from ..server.log import set_up_log

    settings = LocalSettings(options.base, options.seals_folder, options.device, options.deterministic)
    note(f"opening {options.base}")
    async with (
        local_service(settings) as service,
        listening(create_app(service, hosts=own_names(options.host)), options.host, options.port) as listener,
    ):
        set_up_log()
        print(f"http://{options.host}:{listener.port}", flush=True)
        await until_told()
        note("finishing what is under way")
        await service.orders.close(LEAVE_WITHIN_S)
