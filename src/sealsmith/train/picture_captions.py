"""The words of a picture set: caption files, `metadata.jsonl`, kohya folder names.

Text arrives in whatever encoding its author's editor wrote; it leaves as one line of str. Not for: inventing
captions where there are none (training does that).
"""

import codecs
import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import PictureError
from .picture_files import SourceFile
from .picture_notes import Notes

CAPTION_SUFFIXES = (".txt", ".caption")
MAX_CAPTION_BYTES = 64 << 10
MAX_CAPTION_CHARS = 1000
"""Far more than the 77 tokens of a CLIP text encoder."""
METADATA_KEYS = ("text", "caption", "prompt")
"""Where a line of `metadata.jsonl` has its caption: the first of these that says something."""
MAX_METADATA_BYTES = 32 << 20
MAX_REPEATS = 1000

_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_KOHYA = re.compile(r"(\d+)_(.+)")
_SAVE_AS_UTF8 = "Save it as plain text in UTF-8."


@dataclass(frozen=True)
class KohyaFolder:
    """`N_class`: how often an epoch shows each picture, and what the folder calls them ("" for nothing)."""

    repeats: int
    words: str


def decode_text(data: bytes, name: str, notes: Notes) -> str:
    """Text of a file: by its byte order mark, else UTF-8, else (noted) Windows-1252, which covers Latin-1.

    Raises: PictureError when it is not text at all.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        problem = PictureError(f"{name} is not {encoding.upper()} text: {error.reason}", _SAVE_AS_UTF8)
        if encoding != "utf-8" or b"\0" in data:
            raise problem from error
        notes.skip(problem, "it is read as Windows-1252, so check its special letters")
        text = data.decode("cp1252", errors="replace")
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise PictureError(f"{name} is not a text file: it has control characters", _SAVE_AS_UTF8)
    return text


def read_captions(files: Iterable[SourceFile], notes: Notes) -> dict[PurePosixPath, str]:
    """Captions by the path of their picture without its suffix; `[trigger]` is still in them.

    A caption file beside a picture goes before the folder's `metadata.jsonl`.
    """
    captions: dict[PurePosixPath, str] = {}
    unread: list[_Unread] = []
    listed = [file for file in files if file.path.name == "metadata.jsonl"]
    beside = [file for file in files if file.path.suffix.lower() in CAPTION_SUFFIXES]
    for file in listed:
        captions |= _read_metadata(file, notes, unread)
    for file in sorted(
        beside, key=lambda file: file.path.suffix.lower() == ".txt"
    ):  # .txt goes last and wins
        try:
            captions[file.path.with_suffix("")] = _read_caption(file, notes)
        except PictureError as error:
            notes.skip(error, "its picture goes without a caption")
    _note_unread([row for row in unread if row.picture not in captions], notes)
    return captions


def one_line(text: str, name: str, notes: Notes) -> str:
    """A caption with its white space joined, cut after `MAX_CAPTION_CHARS` (noted)."""
    line = " ".join(text.split())
    if len(line) > MAX_CAPTION_CHARS:
        problem = f"{name} is a caption of {len(line)} characters; at most {MAX_CAPTION_CHARS} are used"
        notes.skip(
            PictureError(problem, "Shorten it: text encoders read about 60 words."), "the rest is cut off"
        )
        line = line[:MAX_CAPTION_CHARS].rsplit(" ", 1)[0]
    return line


def with_trigger(caption: str, trigger: str) -> str:
    """The caption with the trigger in place of each `[trigger]`."""
    return re.sub(r"\[trigger\]", lambda _: trigger, caption, flags=re.IGNORECASE)


def has_word(caption: str, word: str) -> bool:
    """Whether a caption says a word (or words), whatever their case, and not as a part of a longer one."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", caption, re.IGNORECASE) is not None


