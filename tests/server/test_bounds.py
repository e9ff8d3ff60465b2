"""Bodies, headers and clients that are too large or too slow: each costs its own connection, and nobody else's."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from keyed import KEYS, KeyedLibrary
from running import Running, beside
from starlette.types import Message

from sealsmith.errors import BusyError, ForbiddenError, SlowClientError
from sealsmith.server.frame import Patience, _Body, check_source
from sealsmith.server.library import Caller
from sealsmith.server.limits import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_WHOLE_FILES,
    PIECE_BYTES,
    UPLOAD_BYTES,
)
from sealsmith.server.listening import PatientProtocol
from sealsmith.server.local_service import own_names
from sealsmith.server.whole_files import WholeFiles

QUICK = Patience(pause_s=0.5, bytes_per_s=20_000)
LATEST_S = 60
"""For what takes half a second on a machine that is not busy."""


class Watched(PatientProtocol):
    made: ClassVar[list["Watched"]] = []
    """Connections that are open."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.made.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.made.remove(self)
        super().connection_lost(exc)


class Impatient(Watched):
    within_s = 0.5
    send_within_s = 0.5


@dataclass(frozen=True)
class LargeSeals(KeyedLibrary):
    """One whose every seal is the same large file."""

    data: bytes

    async def seal_bytes(self, caller: Caller, digest: str) -> bytes:
        return self.data


@pytest.fixture(scope="module")
def impatient(served: Running) -> Iterator[Running]:
    with beside(served, patience=QUICK, http=Impatient) as running:
        yield running


def connected(running: Running, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=LATEST_S)
    connection.sendall(sent)
    return connection


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    data = b""
    with connection:
        try:
            while piece := connection.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
    return data


