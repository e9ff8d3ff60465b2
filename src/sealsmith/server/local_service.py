"""A service for one person on their own machine: a folder of seals, an engine, no keys."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..engine.client import EngineClient
from ..engine.store import SealStore, open_store
from ..engine.supervisor import Launch
from .inspector import Inspector
from .local import LocalLibrary
from .metrics import Metrics
from .orders import OrderBook
from .service import Service

BESIDE_OTHERS = {"GOMP_SPINCOUNT": "1000"}
"""For the engine's process, where the environment says nothing else: OpenMP's idle threads soon let go of their
core. Beside other work a picture then takes a fraction of the time (docs/log.md)."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def own_names(host: str) -> frozenset[str] | None:
    """What a service that listens at `host` is called; None, where others reach it, too: by any name.

    Without keys, a web page that the owner looks at would else be as good as the owner.
    """
    return LOOPBACK if host in ("127.0.0.1", "localhost", "::1") else None


@dataclass(frozen=True)
class LocalSettings:
    """What a local service needs to know."""

    base: str
    """A word that `open_base` knows."""
    seals_folder: Path
    device: str = "cpu"
    deterministic: bool = False


@asynccontextmanager
async def local_service(settings: LocalSettings) -> AsyncIterator[Service]:
    """A running service, with an engine that is ready; all of it ends with the context.

    Raises: what keeps the engine from starting.
    """
    with tempfile.TemporaryDirectory(prefix="sealsmith-store-") as folder:
        url = Path(folder).as_uri()
        config = {
            "base": settings.base,
            "device": settings.device,
            "store": url,
            "settings": {"deterministic": settings.deterministic},
        }
        inspector, metrics = Inspector(), Metrics()
        library = LocalLibrary(settings.seals_folder, SealStore(open_store(url)), inspector)
        try:
            environ = {key: os.environ.get(key, value) for key, value in BESIDE_OTHERS.items()}
            launch = Launch("sealsmith.engine.core:open_core", config, environ)
            async with EngineClient(launch) as engine:
                orders = OrderBook(engine, metrics)
                try:
                    yield Service(engine, library, inspector, orders, metrics)
                finally:
                    await orders.close()
        finally:
            await inspector.close()
