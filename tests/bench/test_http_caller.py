"""The benchmark's own HTTP client reads every kind of answer that the service gives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sealsmith.bench.http_caller import Caller

ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789\r\nabcd\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nlocation: /here\r\n\r\nhi",
)


@asynccontextmanager
async def answering(connections: list[int]) -> AsyncIterator[str]:
    """A server that gives one of the answers to each request, in turn; it counts requests by connection."""
    left = iter(ANSWERS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        mine = len(connections) - 1
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert b"authorization: Bearer key" in head
                assert await reader.readexactly(4) == b"body"
                connections[mine] += 1
                answer = next(left)
                for start in range(0, len(answer), 7):  # as slowly as networks do
                    writer.write(answer[start : start + 7])
                    await writer.drain()
                if b"close" in answer:
                    break
        writer.close()
        await writer.wait_closed()
        ended.release()

    ended = asyncio.Semaphore(0)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for _ in connections:
        await ended.acquire()


async def _asked() -> tuple[list[tuple[int, bytes]], str, list[int]]:
    connections: list[int] = []
    async with answering(connections) as url, Caller(url) as caller:
        got = [await caller.ask("POST", "/path", "key", b"body") for _ in ANSWERS]
    return [(answer.status, answer.body) for answer in got], got[-1].headers["location"], connections


def test_answers_of_every_kind_come_whole_over_as_few_connections_as_can_be() -> None:
    answers, location, connections = asyncio.run(_asked())
    assert answers == [(200, b"hello"), (200, b"abc0123456789\r\nabcd"), (204, b""), (404, b""), (200, b"hi")]
    assert location == "/here"
    assert connections == [4, 1]
