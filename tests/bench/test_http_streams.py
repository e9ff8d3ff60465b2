"""What is said of streams that are held is true of the time in which they were."""

import asyncio

from sealsmith.bench.http_server import Tenant
from sealsmith.bench.http_streams import Audience, Listener, Streams


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server whose streams never end by themselves."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent: step\n\n")
    await reader.read()
    writer.close()


async def held(num_listeners: int, num_wanted: int) -> Streams:
    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        listeners = [Listener(Tenant("ann", "key", ()), training="0" * 32)] * num_listeners
        return await Audience(f"http://{host}:{port}", num_wanted).hold(listeners, 0.01)


def test_streams_that_are_closed_at_the_end_were_open_till_then() -> None:
    found = asyncio.run(held(8, 5))
    assert 5 <= found.fewest_open <= found.most_open <= 8
    assert (found.num_broken, found.num_ended) == (0, 0)
