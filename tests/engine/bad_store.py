"""A store of seals on this machine that answers over HTTP, and misbehaves as it is told, for tests of faults."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sealsmith.engine.store import digest_of, path_of


@dataclass
class BadStore:
    """`files` by their path; `behaviour` of a path: "silent", "slow", "truncates", "damages", "error", "lies"."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    behaviour: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, data: bytes, behaviour: str = "") -> str:
        """Its digest."""
        digest = digest_of(data)
        self.files[path_of(digest)] = data
        self.behaviour[path_of(digest)] = behaviour
        return digest

    def behave(self, digest: str, behaviour: str = "") -> None:
        self.behaviour[path_of(digest)] = behaviour

    def times_asked(self, digest: str) -> int:
        return self.asked.count(path_of(digest))


@contextmanager
def bad_store() -> Iterator[BadStore]:
    store = BadStore()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.lstrip("/").removeprefix("bucket/")
            store.asked.append(path)
            data, behaviour = store.files.get(path), store.behaviour.get(path, "")
            self.close_connection = True
            if behaviour == "silent":
                store.closing.wait(60)
            elif data is None:
                self.send_error(404)
            elif behaviour == "error":
                self.send_error(503)
            else:
                self.answer(data, behaviour)

        def answer(self, data: bytes, behaviour: str) -> None:
            length = 10**12 if behaviour == "lies" else len(data)
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
            self.send_header("ETag", '"x"')
            self.end_headers()
            if behaviour == "damages":
                data = data[:-1] + bytes([data[-1] ^ 1])
            if behaviour == "slow":
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                store.closing.wait(60)
            self.wfile.write(data[: len(data) // 2] if behaviour == "truncates" else data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        store.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
