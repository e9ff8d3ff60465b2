"""Names that strangers give their seals: kept only when they are safe as a file, in a prompt and on a screen."""

import re
import unicodedata

from ..errors import ConfigError
from .limits import MAX_NAME_CHARACTERS

MAX_NAME_BYTES = 200
"""In UTF-8; what file systems take, less a suffix."""
MAX_MARKS = 2
"""Combining marks on one letter."""
RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "seal", *(f"{port}{i}" for port in ("com", "lpt") for i in "0123456789¹²³")]
)
"""Devices on Windows, and the name that every training's file has before its owner names it."""

_FORBIDDEN = re.compile(r'[/\\:*?"<>|,]')
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
"""Characters that are called letters or marks, and leave no ink."""
_REMEDY = "give 1 to 100 letters, digits, spaces, dots, - or _; a letter or digit is first and last"


def check_name(name: str) -> str:
    """The name in Unicode's composed form (NFC), in which it is kept.

    Raises: ConfigError for one that is empty, too long, not printable, or means something to a file system or a
    prompt.
    """
    # not printable: control characters, halves of characters, direction marks, line ends
    if not name.isprintable() or _UNSEEN.search(name):
        raise _refused(name, "holds a character that cannot be printed")
    whole = unicodedata.normalize("NFC", name)
    if not 1 <= len(whole) <= MAX_NAME_CHARACTERS or len(whole.encode()) > MAX_NAME_BYTES:
        raise _refused(
            name,
            f"has {len(whole)} characters, {len(whole.encode())} bytes; at most {MAX_NAME_CHARACTERS} fit",
        )
    if found := _FORBIDDEN.search(whole):
        raise _refused(name, f"holds {found[0]!r}")
    if not _is_ordinary(whole[0]):
        raise _refused(name, "begins with neither a letter nor a digit")
    if not (_is_ordinary(whole[-1]) or whole[-1] in ")!" or unicodedata.category(whole[-1]) in ("Mn", "Mc")):
        raise _refused(name, "ends with neither a letter nor a digit")
    if unicodedata.normalize("NFKC", whole.partition(".")[0]).strip().casefold() in RESERVED:
        raise _refused(name, "is reserved")
    if _most_marks(whole) > MAX_MARKS:
        raise _refused(name, f"heaps more than {MAX_MARKS} marks on a letter")
    if "/" in unicodedata.normalize("NFKC", whole) or "\\" in unicodedata.normalize("NFKC", whole):
        raise _refused(name, "holds a character that can become a slash")
    return whole


def _is_ordinary(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) == "So"


def _most_marks(name: str) -> int:
    most = row = 0
    for character in name:
        row = row + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        most = max(most, row)
    return most


def _refused(name: str, why: str) -> ConfigError:
    shown = name if len(name) <= 60 else f"{name[:57]}..."
    return ConfigError(f"the name {shown!a} {why}", _REMEDY)
