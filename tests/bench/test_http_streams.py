"""What is said of streams that are held is true of the time in which they were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import pytest

from sealsmith.bench import http_streams
from sealsmith.bench.http_server import Tenant
from sealsmith.bench.http_streams import Audience, Listener, Streams


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server whose streams never end by themselves."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent: step\n\n")
    await reader.read()
    writer.close()


async def held(
    num_listeners: int,
    num_wanted: int,
    hold_s: float = 0.01,
    watched: AbstractAsyncContextManager[None] | None = None,
) -> Streams:
    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        listeners = [Listener(Tenant("ann", "key", ()), training="0" * 32)] * num_listeners
        return await Audience(f"http://{host}:{port}", num_wanted).hold(
            listeners, hold_s, watched or nullcontext()
        )


def test_streams_that_are_closed_at_the_end_were_open_till_then() -> None:
    found = asyncio.run(held(8, 5))
    assert 5 <= found.fewest_open <= found.most_open <= 8
    assert (found.num_broken, found.num_ended) == (0, 0)


@pytest.mark.parametrize(("num_listeners", "is_full"), [(4, True), (2, False)])
def test_what_watches_is_there_before_the_time_begins(
    num_listeners: int, is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to come; and not at all where too few listen."""
    monkeypatch.setattr(http_streams, "OPEN_WITHIN_S", 0.5)
    watched: list[float] = []

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        yield
        watched.append(asyncio.get_running_loop().time() - began)

    asyncio.run(held(num_listeners, 4, 0.2, slow()))
    assert len(watched) == is_full
    assert all(seconds >= 0.2 for seconds in watched)
