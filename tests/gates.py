"""A gate before a server: shut, nobody comes in and whoever is inside is thrown out, as when the server is gone."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 64 << 10


class Gate:
    """A port of this machine that leads to another."""

    def __init__(self, host: str, port: int):
        self._target, self.port = (host, port), 0
        self._inside: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate")
        self._thread.start()

    def open(self) -> None:
        self._run(self._open())

    def shut(self) -> None:
        self._run(self._shut())

    def end(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._inside):
            task.cancel()
        await asyncio.gather(*self._inside, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client there and back, until either goes or the gate is shut."""
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, onward))
                both.create_task(_carry(back, writer))
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            pass
        finally:
            for each in (writer, onward):
                if each is not None:
                    each.transport.abort()
            self._inside.discard(task)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@contextmanager
def gate_before(url: str) -> Iterator[tuple[Gate, str]]:
    """An open gate before the server of a URL, and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    gate = Gate(parts.hostname, parts.port)
    try:
        gate.open()
        user = f"{parts.username}@" if parts.username else ""
        yield gate, urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{gate.port}"))
    finally:
        gate.end()
