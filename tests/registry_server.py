"""A registry of models on this machine that speaks Civitai's documented answers, for tests."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOT_FOUND = json.dumps({"error": "Model not found"}).encode()


def version_of(hashes: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A model version as the registry documents it."""
    return {
        "id": 2514310, "modelId": 827184, "name": "v1.0", "description": None, "baseModel": "SDXL 1.0",
        "baseModelType": "Standard", "air": "urn:air:sdxl:lora:civitai:827184@2514310", "status": "Published",
        "createdAt": "2025-12-18T08:55:00.000Z", "trainedWords": ["sks dog, red hat", "smile"],
        "model": {"name": "My dog", "type": "LORA", "nsfw": False, "poi": False},
        "stats": {"downloadCount": 3, "thumbsUpCount": 1}, "images": [],
        "files": [
            {"id": 1, "sizeKB": 1.5, "name": "dog.safetensors", "type": "Model", "hashes": hashes, "primary": True}
        ],
        "downloadUrl": "https://registry.example/api/download/models/2514310",
    } | changes  # fmt: skip


@dataclass
class Answer:
    """What the server says to one request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False
    """Send one byte, and another every 20 ms, until the client has had enough."""
    hangs_up: bool = False
    is_silent: bool = False
    """Say nothing, until the server closes."""


@dataclass
class FakeRegistry:
    """`answers` are given out in turn, the last one again and again; without any, `known` hashes are looked up."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Hash in lowercase hex -> version."""
    asked: list[str] = field(default_factory=list)
    """The hashes asked for, in order."""
    seen: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request."""

    def answer(self, digits: str) -> Answer:
        self.asked.append(digits)
        if self.answers:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        version = self.known.get(digits)
        return Answer(404, NOT_FOUND) if version is None else Answer(body=json.dumps(version).encode())


@contextmanager
def running_registry() -> Iterator[FakeRegistry]:
    """The registry on a port of this machine that is free, until the block ends."""
    registry = FakeRegistry()
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.seen.append(dict(self.headers))
            path, _, digits = self.path.rpartition("/")
            known = path == "/api/v1/model-versions/by-hash"
            self._say(registry.answer(digits) if known else Answer(400, b"no such route"))

        def _say(self, answer: Answer) -> None:
            if answer.is_silent:
                closing.wait(10)
            if answer.hangs_up or answer.is_silent:
                return
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json"}
            if not answer.drips:
                headers["Content-Length"] = str(len(answer.body))
            for name, value in (headers | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(answer.body)
                while answer.drips:
                    self.wfile.write(b" ")
                    time.sleep(0.02)
            except OSError:
                return  # the client went away, as it should

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield registry
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
