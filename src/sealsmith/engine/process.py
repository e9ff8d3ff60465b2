"""The engine's own process: it reads messages, lets the core take a step, and sends what happened, in turn.

One thread, so that the core needs no locks and an engine that hangs does not answer. Whatever the core lets through
of an error ends the process, and whoever started it starts another (client.py). Not for: what a step is (loop.py).
Imports no torch by itself: the core is named, and imported here alone.

    standard input   one line of JSON, `Start`; its end means that the parent is gone, and so are we
    standard output  one line of JSON, `Report`; what else is printed goes to standard error
    the socket       ZeroMQ ROUTER, one frame a message; who has not said Hello with our token is not heard
"""

import hmac
import logging
import math
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any, Protocol

import msgspec
import zmq

from ..errors import BusyError, ConfigError, DrawingError, SealsmithError
from ..garbage import keep_what_is_here
from ..quiet import hush_as_begun
from .messages import (
    MAX_REQUEST_BYTES,
    Cancel,
    Drain,
    Drained,
    Draw,
    Event,
    Hello,
    Message,
    Ping,
    Pong,
    Refused,
    Report,
    Start,
    Step,
    ToEngine,
    Welcome,
    check_protocol,
    dump_message,
    failure,
    is_last,
    parse_to_engine,
)
from .outbox import Outbox

IDLE_S = 0.1
"""How long nothing may happen before the core is asked again: its deadlines pass without a message."""
STUCK_S = 0.02
"""How soon events are sent again that a client had no room for."""
HIGH_WATER = 8
"""Messages in flight to one client; each may be a picture. What is beyond waits in its outbox."""
UNREAD_MS = 60_000
"""How long a drained engine stays for what its clients were sent and have not read."""
MAX_UNREAD = 256
"""Answers a client may leave unread before it is given no more work."""
CRASHED_STATUS = 70
FAULTS_OF_A_REQUEST = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a core may raise by mistake over a request's values, before it has taken it."""

log = logging.getLogger(__name__)


class EngineCore(Protocol):
    """What runs in the process. All is called from one thread; nothing but `step` may take long."""

    @property
    def about(self) -> Mapping[str, str]:
        """Base and settings, for people."""
        ...

    @property
    def gauges(self) -> Mapping[str, float]:
        """How full it is, for whoever watches."""
        ...

    def submit(self, request: Draw) -> None:
        """Takes a request, or raises a SealsmithError that says why not, and is as it was before."""
        ...

    def cancel(self, request_id: str) -> None:
        """Ends a request at once, by an event `Failed`; one it does not know is no error."""
        ...

    def step(self) -> bool:
        """At most one pass of the denoiser; whether there is more to do at once."""
        ...

    def events(self) -> Sequence[Event]:
        """What happened since this was last asked, in order; one Done or Failed for every request taken."""
        ...

    def close(self) -> None: ...


CoreFactory = Callable[[Mapping[str, Any], Callable[[], None]], EngineCore]
"""From its configuration and a function that any thread may call to have `step` called soon."""


@dataclass
class Steps:
    """Of one picture: which of its steps are worth a message."""

    pause_s: float
    told_s: float = -math.inf

    def is_due(self, step: Step, now_s: float) -> bool:
        """Whether one that is done now is told. The last is: nothing would say so later."""
        if now_s - self.told_s < self.pause_s and step.step < step.num_steps:
            return False
        self.told_s = now_s
        return True


@dataclass
class _Client:
    outbox: Outbox = field(default_factory=Outbox)
    requests: dict[str, Steps] = field(default_factory=dict)
    is_told: bool = False
    """Whether it knows that all is finished."""


