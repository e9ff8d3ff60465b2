"""Listening for requests: uvicorn, with bounds on headers, and an orderly end.

Not for: what requests are answered with (app.py).
"""

import asyncio
import resource
import signal
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ConfigError
from .limits import HEADERS_WITHIN_S, MAX_HEADER_BYTES, PIECE_BYTES, SEND_WITHIN_S

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
BACKLOG = 2048
"""Connections that wait to be taken."""
LEAVE_WITHIN_S = 10
"""For what is under way when the server is to end."""
MAX_OPEN_FILES = 65_536
"""Connections and whatever else is open, as far as the system lets a process have them."""


AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER's value for a connection whose unsent bytes are forgotten when it is closed."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose connections end when a request's headers do not come, or an answer is not taken, in time."""

    within_s = HEADERS_WITHIN_S
    send_within_s = SEND_WITHIN_S
    _giving_up: asyncio.TimerHandle | None = None
    _letting_go: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(
            high=0
        )  # whatever waits to be sent pauses writing, and starts the clock
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._letting_go = self.loop.call_later(self.send_within_s, self._let_go)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None

    def _let_go(self) -> None:
        """Ends the connection of a client that has not taken what was sent, with all that waits for it: a transport
        that is only closed would wait for ever."""
        self._letting_go = None
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()

    def _watch(self) -> None:
        """Starts the clock when headers are waited for, and stops it when they are here."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._giving_up is None:
            self._giving_up = self.loop.call_later(self.within_s, self._give_up)

    def _unwatch(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _give_up(self) -> None:
        self._giving_up = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()


class Listener(uvicorn.Server):
    """uvicorn that leaves signals to whoever runs it."""

    port: int
    """The one it listens at."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: FastAPI, host: str, port: int, **options: Any) -> AsyncIterator[Listener]:
    """A listener that answers requests; when the context ends, it finishes those under way and ends.

    `port` 0: any that is free. `options`: further ones of uvicorn's. Raises: ConfigError when it cannot listen.
    """
    bound = bound_socket(host, port)
    config = uvicorn.Config(
        app,
        http=options.pop("http", PatientProtocol),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=LEAVE_WITHIN_S,
        **options,
    )
    listener = Listener(config)
    listener.port = bound.getsockname()[1]
    serving = asyncio.create_task(listener.serve([bound]))
    try:
        yield listener
    finally:
        listener.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at this address, to listen with. Raises: ConfigError.

    It says that it is TCP's, for asyncio sends at once only on those; else an answer's body would wait for the
    client to confirm its headers, 40 ms. Of what is not sent yet its connections keep a piece or two, where the
    system would take megabytes for a client that reads nothing.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 2 * PIECE_BYTES)
        bound.bind((host, port))
        bound.listen(BACKLOG)  # at once: who knows the address from now on is served, if after a moment
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen at {host}:{port}: {error}", "give another --port, or end what listens there"
        ) from error
    return bound


def allow_many_connections() -> None:
    """Has this process open as many files as it may: often it is let begin with 1,024, and each listener is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def until_told() -> None:
    """Returns when this process is told to end: SIGTERM, or Ctrl-C."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, told.set)
    try:
        await told.wait()
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
