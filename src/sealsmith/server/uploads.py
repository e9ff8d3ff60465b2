"""Uploaded files on their way into an inspection: on this machine's disk for as long as it takes, then gone."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copyfileobj
from zipfile import ZipFile

from fastapi import UploadFile

from ..errors import BodySizeError, ConfigError

LOOSE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".txt", ".caption")
"""Of pictures, masks and captions that come one by one."""
SUFFIXES = (".safetensors", ".zip", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")


@asynccontextmanager
async def on_disk(upload: UploadFile, max_bytes: int) -> AsyncIterator[Path]:
    """A file of our own naming with what was uploaded, until the context ends.

    Of the name that came with it nothing stays but a suffix that is known here.
    Raises: BodySizeError; ConfigError when it is empty.
    """
    size = upload.size or 0
    _check_size(size, max_bytes)
    if not size:
        raise ConfigError("the file is empty", "send a file that is not")
    with tempfile.TemporaryDirectory(prefix="sealsmith-upload-") as folder:
        path = Path(folder) / f"upload{suffix_of(upload.filename or '')}"
        await asyncio.to_thread(_write, upload, path)
        yield path


@asynccontextmanager
async def packed(uploads: Sequence[UploadFile], max_bytes: int) -> AsyncIterator[Path]:
    """A zip of loose pictures, their captions and masks beside them by name, until the context ends.

    Folders in names are dropped. Raises: BodySizeError for more than `max_bytes` in all; ConfigError for a file
    that is of another kind, or has a name that another has.
    """
    _check_size(sum(upload.size or 0 for upload in uploads), max_bytes)
    names = [last_part(upload.filename or "") for upload in uploads]
    for name in names:
        if not name.lower().endswith(LOOSE_SUFFIXES) or not name.isprintable():
            raise ConfigError(
                f"{name[:80]!a} is neither a picture nor a caption",
                f"send files that end in {', '.join(LOOSE_SUFFIXES)}, or one zip as `file`",
            )
    if len({name.casefold() for name in names}) < len(names):
        raise ConfigError("two files have the same name", "give each picture a name of its own")
    with tempfile.TemporaryDirectory(prefix="sealsmith-upload-") as folder:
        path = Path(folder) / "upload.zip"
        await asyncio.to_thread(_pack, dict(zip(names, uploads, strict=True)), path)
        yield path


def suffix_of(name: str) -> str:
    """The suffix of an uploaded file, in lower case, where it is one of `SUFFIXES`; else none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def stem_of(name: str) -> str:
    """The name of an uploaded file without folders and suffix, as it may become a seal's name once checked."""
    last = last_part(name)
    return last[: len(last) - len(suffix_of(last))]


def last_part(name: str) -> str:
    """The name of an uploaded file without folders, of whichever system."""
    return name.replace("\\", "/").rpartition("/")[2]


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BodySizeError(f"{size} bytes were sent; at most {max_bytes} are taken", "send less")


def _pack(uploads: Mapping[str, UploadFile], path: Path) -> None:
    with ZipFile(path, "w") as archive:
        for name, upload in uploads.items():
            with archive.open(name, "w") as entry:
                copyfileobj(upload.file, entry)


def _write(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        copyfileobj(upload.file, file)