class Host:
    """One core and its clients."""

    def __init__(self, core: EngineCore, socket: "zmq.Socket[bytes]", token: str, wake_fd: int = -1):
        self._core, self._socket, self._token, self._wake_fd = core, socket, token, wake_fd
        self._incarnation = secrets.token_hex(4)
        self._clients: dict[bytes, _Client] = {}
        self._owners: dict[str, bytes] = {}
        self._is_draining = False

    def drain(self) -> None:
        """Takes nothing more; `run` returns when all is finished and read."""
        self._is_draining = True

    def run(self, parent_fd: int | None = None) -> None:
        """Serves until it is drained, or until the parent at the other end of `parent_fd` is gone."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        for fd in (self._wake_fd, -1 if parent_fd is None else parent_fd):
            if fd >= 0:
                poller.register(fd, zmq.POLLIN)
        has_more = False
        while not (self._is_draining and self._is_done() and self._take_leave()):
            ready = dict(poller.poll(self._patience_ms(has_more)))
            if parent_fd is not None and parent_fd in ready and not os.read(parent_fd, 4096):
                log.warning("the process that started this engine is gone; so is the engine")
                return
            if self._wake_fd in ready:
                os.read(self._wake_fd, 4096)
            self._receive()
            has_more = self._core.step()
            self._collect()
            self._flush()
        self._socket.setsockopt(zmq.LINGER, UNREAD_MS)

    def _patience_ms(self, has_more: bool) -> int:
        if has_more:
            return 0
        is_stuck = any(len(client.outbox) for client in self._clients.values())
        is_leaving = self._is_draining and self._is_done()
        return int(1000 * (STUCK_S if is_stuck or is_leaving else IDLE_S))

    def _is_done(self) -> bool:
        return not self._owners and not any(len(client.outbox) for client in self._clients.values())

    def _take_leave(self) -> bool:
        """Whether every client has been told that all is finished; one without room for it is told later."""
        for identity, client in list(self._clients.items()):
            client.is_told = client.is_told or self._send(identity, Drained())
        return all(client.is_told for client in self._clients.values())

    def _receive(self) -> None:
        """Everything that has come."""
        while True:
            try:
                identity, *frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                if len(frames) == 1:
                    self._handle(identity, parse_to_engine(frames[0]))
            except SealsmithError as error:
                self._send(identity, Refused(str(error), error.remedy))

    def _handle(self, identity: bytes, message: ToEngine) -> None:
        if isinstance(message, Hello):
            self._greet(identity, message)
            return
        client = self._clients.get(identity)
        if client is None:
            self._send(
                identity, Refused("nothing is heard before Hello", "say Hello with the engine's token")
            )
        elif isinstance(message, Draw):
            self._submit(identity, client, message)
        elif isinstance(message, Cancel):
            if self._owners.get(message.id) == identity:
                self._core.cancel(message.id)
                self._collect()  # its id is free for what comes next
        elif isinstance(message, Ping):
            self._send(identity, Pong(dict(self._core.gauges)))
        elif isinstance(message, Drain):
            self.drain()

    def _greet(self, identity: bytes, hello: Hello) -> None:
        if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            self._send(identity, Refused("the token is not this engine's", "ask whoever started the engine"))
            return
        check_protocol(hello.protocol, hello.version, "client")
        self._clients.setdefault(identity, _Client())
        self._send(identity, Welcome(self._incarnation, os.getpid(), dict(self._core.about)))

    def _submit(self, identity: bytes, client: _Client, request: Draw) -> None:
        owner = self._owners.get(request.id)
        if owner == identity:  # the same picture, asked for again
            return
        try:
            if owner is not None:
                raise ConfigError(
                    f"another client's request is called {request.id!r}", "give each an id of its own"
                )
            if self._is_draining:
                raise BusyError("the engine is about to end", "send it again; another one will start")
            if client.outbox.num_last >= MAX_UNREAD:
                raise BusyError(f"{MAX_UNREAD} finished pictures were not read yet", "read them first")
            self._core.submit(request)
        except SealsmithError as error:
            client.outbox.put(failure(request.id, error))
        except FAULTS_OF_A_REQUEST as error:
            log.exception("a request cannot be taken")
            what = f"the request cannot be taken: {type(error).__name__}"
            client.outbox.put(failure(request.id, DrawingError(what, "see the engine's log")))
        else:
            self._owners[request.id] = identity
            client.requests[request.id] = Steps(request.step_pause_s)

    def _collect(self) -> None:
        """What happened in the core, into the clients' outboxes."""
        for event in self._core.events():
            self._put(event)

    def _put(self, event: Event) -> None:
        """Into its client's outbox; what belongs to a client that is gone, or is not due, goes nowhere."""
        identity = self._owners.get(event.id)
        if identity is None:
            return
        client = self._clients[identity]
        if isinstance(event, Step) and not client.requests[event.id].is_due(event, time.monotonic()):
            return
        client.outbox.put(event)
        if is_last(event):
            del self._owners[event.id]
            del client.requests[event.id]

    def _flush(self) -> None:
        """Sends what there is room for. A client that does not read keeps nobody waiting."""
        for identity, client in list(self._clients.items()):
            while (event := client.outbox.first()) is not None and self._send(identity, event):
                client.outbox.pop()

    def _send(self, identity: bytes, message: Message) -> bool:
        """Whether there was room for it. A client that is gone is forgotten, and its requests are cancelled."""
        try:
            self._socket.send_multipart([identity, dump_message(message)], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._forget(identity)
            return False
        return True

    def _forget(self, identity: bytes) -> None:
        client = self._clients.pop(identity, None)
        for request_id in client.requests if client else ():
            del self._owners[request_id]
            self._core.cancel(request_id)


def bound_socket(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> "zmq.Socket[bytes]":
    """A ROUTER that listens at `endpoint` and says so when a client has no room, or is gone."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.bind(endpoint)
    return socket


def main() -> int:
    """Runs the core that the standard input names; the exit status."""
    logging.basicConfig(format="engine: %(levelname)s: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    hush_as_begun()
    start = msgspec.json.decode(_first_line(0), type=Start)
    wake_fd, waking_fd = os.pipe()
    os.set_blocking(waking_fd, False)

    def wake() -> None:
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(waking_fd, b"\0")

    try:
        open_core: CoreFactory = resolve_name(start.core)
        core = open_core(start.config, wake)
    except SealsmithError as error:
        out.write(msgspec.json.encode(Report(failed=failure("", error))) + b"\n")
        return error.exit_status
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = bound_socket(context, start.endpoint)
    host = Host(core, socket, start.token, wake_fd)
    signal.signal(signal.SIGTERM, lambda *_: host.drain())
    keep_what_is_here()
    out.write(msgspec.json.encode(Report(socket.getsockopt_string(zmq.LAST_ENDPOINT))) + b"\n")
    out.close()
    try:
        host.run(parent_fd=0)
    except Exception:
        log.exception("the engine cannot go on")
        return CRASHED_STATUS
    finally:
        core.close()
        socket.close()
        context.term()
    return 0


def _first_line(fd: int) -> bytes:
    """Read byte by byte, so that nothing behind it is taken."""
    line = bytearray()
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
