"""A service on a library: its engine, its inspector and its order book, all of which end with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..engine.client import EngineClient
from ..engine.supervisor import Launch, beside_others
from .inspector import Inspector
from .library import Library
from .metrics import Metrics
from .on_base import OnBase
from .orders import OrderBook
from .service import Service
from .tracing import NO_TRACING, Tracing


@dataclass(frozen=True)
class EngineSettings:
    """How pictures are drawn."""

    base: str
    """A word that `open_base` knows."""
    device: str = "cpu"
    deterministic: bool = False
    memory_bytes: int = 2 << 30
    """For seals that are ready."""
    engine: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the engine's, by their names in `engine.settings`."""


@asynccontextmanager
async def drawing_service(
    settings: EngineSettings,
    store: str,
    library: Library,
    inspector: Inspector,
    tracing: Tracing = NO_TRACING,
) -> AsyncIterator[Service]:
    """A service whose engine is ready and reads seals from the store at this address.

    `inspector`: ends with the context. Raises: what keeps the engine from starting.
    """
    config = {
        "base": settings.base,
        "device": settings.device,
        "store": store,
        "memory_bytes": settings.memory_bytes,
        "settings": {**settings.engine, "deterministic": settings.deterministic},
    }
    metrics = Metrics()
    launch = Launch("sealsmith.engine.core:open_core", config, beside_others())
    on_base = OnBase(settings.base)
    try:
        async with EngineClient(launch) as engine:
            orders = OrderBook(engine, metrics, tracing)
            try:
                yield Service(engine, library, inspector, orders, metrics, on_base, tracing=tracing)
            finally:
                await orders.close()
    finally:
        await on_base.close()
        await inspector.close()
