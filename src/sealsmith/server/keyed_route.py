"""Routes that know who asks before they read what was sent: a stranger's upload costs no room on the disk.

FastAPI reads a body whole, files in it into temporary ones, before it asks any dependency. Not for: what a key is
worth (service.py), or how large and slow a body may be (frame.py).
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from ..errors import SealsmithError
from .service import gate_of

SMALL_BODY_BYTES = 64 << 10
"""A body of this size or less is read before its request is refused, so that a client that says all before it
listens hears why, on a connection that lives on."""


class KeyedRoute(APIRoute):
    """A route whose `CallerOf` is asked first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, gate = super().get_route_handler(), gate_of(self.dependant)
        assert gate is not None, f"{self.path} asks for no key"

        async def handle_known(request: Request) -> Response:
            try:
                await gate.admit(request)
            except SealsmithError:
                if int(request.headers.get("content-length", SMALL_BODY_BYTES + 1)) <= SMALL_BODY_BYTES:
                    await request.body()
                raise
            return await handle(request)

        return handle_known
