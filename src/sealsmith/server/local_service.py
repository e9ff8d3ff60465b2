"""A service for one person on their own machine: a folder of seals, an engine, no keys."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..engine.store import SealStore, open_store
from .drawing_service import EngineSettings, drawing_service
from .inspector import Inspector
from .local import LocalLibrary
from .service import Service
from .tracing import NO_TRACING, Tracing

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def own_names(host: str) -> frozenset[str] | None:
    """What a service that listens at `host` is called; None, where others reach it, too: by any name.

    Without keys, a web page that the owner looks at would else be as good as the owner.
    """
    return LOOPBACK if host in ("127.0.0.1", "localhost", "::1") else None


@dataclass(frozen=True)
class LocalSettings(EngineSettings):
    """What a local service needs to know."""

    seals_folder: Path = Path("seals")


@asynccontextmanager
async def local_service(settings: LocalSettings, tracing: Tracing = NO_TRACING) -> AsyncIterator[Service]:
    """A running service, with an engine that is ready; all of it ends with the context.

    Raises: what keeps the engine from starting.
    """
    with tempfile.TemporaryDirectory(prefix="sealsmith-store-") as folder:
        url = Path(folder).as_uri()
        inspector = Inspector()
        library = LocalLibrary(settings.seals_folder, SealStore(open_store(url)), inspector)
        async with drawing_service(settings, url, library, inspector, tracing) as service:
            yield service