def asked(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


def posted(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode()


OTHER_PATHS = ("/v1/images", "/v1/images/generations", "/sdapi/v1/txt2img", "/nowhere")


@pytest.mark.parametrize("path", [*OTHER_PATHS, *UPLOAD_BYTES])
def test_a_body_announced_as_too_large_is_refused_unread(served: Running, path: str) -> None:
    for length in (UPLOAD_BYTES.get(path, MAX_BODY_BYTES) + 1, 10**17):
        answer = answer_of(connected(served, posted(path, f"content-length: {length}")))
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert b"body-size" in answer


def test_a_body_that_becomes_too_large_is_refused_on_the_way(served: Running) -> None:
    connection = connected(served, posted("/v1/images", "transfer-encoding: chunked"))
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    try:
        for _ in range(MAX_BODY_BYTES // 65536 + 8):
            connection.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    answer = answer_of(connection)
    assert answer == b"" or b" 413 " in answer.splitlines()[0]


@pytest.mark.parametrize("kind", ["one", "many", "path"])
def test_huge_headers_end_the_connection(served: Running, kind: str) -> None:
    huge = {
        "one": asked("/healthz", "connection: close", "x-a: " + "a" * MAX_HEADER_BYTES),
        "many": asked("/healthz", "connection: close", *(f"x-{i}: {'a' * 60}" for i in range(2000))),
        "path": posted("/" + "a" * MAX_HEADER_BYTES, "connection: close"),
    }
    answer = answer_of(connected(served, huge[kind]))
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


@pytest.mark.parametrize("after", [b"0\r\n" + b"x-a: b\r\n" * (1 << 17), b"1;" + b"a" * (1 << 20)])
def test_trailers_and_extensions_of_a_body_without_end_end_the_connection(
    served: Running, after: bytes
) -> None:
    connection = connected(served, posted("/v1/images", "transfer-encoding: chunked") + b"1\r\n{\r\n")
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(after)
    answer = answer_of(connection)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
def test_the_body_of_a_request_that_asks_for_an_upgrade_is_its_own(served: Running, pause_s: float) -> None:
    body = asked("/smuggled")
    upgrade = ("connection: Upgrade", "upgrade: h2c", f"content-length: {len(body)}")
    connection = connected(served, posted("/nowhere", *upgrade))
    time.sleep(pause_s)
    with suppress(OSError):  # it may be closed already: whoever is refused is not read to the end
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
    answer = answer_of(connection)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer


def test_who_speaks_an_older_http_gets_no_chunks(served: Running) -> None:
    with served.client() as client:
        events = client.post("/v1/images", json={"prompt": "x", "steps": 1}).json()["events_url"]
    answer = answer_of(connected(served, f"GET {events} HTTP/1.0\r\nhost: x\r\n\r\n".encode()))
    assert b"event: end" in answer
    assert b"chunked" not in answer.lower()


def test_a_body_larger_than_headers_may_be_is_taken(served: Running) -> None:
    body = b'{"prompt": "x", "steps": 1' + b" " * 2 * MAX_HEADER_BYTES + b"}"
    connection = connected(
        served, posted("/v1/images", "connection: close", f"content-length: {len(body)}") + body
    )
    assert answer_of(connection).startswith(b"HTTP/1.1 202 ")


GARBAGE = (b"\x16\x03\x01\x02\0\x01\0", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/x\r\n\r\n")


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_http_ends_the_connection(served: Running, garbage: bytes) -> None:
    connection = connected(served, garbage)
    connection.shutdown(socket.SHUT_WR)
    answer = answer_of(connection)
    assert answer == b"" or b" 400 " in answer.splitlines()[0]


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nhost:"])
def test_headers_that_do_not_come_are_not_waited_for(impatient: Running, sent: bytes) -> None:
    assert b" 408 " in answer_of(connected(impatient, sent))


def test_headers_that_drip_are_not_waited_for(impatient: Running) -> None:
    connection = connected(impatient, b"GET /healthz HTTP/1.1\r\n")
    connection.settimeout(0.02)
    until = time.monotonic() + LATEST_S
    closed = False
    while not closed and time.monotonic() < until:
        try:
            connection.sendall(b"x")
            closed = b"408" in connection.recv(1000)
        except TimeoutError:
            continue
        except OSError:
            closed = True
    connection.close()
    assert closed


def test_a_body_that_stops_is_not_waited_for(impatient: Running) -> None:
    answer = answer_of(connected(impatient, posted("/v1/images", "content-length: 100") + b"{"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"slow-client" in answer


def dripping(connection: socket.socket, every_s: float) -> bytes:
    """What is answered to a body that goes on byte by byte; nothing, where that comes too late."""
    connection.settimeout(every_s)
    until = time.monotonic() + LATEST_S
    answer = b""
    while not answer and time.monotonic() < until:
        try:
            connection.sendall(b" ")
            answer = connection.recv(4096)
        except TimeoutError:
            continue
    connection.close()
    return answer


def test_a_body_that_drips_is_not_waited_for(impatient: Running) -> None:
    connection = connected(impatient, posted("/v1/images", "content-length: 100000"))
    answer = dripping(connection, every_s=0.02)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_begins_fast_may_not_end_slowly(impatient: Running) -> None:
    """However much came before: the pace is that of the last while."""
    connection = connected(impatient, posted("/v1/images", f"content-length: {MAX_BODY_BYTES}"))
    connection.sendall(b" " * (MAX_BODY_BYTES - 10_000))
    answer = dripping(connection, every_s=0.1)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_only_what_a_client_is_waited_for_counts_against_it() -> None:
    """A server that is slow itself blames nobody, and a fast beginning pays for no slow end."""
    now_s = [0.0]
    waits = iter([(0.0, 10_000_000), (15.0, 1), (15.0, 1), (15.0, 1), (15.0, 1)])

    async def receive() -> Message:
        seconds, num_bytes = next(waits)
        now_s[0] += seconds
        return {"type": "http.request", "body": bytes(num_bytes), "more_body": True}

    async def read() -> None:
        body = _Body(receive, 1 << 30, Patience(), is_whole=False, clock=lambda: now_s[0])
        await body.receive()
        now_s[0] += 10_000
        for _ in range(3):
            await body.receive()
        with pytest.raises(SlowClientError, match=r"^2 bytes of the body came in 30 s"):
            await body.receive()

    asyncio.run(read())


def test_meanwhile_others_are_answered(impatient: Running) -> None:
    slow = [connected(impatient, posted("/v1/images", "content-length: 100")) for _ in range(50)]
    with impatient.client() as client:
        assert client.get("/healthz").status_code == 200
    for connection in slow:
        connection.close()


LARGE = bytes(32 << 20)
"""A file that no system takes whole for a client that reads nothing."""


@pytest.fixture
def large_seal(served: Running) -> Iterator[Callable[[type[PatientProtocol]], tuple[Running, bytes]]]:
    """A service whose seals are large, with connections of a kind, and a request for one."""
    with served.client() as client:
        path = f"/v1/seals/{client.get('/v1/seals').json()['seals'][0]['id']}/file"
    with ExitStack() as stack:

        def serve(http: type[PatientProtocol]) -> tuple[Running, bytes]:
            service = replace(
                served.service,
                library=LargeSeals(served.service.library, KEYS, LARGE),
                whole_files=WholeFiles(),
            )
            running = stack.enter_context(beside(served, service, http=http))
            return running, asked(path, "authorization: Bearer key-of-ann")

        yield serve


def reading_nothing(running: Running, request: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(LATEST_S)
    connection.connect(("127.0.0.1", running.port))
    connection.sendall(request)
    return connection


def soon(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + LATEST_S
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)
    return is_so()


def test_a_client_that_takes_nothing_of_a_large_answer_is_let_go(
    large_seal: Callable[[type[PatientProtocol]], tuple[Running, bytes]],
) -> None:
    running, request = large_seal(Impatient)
    before = sys.getrefcount(LARGE)
    connections = [reading_nothing(running, request) for _ in range(MAX_WHOLE_FILES)]
    assert soon(lambda: sys.getrefcount(LARGE) > before)
    assert soon(lambda: sys.getrefcount(LARGE) == before)
    for connection in connections:
        assert len(answer_of(connection)) < 1 << 20
    with running.client(headers={"authorization": "Bearer key-of-ann"}) as client:
        assert client.get(request.split()[1].decode()).content == LARGE


def test_of_a_large_answer_a_connection_holds_a_piece(
    large_seal: Callable[[type[PatientProtocol]], tuple[Running, bytes]],
) -> None:
    running, request = large_seal(Watched)
    others = set(Watched.made)
    connections = [reading_nothing(running, request) for _ in range(MAX_WHOLE_FILES)]

    def waiting() -> list[int]:
        mine = (each for each in Watched.made if each not in others)
        return [size for each in mine if (size := each.transport.get_write_buffer_size())]

    assert soon(lambda: len(waiting()) == MAX_WHOLE_FILES)
    assert max(waiting()) <= PIECE_BYTES
    refused = answer_of(connected(running, request))
    assert refused.startswith(b"HTTP/1.1 429 ")
    assert b"busy" in refused
    for connection in connections:
        connection.close()
    with running.client(headers={"authorization": "Bearer key-of-ann"}) as client:
        path = request.split()[1].decode()
        assert soon(lambda: client.get(path).status_code == 200)


def test_a_tenant_s_files_on_their_way_are_counted_until_they_are_sent() -> None:
    files = WholeFiles(most=1)
    with files.one_of("ann"):
        with pytest.raises(BusyError, match="1 files are on their way"), files.one_of("ann"):
            pass
        with files.one_of("bob"):
            pass
    with files.one_of("ann"):
        pass


def test_events_wait_as_long_as_it_takes(impatient: Running) -> None:
    """What is slow is the picture, not the client: patience with bodies does not end a stream of events."""
    with impatient.client() as client:
        placed = client.post("/v1/images", json={"prompt": "x", "steps": 150}).json()
        with client.stream("GET", placed["events_url"]) as events:
            assert "event: end" in "".join(events.iter_text())


@pytest.mark.parametrize("behind", [b"", asked("/healthz")], ids=["alone", "with another behind it"])
@pytest.mark.parametrize("path", ["/v1/images/generations", "/sdapi/v1/txt2img"])
def test_a_client_that_goes_away_cancels_what_it_waited_for(
    served: Running, path: str, behind: bytes
) -> None:
    body = b'{"prompt": "x", "steps": 150, "num_inference_steps": 150, "n": 8, "batch_size": 8}'
    if "generations" in path:
        body = body.replace(b'"steps": 150, ', b"").replace(b', "batch_size": 8', b"")
    connection = connected(served, posted(path, f"content-length: {len(body)}") + body + behind)
    with served.client() as client:

        def job_count() -> int:
            return int(client.get("/sdapi/v1/progress").json()["state"]["job_count"])

        def num_cancelled() -> float:
            registry = served.service.metrics.registry
            return registry.get_sample_value("sealsmith_pictures_total", {"outcome": "cancelled"}) or 0.0

        before = num_cancelled()
        while not job_count():
            pass
        connection.close()
        while job_count():
            pass
        until = time.monotonic() + LATEST_S
        while num_cancelled() == before and time.monotonic() < until:
            time.sleep(0.01)
        assert num_cancelled() > before


OWN = own_names("127.0.0.1")


@pytest.mark.parametrize(
    ("host", "origin", "hosts"),
    [
        (b"evil.example", None, OWN),
        (b"127.0.0.1.evil.example:7860", None, OWN),
        (b"", None, OWN),
        (None, None, OWN),
        (b"127.0.0.1:7860", b"http://evil.example", OWN),
        (b"127.0.0.1:7860", b"http://127.0.0.1:8000", OWN),
        (b"127.0.0.1:7860", b"null", OWN),
        (b"seals.example", b"https://evil.example", None),
    ],
)
def test_pages_of_other_sites_are_refused(
    host: bytes | None, origin: bytes | None, hosts: frozenset[str] | None
) -> None:
    with pytest.raises(ForbiddenError, match=r"not called|may not ask"):
        check_source(host, origin, hosts)


@pytest.mark.parametrize("host", [b"127.0.0.1:7860", b"localhost", b"[::1]:7860", b"LOCALHOST:1"])
def test_the_owner_and_the_server_s_own_pages_are_taken(host: bytes) -> None:
    check_source(host, None, OWN)
    check_source(host, b"http://" + host, OWN)
    check_source(b"seals.example", b"https://seals.example", own_names("0.0.0.0"))
