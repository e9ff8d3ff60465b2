"""Where pictures go: a folder, in which each gets a name of its own, or one .png file. Nothing is overwritten."""

import re
from pathlib import Path

from ..errors import ConfigError, OutputError

_NAME_CHARACTERS = 48


def check_out(out: Path) -> None:
    """Refuses an output no picture could be written to. Raises: ConfigError for a format; OutputError."""
    from ..adapters.files import check_writable

    suffix = out.suffix.lower()
    try:
        is_folder, is_file = out.is_dir(), out.is_file()
    except OSError as error:
        raise OutputError(
            f"cannot write to {str(out)!r}: {error.strerror}", "choose a folder you may write to"
        ) from error
    if suffix in {".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"} and not is_folder:
        raise ConfigError(f"pictures are written as PNG, not {suffix}", "name a folder or a .png file")
    if is_file and suffix != ".png":
        raise OutputError(f"{str(out)!r} is a file, and no PNG", "name a folder or a .png file")
    check_writable(_folder(out) / "picture.png")


def picture_path(out: Path, prompt: str, seed: int, index: int, num_pictures: int) -> Path:
    """Where picture `index` goes: a name not taken yet, in the folder `out`, or `out` if that is a .png.

    Several pictures, or a name that is taken, get a number behind the name.
    """
    if _folder(out) == out:
        words = re.sub(r"[^a-z0-9]+", "-", prompt.lower())[:_NAME_CHARACTERS].strip("-") or "picture"
        wanted = out / f"{words}-{seed}.png"
    else:
        wanted = out if num_pictures == 1 else out.with_name(f"{out.stem}-{index + 1}{out.suffix}")
    path, number = wanted, 2
    while path.exists():
        path, number = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"), number + 1
    return path


def _folder(out: Path) -> Path:
    """The folder pictures go to: `out` itself unless it names a .png file."""
    return out.parent if out.suffix.lower() == ".png" and not out.is_dir() else out
