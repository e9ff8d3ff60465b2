"""A whole service whose engine can also be asked without HTTP: two ways to the same process.

    python -m sealsmith.bench.same_engine FOLDER BASE

Says its address on standard output, as `sealsmith serve` does. Then each line on standard input is a `Round` in
JSON, which its engine draws; it answers with the seconds that took, one line a round. Ends when its input does, or
by SIGTERM. Two engines differ by some per cent from their start to their end, so a service's and another one do not
tell what HTTP costs. Not for: other figures of a service, which are `sealsmith serve`'s own (http_server.py).
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from ..catalog import open_catalog
from ..catalog.places import places
from ..engine.client import EngineClient
from ..engine.messages import Draw
from ..garbage import keep_what_is_here
from ..quiet import hush_as_begun
from ..server.app import create_app
from ..server.catalog_service import catalog_service
from ..server.drawing_service import EngineSettings
from ..server.listening import allow_many_connections, listening, until_told
from ..server.log import set_up_log
from .rounds import in_turn, timed

MAX_LINE_BYTES = 16 << 20


class Round(msgspec.Struct, frozen=True):
    """Pictures for so many customers, each with one order at a time."""

    num_customers: int
    draws: tuple[Draw, ...]


async def serve(folder: Path, base: str) -> None:
    """Without workers and without limits of rates."""
    where = places(folder)
    allow_many_connections()
    with open_catalog(where.database, where.store) as catalog:
        async with (
            catalog_service(EngineSettings(base), catalog, where.store) as service,
            listening(create_app(service), "127.0.0.1", 0) as listener,
        ):
            set_up_log()
            keep_what_is_here()
            print(f"http://127.0.0.1:{listener.port}", flush=True)
            ends = [asyncio.create_task(work) for work in (_rounds(service.engine), until_told())]
            ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            service.engine.expect_end()
            for end in ends:
                end.cancel()
            for end in ended:
                end.result()  # why a picture was not drawn, for the log


async def _rounds(engine: EngineClient) -> None:
    """Until the input ends."""
    lines = asyncio.StreamReader(MAX_LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await lines.readline():
        wanted = msgspec.json.decode(line, type=Round)
        seconds = await timed(in_turn(iter(wanted.draws), [engine.picture] * wanted.num_customers))
        print(seconds, flush=True)


if __name__ == "__main__":
    hush_as_begun()
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
