"""Uploaded files on their way into an inspection: on this machine's disk for as long as it takes, then gone."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copyfileobj

from fastapi import UploadFile

from ..errors import BodySizeError, ConfigError

SUFFIXES = (".safetensors", ".zip", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")


@asynccontextmanager
async def on_disk(upload: UploadFile, max_bytes: int) -> AsyncIterator[Path]:
    """A file of our own naming with what was uploaded, until the context ends.

    Of the name that came with it nothing stays but a suffix that is known here.
    Raises: BodySizeError; ConfigError when it is empty.
    """
    size = upload.size or 0
    if size > max_bytes:
        raise BodySizeError(
            f"the file is {size} bytes large; at most {max_bytes} are taken", "send a smaller one"
        )
    if not size:
        raise ConfigError("the file is empty", "send a file that is not")
    with tempfile.TemporaryDirectory(prefix="sealsmith-upload-") as folder:
        path = Path(folder) / f"upload{suffix_of(upload.filename or '')}"
        await asyncio.to_thread(_write, upload, path)
        yield path


def suffix_of(name: str) -> str:
    """The suffix of an uploaded file, in lower case, where it is one of `SUFFIXES`; else none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def stem_of(name: str) -> str:
    """The name of an uploaded file without folders and suffix, as it may become a seal's name once checked."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return last[: len(last) - len(suffix_of(last))]


def _write(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        copyfileobj(upload.file, file)
