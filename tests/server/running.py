"""A whole service in a thread of this process, an engine's process behind it, for tests that talk HTTP."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI

from sealsmith.server.app import create_app
from sealsmith.server.frame import Patience
from sealsmith.server.listening import listening
from sealsmith.server.service import Service


@dataclass(frozen=True)
class Running:
    """A service that answers at `url`."""

    url: str
    service: Service
    app: FastAPI
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=120, **options)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of something that belongs to the service's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)


@contextmanager
def running(
    opening: AbstractAsyncContextManager[Service], patience: Patience | None = None, **options: Any
) -> Iterator[Running]:
    """The service that `opening` opens, until the context ends. `options`: of `listening`."""
    ready: Future[Running] = Future()
    ending: Future[None] = Future()

    async def serve() -> None:
        async with opening as service:
            app = create_app(service, patience)
            async with listening(app, "127.0.0.1", 0, **options) as listener:
                url = f"http://127.0.0.1:{listener.port}"
                ready.set_result(Running(url, service, app, asyncio.get_running_loop()))
                await asyncio.wrap_future(ending)

    def whole() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=whole, name="service")
    thread.start()
    try:
        yield ready.result(300)
    finally:
        ending.set_result(None)
        thread.join(120)


@contextmanager
def beside(
    running: Running, service: Service | None = None, patience: Patience | None = None, **options: Any
) -> Iterator[Running]:
    """Another app on the same engine, with another service's parts or another patience."""
    service = service or running.service
    app = create_app(service, patience)
    opening = listening(app, "127.0.0.1", 0, **options)
    listener = running.run(opening.__aenter__())
    try:
        yield Running(f"http://127.0.0.1:{listener.port}", service, app, running.loop)
    finally:
        running.run(opening.__aexit__(None, None, None))
