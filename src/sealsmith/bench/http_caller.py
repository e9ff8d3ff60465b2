"""One customer's connection to a service: requests one after another.

Plain HTTP/1.1 on a socket: on cores that it shares with the service, a client library would be half of what is
measured. Not for: servers other than ours.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

NO_BODY = (204, 304)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes


class Caller:
    """A context in which the service at `url` can be asked; the connection is opened when it is needed."""

    def __init__(self, url: str):
        where = urlsplit(url)
        self._where = where.hostname or "", where.port or 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def ask(self, method: str, path: str, key: str, body: bytes = b"", accept: str = "*/*") -> Answer:
        """The whole answer, a stream of events to its end. Raises: OSError, EOFError when the connection breaks."""
        answer = await _read(await self.send(method, path, key, body, accept))
        if answer.headers.get("connection") == "close":
            await self._close()
        return answer

    async def send(
        self, method: str, path: str, key: str, body: bytes = b"", accept: str = "*/*"
    ) -> asyncio.StreamReader:
        """Where the answer comes; it is for the caller to read, to its end before the next request.

        Raises: OSError when there is no connection.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._where)
        reader, writer = self._streams
        writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: {self._where[0]}\r\nauthorization: Bearer {key}\r\n"
            f"accept: {accept}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return reader

    async def _close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()


async def _read(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    pairs = [line.partition(":") for line in lines]
    status, headers = int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
    if status in NO_BODY:
        return Answer(status, headers, b"")
    if "content-length" in headers:
        return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    return Answer(status, headers, b"".join([chunk async for chunk in _chunks(reader)]))


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        chunk = await reader.readexactly(size + 2)
        if not size:
            return
        yield chunk[:-2]
