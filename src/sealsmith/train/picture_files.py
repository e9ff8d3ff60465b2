"""The files of a picture set, whether they lie in a folder or a zip: names, sizes, and bytes on demand.

Nothing is ever unpacked to disk, and every read is bounded. Not for: what the bytes mean (picture_decode.py,
picture_captions.py).
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import PictureError, PictureSetError
from .picture_notes import Notes

MAX_FILES = 10_000
MAX_FILE_BYTES = 128 << 20
MAX_ZIP_BYTES = 2 << 30
MAX_UNPACKED_BYTES = 8 << 30
MAX_ZIP_DIRECTORY_BYTES = 8 << 20
MAX_RATIO = 200
"""Unpacked / packed size of a zip entry above `RATIO_FREE_BYTES`; photos stay near 1, plain text near 5."""
RATIO_FREE_BYTES = 1 << 20

_PLAIN = "Pack only pictures and captions, with an ordinary zip program, or pass the folder itself."


@dataclass(frozen=True)
class SourceFile:
    """One file of a set. `name` is its path inside the set with `/` between folders, never absolute."""

    name: str
    size_bytes: int
    read: Callable[[], bytes]
    """Its bytes, `MAX_FILE_BYTES` at most. Raises: PictureError when it cannot be read or is larger."""

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.name)


def open_file(path: Path, name: str | None = None) -> SourceFile:
    """A file on disk, called `name` in the set (its own name when not given)."""
    return SourceFile(name or path.name, path.stat().st_size, partial(_read_from_disk, path))


def list_folder(folder: Path, notes: Notes) -> list[SourceFile]:
    """Every regular file under a folder, by name; hidden ones and links that lead outside are left out.

    Raises: PictureSetError when there are more than `MAX_FILES`.
    """
    root = folder.resolve()
    found: list[SourceFile] = []
    for parent, subfolders, names in os.walk(root, onerror=lambda error: notes.skip(_unreadable(error))):
        subfolders[:] = [name for name in subfolders if not is_hidden(name)]
        for name in [*subfolders, *names]:
            path = Path(parent) / name
            inside = path.relative_to(root).as_posix()
            if is_hidden(name):
                continue
            if path.is_symlink() and not _leads_into(root, path):
                notes.skip(
                    PictureError(f"{inside} is a link that leads out of {folder}", "Copy the picture in.")
                )
            elif path.is_file():
                found.append(open_file(path, inside))
        if len(found) > MAX_FILES:
            raise PictureSetError(
                f"{folder} holds more than {MAX_FILES} files",
                "Pass a folder with the training pictures only.",
            )
    return sorted(found, key=lambda file: file.name)


@contextmanager
def open_zip(path: Path) -> Iterator[list[SourceFile]]:
    """The files in a zip, sorted by name, readable until the context ends.

    The whole archive is refused, before anything is unpacked, when one entry is unsafe: a name that
    leaves the folder, a link, an encrypted entry, sizes that do not come from pictures.
    Raises: PictureSetError.
    """
    _check_zip_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise PictureSetError(f"{path} is not a readable zip: {error}", _PLAIN) from error
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MAX_FILES:
            raise PictureSetError(f"{path} holds {len(entries)} files; at most {MAX_FILES} are read", _PLAIN)
        total_bytes = sum(entry.file_size for entry in entries)
        if total_bytes > MAX_UNPACKED_BYTES:
            raise PictureSetError(
                f"{path} would unpack to {total_bytes} bytes; at most {MAX_UNPACKED_BYTES} are read", _PLAIN
            )
        names = [_checked_name(path, entry) for entry in entries]
        files = [
            SourceFile(name, entry.file_size, partial(_read_from_zip, archive, entry, name))
            for name, entry in zip(names, entries, strict=True)
            if not any(is_hidden(part) for part in name.split("/"))
        ]
        yield sorted(files, key=lambda file: file.name)


def _leads_into(root: Path, link: Path) -> bool:
    """Whether a link's target is under `root`; a link that goes round in a circle has no target."""
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # RuntimeError is what Python before 3.13 says to a circle
        return False


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is some program's own and never the user's picture."""
    return part.startswith(".") or part in ("__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini")


def _checked_name(path: Path, entry: zipfile.ZipInfo) -> str:
    """An entry's name with `/` between folders, once all that the archive says of it is known to be harmless.

    Raises: PictureSetError.
    """
    name = entry.filename.replace("\\", "/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    problem = ""
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        problem = "has a name that leads out of the archive"
    elif kind == stat.S_IFLNK:
        problem = "is a link"
    elif kind not in (0, stat.S_IFREG):
        problem = "is neither a file nor a folder"
    elif entry.flag_bits & 1:
        problem = "is encrypted"
    elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = f"is packed with method {entry.compress_type}; only stored and deflated entries are read"
    elif entry.file_size > RATIO_FREE_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        problem = f"unpacks from {entry.compress_size} to {entry.file_size} bytes, as a zip bomb does"
    if problem:
        raise PictureSetError(f"{path}: {entry.filename!r} {problem}; nothing was read", _PLAIN)
    return name


def _check_zip_directory(path: Path) -> None:
    """Refuse an archive whose list of entries alone would fill memory, before `zipfile` reads that list.

    The list's size stands in the last record of the file (APPNOTE.TXT 4.3.16); ZIP64 has it elsewhere and
    is not needed below 4 GiB.
    """
    size_bytes = path.stat().st_size
    if size_bytes > MAX_ZIP_BYTES:
        raise PictureSetError(f"{path} has {size_bytes} bytes; at most {MAX_ZIP_BYTES} are read", _PLAIN)
    with path.open("rb") as stream:
        stream.seek(max(0, size_bytes - (1 << 16) - 64))
        tail = stream.read()
    start = tail.rfind(b"PK\x05\x06")
    if start < 0 or len(tail) < start + 22:
        raise PictureSetError(
            f"{path} is not a readable zip: its end is missing", "Was it copied completely?"
        )
    (directory_bytes,) = struct.unpack_from("<I", tail, start + 12)
    if b"PK\x06\x07" in tail[max(0, start - 20) : start] or directory_bytes > MAX_ZIP_DIRECTORY_BYTES:
        raise PictureSetError(f"{path} lists far more entries than a picture set has", _PLAIN)


def _read_from_disk(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(error) from error
    return _bounded(data, path.name)


def _read_from_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    try:
        with archive.open(entry) as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise PictureError(
            f"{name} is damaged inside the zip: {error}", "Pack the pictures again."
        ) from error
    return _bounded(data, name)


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(
            f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB", "Save it as a JPEG or with fewer pixels."
        )
    return data


def _unreadable(error: OSError) -> PictureError:
    return PictureError(f"{error.filename} cannot be read: {error.strerror}", "Check its access rights.")
