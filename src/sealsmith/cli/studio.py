"""Where the studio of a server is, told to whoever started it, and opened in their browser.

Everybody on a machine can read the command lines of all programs (`ps`), so no key stands on the browser's: it is
sent to a file that only this user can read, and from there to the studio. A code that is good once would be no
better, since whoever reads it there may be faster than the browser.
"""

import os
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .console import note

if TYPE_CHECKING:
    from pydantic import SecretStr

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What listens at all of a machine's addresses is asked at this one."""

OPENED_WITHIN_S = 60.0
"""For a browser to start; then the file with the key is gone."""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Sealsmith</title>
<p><a href="{address}">The studio</a>
</html>
"""


def studio_address(host: str, port: int, key: "SecretStr | None" = None) -> str:
    """The studio's address, with a key behind it that never leaves the browser."""
    name = EVERYWHERE.get(host, host)
    page = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
    return page if key is None else f"{page}#key={key.get_secret_value()}"


@contextmanager
def shown_studio(address: str, key: "SecretStr | None", is_opened: bool) -> Iterator[None]:
    """Says a first key, this once, and opens the browser where that is wanted and there is one.

    `address`: with the key. What is made for the browser is gone when the context ends.
    """
    if key is not None:
        note(f"the studio, with the first key, shown this once and good for everything: {address}")
    if not (is_opened and has_display()):
        yield
    elif key is None:
        webbrowser.open(address)
        yield
    else:
        with private_page(address) as page:
            webbrowser.open(page)
            yield


@contextmanager
def private_page(address: str, lasts_s: float = OPENED_WITHIN_S) -> Iterator[str]:
    """Address of a file that sends a browser on, which only this user can read, for so long within the context."""
    with tempfile.TemporaryDirectory(prefix="sealsmith-studio-") as folder:  # nobody else may look into it
        page = Path(folder) / "studio.html"
        page.touch(0o600)
        page.write_text(PAGE.format(address=escape(address)), "utf-8")
        going = threading.Timer(lasts_s, page.unlink, kwargs={"missing_ok": True})
        going.daemon = True
        going.start()
        try:
            yield page.as_uri()
        finally:
            going.cancel()


def has_display() -> bool:
    """Whether a browser would have a window; without one, a text browser would take this terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
