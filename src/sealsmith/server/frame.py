"""What stands around every request: an id, a line in the log, the counters, and bounds on size and patience.

Not for: how long headers may be and may take, and how long an answer may take, which is the connection's affair
(listening.py).
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from ..errors import BodySizeError, ForbiddenError, HeaderSizeError, SealsmithError, SlowClientError
from .answers import Complaint, answer, complaint_of, complaint_of_unexpected
from .limits import BODY_PAUSE_S, MAX_HEADER_BYTES, MIN_BODY_BYTES_S, PIECE_BYTES, max_body_bytes
from .log import Log
from .metrics import Metrics
from .tracing import NO_TRACING, Span, Tracing

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What is counted by its name; clients may make up others without end."""
TRACE_HEADERS = ("traceparent", "tracestate")
"""In which W3C's trace context comes."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = Log("sealsmith.http")


@dataclass(frozen=True)
class Patience:
    """How long a client's body is waited for."""

    pause_s: float = BODY_PAUSE_S
    bytes_per_s: float = MIN_BODY_BYTES_S


class RequestFrame:
    """The outermost layer of the app."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        patience: Patience,
        hosts: Collection[str] | None,
        tracing: Tracing = NO_TRACING,
    ):
        self._app, self._metrics, self._patience, self._hosts = app, metrics, patience, hosts
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = _request_id(scope)
        headers = {name: value.decode() for name in TRACE_HEADERS if (value := _header(scope, name.encode()))}
        with (
            bound_contextvars(request_id=scope["request_id"]),
            self._tracing.request(_method(scope), headers) as span,
        ):
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        began = time.perf_counter()
        body = _Body(receive, max_body_bytes(scope["path"]), self._patience, not _has_body(scope))
        answering = _Answering(send, body, scope["request_id"])
        try:
            _check_headers(scope)
            check_source(_header(scope, b"host"), _header(scope, b"origin"), self._hosts)
            body.check_announced(_header(scope, b"content-length"))
            await self._app(scope, body.receive, answering.send)
        except SealsmithError as error:
            await self._complain(scope, receive, answering, complaint_of(error, scope["request_id"]))
        except Exception as error:
            log.exception("unexpected", request_id=scope["request_id"], path=scope["path"])
            unexpected = complaint_of_unexpected(error, scope["request_id"])
            await self._complain(scope, receive, answering, unexpected)
        finally:
            self._note(scope, answering, began, span)

    async def _complain(
        self, scope: Scope, receive: Receive, answering: "_Answering", complaint: Complaint
    ) -> None:
        """Says it, if nothing was said yet; else the connection just ends."""
        if answering.status is None:
            await answer(scope["path"], complaint)(scope, receive, answering.send)

    def _note(self, scope: Scope, answering: "_Answering", began: float, span: Span) -> None:
        route = getattr(scope.get("route"), "path", "none")
        status = answering.status or 499
        until = answering.began or time.perf_counter()
        method = _method(scope)
        span.set(
            http__request__method=method,
            http__route=route,
            http__response__status_code=status,
            sealsmith__request_id=scope["request_id"],
        )
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(route).observe(until - began)
        log.info(
            "request",
            request_id=scope["request_id"],
            method=scope["method"],
            path=scope["path"][:200],
            route=route,
            status=status,
            ms=round(1000 * (time.perf_counter() - began)),
            client=(scope.get("client") or ("",))[0],
            key=scope.get("key", ""),
        )


@dataclass
class _Answering:
    """Sends with the request's id, and of a large answer no more than the client has room for."""

    _send: Send
    _body: "_Body"
    _request_id: str
    status: int | None = None
    """Once the answer has begun."""
    began: float | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.began = message["status"], time.perf_counter()
            own = [(b"x-request-id", self._request_id.encode()), (b"x-content-type-options", b"nosniff")]
            if not self._body.is_whole:  # nobody will read what is left of it
                own.append((b"connection", b"close"))
            message["headers"] = [*message.get("headers", []), *own]
        elif len(message.get("body", b"")) > PIECE_BYTES:
            await self._send_in_pieces(message)
            return
        await self._send(message)

    async def _send_in_pieces(self, message: Message) -> None:
        """The server waits for the client before it takes something to send, not behind it."""
        whole = memoryview(message["body"])
        for start in range(0, len(whole), PIECE_BYTES):
            is_last = start + PIECE_BYTES >= len(whole)
            more = not is_last or message.get("more_body", False)
            await self._send({**message, "body": whole[start : start + PIECE_BYTES], "more_body": more})
            await asyncio.sleep(0)  # others are answered, too, where a client takes all at once


