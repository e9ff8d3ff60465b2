"""Writing files so that a reader sees the old bytes or the new ones, never a half of either."""

import errno
import os
import tempfile
from pathlib import Path

from ..errors import OutputError


def atomic_write(path: Path | str, data: bytes | bytearray) -> None:
    """Puts `data` at `path` in one step: temporary file, fsync, rename, fsync of the folder.

    Missing folders above it are made. Whatever goes wrong, the file that was there stays as it was and no
    temporary file is left behind.
    Raises: OutputError.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path | str) -> None:
    """Refuses a path that `atomic_write` could not write, before work is spent on its content.

    Leaves nothing behind: folders that would have to be made are not made.
    Raises: OutputError.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    remedies = {
        errno.ENOSPC: "the disk is full: free some space, or write elsewhere",
        errno.EDQUOT: "your disk quota is used up: free some space, or write elsewhere",
        errno.EFBIG: "the file is larger than this file system or this process may write: write elsewhere",
        errno.EROFS: "the file system is read-only: write elsewhere",
        errno.EISDIR: "this is a folder: name a file in it",
    }
    remedy = remedies.get(error.errno or 0, "choose a path in a folder you may write to")
    return OutputError(f"cannot write {str(path)!r}: {error.strerror or error}", remedy)


def _umask() -> int:
    # Reading the mask means setting it. mkstemp makes private files; a result gets the rights the user's
    # other new files get.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders; its renames are durable by themselves
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
