"""Where the studio of a server is, told to whoever started it, and opened in their browser."""

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from .console import note

if TYPE_CHECKING:
    from pydantic import SecretStr

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What listens at all of a machine's addresses is asked at this one."""


def studio_address(host: str, port: int, key: "SecretStr | None" = None) -> str:
    """The studio's address, with a key behind it that never leaves the browser."""
    name = EVERYWHERE.get(host, host)
    page = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
    return page if key is None else f"{page}#key={key.get_secret_value()}"


def show_studio(address: str, key: "SecretStr | None", is_opened: bool) -> None:
    """Says a first key, this once, and opens the browser where that is wanted and there is one."""
    if key is not None:
        note(f"the studio, with the first key, shown this once and good for everything: {address}")
    if is_opened and has_display():
        webbrowser.open(address)


def has_display() -> bool:
    """Whether a browser would have a window; without one, a text browser would take this terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
