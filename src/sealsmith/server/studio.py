"""The studio's files: a page at `/`, and what it is made of under `/assets/`. Open without a key; it asks for one.

The files are built from web/ by `make studio` and come with the package. What a page of ours may do is said in its
headers: nothing but its own scripts, styles and pictures, and talk to this server.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi import Path as FromPath
from fastapi.responses import Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
ALWAYS_ASKED = "no-cache"
NEVER_CHANGED = "public, max-age=31536000, immutable"
"""For files whose names hold their content's hash."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
"""What a build may consist of."""
ROUTE = {"include_in_schema": False, "methods": ["GET", "HEAD"], "response_class": Response}

router = APIRouter()


@dataclass(frozen=True)
class StaticFile:
    """A file of the build, read once."""

    data: bytes
    packed: bytes
    """The same through gzip."""
    media_type: str
    etag: str


@cache
def files(folder: Path = FOLDER) -> dict[str, StaticFile]:
    """The build by path, `index.html` and `assets/...`; what has no type of ours is not served."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in TYPES:
            data = path.read_bytes()
            etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
            packed = gzip.compress(data, mtime=0)
            name = path.relative_to(folder).as_posix()
            found[name] = StaticFile(data, packed, TYPES[path.suffix], etag)
    return found


Known = Annotated[str | None, Header(alias="if-none-match")]
Packed = Annotated[str, Header(alias="accept-encoding")]


@router.api_route("/", **ROUTE)  # type: ignore[arg-type]
def page(known: Known = None, encodings: Packed = "") -> Response:
    """The studio."""
    return _answer("index.html", ALWAYS_ASKED, known, encodings)


@router.api_route("/assets/{name}", **ROUTE)  # type: ignore[arg-type]
def asset(
    name: Annotated[str, FromPath(max_length=200)], known: Known = None, encodings: Packed = ""
) -> Response:
    """What the studio is made of."""
    return _answer(f"assets/{name}", NEVER_CHANGED, known, encodings)


def _answer(name: str, caching: str, known: str | None, encodings: str) -> Response:
    """The file, or that the browser has it. Raises: HTTPException where there is none."""
    file = files().get(name)
    if file is None:
        raise HTTPException(404, "the studio has no such file")
    headers = {**HEADERS, "cache-control": caching, "etag": file.etag, "vary": "accept-encoding"}
    if known is not None and file.etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
        return Response(status_code=304, headers=headers)
    if "gzip" in {word.partition(";")[0].strip() for word in encodings.split(",")}:
        headers["content-encoding"] = "gzip"
        return Response(file.packed, media_type=file.media_type, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)