@dataclass
class _Body:
    """Receives a body that is no larger and no slower than it may be."""

    _receive: Receive
    _max_bytes: int
    _patience: Patience
    is_whole: bool
    """Whether nothing more of it will come."""
    clock: Callable[[], float] = time.monotonic
    _num_bytes: int = 0
    _waited_s: float = 0.0
    """For the client, since its pace was last judged."""
    _num_lately: int = 0
    """Bytes that came meanwhile."""

    def check_announced(self, length: bytes | None) -> None:
        """Refuses a body by its `content-length`, before any of it is read. Raises: BodySizeError."""
        if length is not None and length.isdigit() and (len(length) > 18 or int(length) > self._max_bytes):
            raise self._too_large(f"announced as {length[:24].decode()} bytes")

    async def receive(self) -> Message:
        """Raises: BodySizeError, SlowClientError."""
        if self.is_whole:  # what comes now is the client's going away, which may take as long as it likes
            return await self._receive()
        began = self.clock()
        try:
            async with asyncio.timeout(self._patience.pause_s):
                message = await self._receive()
        except TimeoutError as error:
            raise SlowClientError(
                f"nothing of the body came for {self._patience.pause_s:g} s", "send it at once"
            ) from error
        self._waited_s += self.clock() - began
        self._take(message)
        return message

    def _take(self, message: Message) -> None:
        self.is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        num_bytes = len(message.get("body", b""))
        self._num_bytes += num_bytes
        self._num_lately += num_bytes
        if self._num_bytes > self._max_bytes:
            raise self._too_large("larger")
        if not self.is_whole and self._waited_s >= self._patience.pause_s:
            self._check_pace()

    def _check_pace(self) -> None:
        """Judges what came since this was last asked, so that a body that begins fast may not end slowly."""
        if self._num_lately < self._waited_s * self._patience.bytes_per_s:
            raise SlowClientError(
                f"{self._num_lately} bytes of the body came in {self._waited_s:.0f} s",
                f"send at least {self._patience.bytes_per_s:g} bytes a second",
            )
        self._waited_s, self._num_lately = 0.0, 0

    def _too_large(self, how: str) -> BodySizeError:
        return BodySizeError(
            f"the body is {how}; this route takes {self._max_bytes} bytes", "send less at once"
        )


def check_source(host: bytes | None, origin: bytes | None, hosts: Collection[str] | None) -> None:
    """Refuses what a page of another site has a browser ask for, where no key would tell.

    `hosts`: the names this server answers to; None: any. A page that was loaded under another name, which then came
    to mean this machine, says so in `host`. Raises: ForbiddenError.
    """
    own = (host or b"").decode("latin-1").lower()
    if hosts is not None and _without_port(own) not in hosts:
        raise ForbiddenError(
            f"this server is not called {own[:100]!r}", f"ask it as {' or '.join(sorted(hosts))}"
        )
    page = (origin or b"").decode("latin-1").lower()
    if page and page.partition("://")[2] != own:
        raise ForbiddenError(
            f"a page of {page[:100]!r} may not ask this server",
            "ask it from its own pages, or from a program",
        )


def _without_port(host: str) -> str:
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _has_body(scope: Scope) -> bool:
    return (
        _header(scope, b"content-length") not in (None, b"0")
        or _header(scope, b"transfer-encoding") is not None
    )


def _check_headers(scope: Scope) -> None:
    """Raises: HeaderSizeError. uvicorn's own bound holds only for headers that come in pieces."""
    num_bytes = len(scope["raw_path"]) + len(scope["query_string"])
    num_bytes += sum(len(key) + len(value) for key, value in scope["headers"])
    if num_bytes > MAX_HEADER_BYTES:
        raise HeaderSizeError(
            f"the request's headers and address are {num_bytes} bytes large, expected at most {MAX_HEADER_BYTES}",
            "send fewer or shorter ones",
        )


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in METHODS else "other"


def _request_id(scope: Scope) -> str:
    """The client's own, if it has one that can stand in a header and a log; else a new one."""
    given = (_header(scope, b"x-request-id") or b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else f"req-{secrets.token_hex(12)}"
