"""The core that the engine's process runs: the step loop, with seals from the exchange, spoken to in messages.

Started as `sealsmith.engine.core:open_core` with the fields of `CoreConfig`. Not for: the process (process.py), or
the loop itself (loop.py).
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec
import numpy as np

from ..adapters.strength import parse_strength
from ..bases import Base, open_base
from ..bases.samplers import sampler_title, usable_samplers
from ..errors import ConfigError
from ..generate import Request
from ..generate.recipe import dump_json
from . import messages, request
from .allocation import keep_freed_memory
from .disk_cache import DiskCache
from .exchange import Exchange
from .fitted import FittedSeal, SealSource
from .loop import Engine
from .preparing import preparing
from .queue import FairQueue, Share
from .settings import EngineSettings
from .store import MAX_SEAL_BYTES, SealStore, open_store


class CoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an engine's process needs to know."""

    base: str = "sealworld"
    """A word that `open_base` knows."""
    device: str = "cpu"
    store: str
    """Where all seals are: `file:///folder`, `s3://bucket/folder`."""
    cache_folder: str | None = None
    """For copies of seals on this machine's disk; None: none are kept."""
    cache_bytes: int = 8 << 30
    memory_bytes: int = 2 << 30
    """For seals that are ready."""
    fetch_within_s: float = 30.0
    """What the store has for one seal."""
    settings: EngineSettings = EngineSettings()
    default_share: Share = Share()
    shares: dict[str, Share] = {}
    """Tenants who have another share than the default."""
    max_queued: int = 1024


def open_core(config: Mapping[str, Any], wake: Callable[[], None]) -> "DrawingCore":
    """The core of this configuration. Raises: ConfigError naming what is wrong; BaseError."""
    try:
        whole = msgspec.convert(config, CoreConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the engine's configuration is wrong: {error}", "see CoreConfig") from error
    return DrawingCore(whole, wake)


class DrawingCore:
    """An `EngineCore` (process.py) that draws on a base."""

    def __init__(self, config: CoreConfig, wake: Callable[[], None]):
        keep_freed_memory()
        store = SealStore(open_store(config.store), min(MAX_SEAL_BYTES, config.memory_bytes))
        disk = DiskCache(config.cache_folder, config.cache_bytes) if config.cache_folder else None
        self._base = open_base(config.base, config.device)
        prepare = preparing(self._base)
        self._exchange = Exchange(store, prepare, config.memory_bytes, disk, config.fetch_within_s)
        queue = FairQueue(config.shares, config.default_share, config.max_queued)
        self._engine = Engine(self._base, Waking(self._exchange, wake), config.settings, queue)

    @property
    def about(self) -> dict[str, str]:
        return about(self._base)

    @property
    def gauges(self) -> dict[str, float]:
        """Orders in the queue and underway; then of each tier what it holds, and at most: pool, memory, disk."""
        return {**self._engine.gauges, **self._exchange.gauges}

    def submit(self, draw: messages.Draw) -> None:
        """Raises: ConfigError for a strength that means nothing."""
        self._engine.submit(order_of(draw, time.monotonic()))

    def cancel(self, request_id: str) -> None:
        self._engine.cancel(request_id)

    def step(self) -> bool:
        return self._engine.step()

    def events(self) -> list[messages.Event]:
        return [message_of(event) for event in self._engine.events()]

    def close(self) -> None:
        self._engine.close()
        self._exchange.close()


class Waking:
    """A source of seals that has the loop take its next turn when one has come."""

    def __init__(self, source: SealSource, wake: Callable[[], None]):
        self._source, self._wake = source, wake

    def acquire(self, key: str) -> "Future[FittedSeal]":
        future = self._source.acquire(key)
        future.add_done_callback(lambda _: self._wake())
        return future

    def release(self, key: str) -> None:
        self._source.release(key)

    @property
    def is_short(self) -> bool:
        return self._source.is_short


def about(base: Base) -> dict[str, str]:
    """What a Welcome says of the base, and of what is drawn where a request leaves it open."""
    return {
        "base": base.name,
        "base_digest": base.digest,
        "family": base.family.name,
        "plan": base.plan.precision,
        "device": str(base.device),
        "num_steps": str(base.family.num_steps),
        "guidance": f"{base.family.guidance:g}",
        "picture_px": str(base.picture_px),
        "pixel_step": str(base.family.workings.pixel_step),
        "sampler": sampler_title(base, None),
        "samplers": ", ".join(sampler.title for sampler in usable_samplers(base)),
    }


def order_of(draw: messages.Draw, now_s: float) -> request.Order:
    """The order a message stands for. `now_s`: by the engine's clock. Raises: ConfigError for a strength."""
    wish = Request(
        prompt=draw.prompt,
        negative=draw.negative,
        seed=draw.seed,
        num_steps=draw.num_steps,
        guidance=draw.guidance,
        sampler=draw.sampler,
        use_trigger=draw.use_trigger,
        width=draw.width,
        height=draw.height,
        long_prompts=draw.long_prompts,
        mix=draw.mix,
    )
    seals = tuple((seal.digest, parse_strength(seal.strength)) for seal in draw.seals)
    deadline_s = None if draw.begin_within_s is None else now_s + draw.begin_within_s
    return request.Order(draw.id, wish, seals, draw.tenant, deadline_s, draw.preview_every)


def message_of(event: request.Event) -> messages.Event:
    """The message that says what happened."""
    match event:
        case request.Queued(id, num_ahead):
            return messages.Queued(id, num_ahead)
        case request.Loading(id):
            return messages.Loading(id)
        case request.Stepped(id, step, num_steps, path):
            return messages.Step(id, step, num_steps, path.value)
        case request.Previewed(id, step, pixels):
            return messages.Preview(id, step, _rgb(pixels.cpu().numpy()))
        case request.Done(id, picture):
            return messages.Done(
                id, _rgb(np.asarray(picture.image)), dump_json(picture.recipe), picture.warnings
            )
        case request.Failed(id, error):
            return messages.failure(id, error)
        case _:
            raise AssertionError(f"no message for {event}")


def _rgb(levels: "np.ndarray[Any, Any]") -> messages.Rgb:
    """Of 8-bit levels [h, w, 3]."""
    height, width, _ = levels.shape
    return messages.Rgb(width, height, np.ascontiguousarray(levels).tobytes())