def kohya_folder(path: PurePosixPath, notes: Notes) -> KohyaFolder:
    """What the nearest `N_class` folder above a picture says; once each and no words when there is none."""
    for part in reversed(path.parts[:-1]):
        if match := _KOHYA.fullmatch(part):
            repeats = int(match[1][:9])
            if repeats <= MAX_REPEATS:
                return KohyaFolder(repeats, match[2].strip())
            sentence = f"{part} is read as a plain folder: {match[1]} repeats are more than {MAX_REPEATS}"
            if sentence not in notes.sentences:
                notes.say(sentence)
    return KohyaFolder(1, "")


def class_noun_of(words: str, trigger: str) -> str | None:
    """The class noun in a kohya folder's words: "dog" of "sks dog" with the trigger "sks"."""
    rest = re.sub(rf"^{re.escape(trigger)}(?!\w)\s*", "", words, count=1, flags=re.IGNORECASE)
    return rest.strip() or None


def _read_caption(file: SourceFile, notes: Notes) -> str:
    if file.size_bytes > MAX_CAPTION_BYTES:
        raise PictureError(
            f"{file.name} has {file.size_bytes} bytes, far too long for a caption",
            f"Write at most {MAX_CAPTION_CHARS} characters.",
        )
    return one_line(decode_text(file.read(), file.name, notes), file.name, notes)


@dataclass(frozen=True)
class _Unread:
    """A line of `metadata.jsonl` that has words, but none where captions are read."""

    picture: PurePosixPath
    file: str
    number: int
    fields: tuple[str, ...]


def _note_unread(rows: Sequence[_Unread], notes: Notes) -> None:
    """One note for all lines of a file that have the same fields: they are often all of them."""
    alike: dict[tuple[str, tuple[str, ...]], list[_Unread]] = {}
    for row in rows:
        alike.setdefault((row.file, row.fields), []).append(row)
    for (file, fields), several in alike.items():
        first, count = several[0].number, len(several)
        where = f"{file} line {first}" + (f" and {count - 1} more like it" if count > 1 else "")
        names = ", ".join(repr(name[:40]) for name in fields[:5]) + ", ..." * (len(fields) > 5)
        problem = (
            f"{where}: no caption under {', '.join(map(repr, METADATA_KEYS))}, only other words: {names}"
        )
        remedy = "Name the field with the caption text."
        notes.skip(PictureError(problem, remedy), "what it says is not used as a caption")


def _read_metadata(file: SourceFile, notes: Notes, unread: list[_Unread]) -> dict[PurePosixPath, str]:
    """The captions in one list; lines with words elsewhere go to `unread`."""
    captions: dict[PurePosixPath, str] = {}
    try:
        if file.size_bytes > MAX_METADATA_BYTES:
            raise PictureError(
                f"{file.name} has {file.size_bytes} bytes, far too long for a list of captions"
            )
        text = decode_text(file.read(), file.name, notes)
    except PictureError as error:
        notes.skip(error, "its captions are not used")
        return captions
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{file.name} line {number}"
            try:
                name, caption, others = _parse_metadata_line(line, where)
            except PictureError as error:
                notes.skip(error)
            else:
                inside = posixpath.normpath(posixpath.join(str(file.path.parent), name))
                picture = PurePosixPath(inside).with_suffix("")
                if caption:
                    captions[picture] = one_line(caption, where, notes)
                if others:
                    unread.append(_Unread(picture, file.name, number, others))
    return captions


def _parse_metadata_line(line: str, where: str) -> tuple[str, str, tuple[str, ...]]:
    """File name, caption, and, where no field for captions is there, the names of the others with words in them."""
    remedy = 'Each line is one object: {"file_name": "a.png", "text": "a caption"}.'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PictureError(f"{where} is not JSON: {error}", remedy) from error
    row = row if isinstance(row, dict) else {}
    name = row.pop("file_name", None)
    stated = {key: row[key] for key in METADATA_KEYS if row.get(key) is not None}
    caption = next((value for value in stated.values() if value != ""), "")
    if not isinstance(name, str) or not isinstance(caption, str) or name.strip("./") == "":
        raise PictureError(f"{where} has no file_name or its caption is not text", remedy)
    words = tuple(key for key, value in row.items() if isinstance(value, str) and value.strip())
    return name, caption, () if stated else words
