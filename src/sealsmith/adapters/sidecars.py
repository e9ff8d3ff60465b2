"""The small files beside a seal that other programs keep: A1111's `NAME.json` and `NAME.preview.png`, and
`NAME.civitai.info`, the registry's answer as the Civitai helpers store it.

Read tolerantly (a sidecar is an aside, never a reason to refuse a seal) and written so that nothing anybody
else put there is lost.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .civitai import ModelVersion, parse_version
from .family_names import A1111_VERSIONS, family_named
from .files import atomic_write
from .hashes import hash_file
from .seal import SealHeader

MAX_SIDECAR_BYTES = 4 << 20
MAX_STRENGTH = 100
_TEXTS = ("description", "sd version", "activation text", "negative text", "notes")


@dataclass(frozen=True)
class Beside:
    """What the files beside a seal say; empty, 0 or None where they do not."""

    trigger: str = ""
    """The first word of A1111's "activation text", else the first of Civitai's trained words."""
    words: tuple[str, ...] = ()
    """Every word that either names, once."""
    family: str = ""
    description: str = ""
    negative: str = ""
    preferred_strength: float | None = None
    version: ModelVersion | None = None
    preview: Path | None = None
    notes: tuple[str, ...] = ()
    """What could not be read and was left out; sentences."""


def facts_beside(path: Path | str) -> Beside:
    """What the sidecars of the seal file at `path` say. Never raises for what is in them, or missing."""
    path = Path(path)
    notes: list[str] = []
    own = _read_table(json_path(path), notes)
    texts = {key: _text(own, key, json_path(path), notes) for key in _TEXTS}
    version = _read_version(civitai_path(path), notes)
    words = tuple(
        dict.fromkeys((*_split(texts["activation text"]), *(version.triggers if version is not None else ())))
    )
    family = family_named(texts["sd version"]) or (version.family if version is not None else "")
    preview = path.with_suffix(".preview.png")
    return Beside(
        trigger=words[0] if words else "",
        words=words,
        family=family,
        description=texts["description"],
        negative=texts["negative text"],
        preferred_strength=_strength(own, json_path(path), notes),
        version=version,
        preview=preview if preview.is_file() else None,
        notes=tuple(notes),
    )


def write_sidecars(path: Path | str, header: SealHeader, preview: bytes | None = None) -> list[Path]:
    """Writes the sidecars of the seal file at `path`; which ones were written.

    `NAME.json` keeps every field it has that we do not know, and those the user may have set (weight, negative
    text, notes). Words that call the seal stay where the trigger is among them, in both files. A
    `NAME.civitai.info` that came from the registry (it has an id) stays as it is. `preview` are the bytes of a PNG.
    Raises: OutputError, also when a sidecar that is there is no JSON: it is never replaced unread;
    SealFormatError when the seal file cannot be read.
    """
    path = Path(path)
    known = _rewritable(civitai_path(path))
    _write_activation(
        path, _rewritable(json_path(path)), header.description, header.family, header.trigger, replace=True
    )
    written = [json_path(path)]
    if not _is_registered(known):
        version = {
            "name": header.title,
            "baseModel": header.base,
            "trainedWords": _trained_words(known.get("trainedWords"), header.trigger),
            "model": {"name": header.title, "type": "LORA"},
            "files": [{"name": path.name, "hashes": hash_file(path).by_name()}],
        }
        _write_table(civitai_path(path), known | version)
        written.append(civitai_path(path))
    if preview is not None:
        atomic_write(path.with_suffix(".preview.png"), preview)
        written.append(path.with_suffix(".preview.png"))
    return written


def write_found(path: Path | str, version: ModelVersion, answer: Mapping[str, Any]) -> list[Path]:
    """Keeps a registry's answer beside the seal file at `path`; which sidecars were written.

    `NAME.civitai.info` gets the whole answer; `NAME.json` the trigger and the family, where it had none.
    Raises: OutputError, as `write_sidecars` does.
    """
    path = Path(path)
    known = _rewritable(json_path(path))
    _write_table(civitai_path(path), _rewritable(civitai_path(path)) | dict(answer))
    _write_activation(path, known, "", version.family, next(iter(version.triggers), ""), replace=False)
    return [civitai_path(path), json_path(path)]


def _write_activation(
    path: Path, known: Mapping[str, Any], description: str, family: str, trigger: str, replace: bool
) -> None:
    """Writes `NAME.json`: `known`, its three facts of the seal filled in, or with `replace` replaced."""
    facts = {
        "description": description,
        "sd version": A1111_VERSIONS.get(family, ""),
        "activation text": trigger,
    }
    table: dict[str, Any] = dict.fromkeys(_TEXTS, "") | {"sd version": "Unknown", "preferred weight": 0}
    table |= known
    if replace and _says(table["activation text"], trigger):
        del facts["activation text"]
    for key, text in facts.items():
        if text and (replace or table[key] in ("", "Unknown", None)):
            table[key] = text
    _write_table(json_path(path), table)


def _trained_words(known: Any, trigger: str) -> list[Any]:
    """Civitai's trained words: those there are, if the trigger is among them or there is none; else the trigger."""
    words = known if isinstance(known, list) else []
    if not trigger or any(_says(word, trigger) for word in words):
        return words
    return [trigger]


def _says(text: Any, trigger: str) -> bool:
    """Whether it is a text with the trigger in it as whole words, in any case; of several, with all of them."""
    words = _split(trigger)
    if not isinstance(text, str) or not words:
        return False
    return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)


def json_path(path: Path) -> Path:
    return path.with_suffix(".json")


def civitai_path(path: Path) -> Path:
    return path.with_suffix(".civitai.info")


class _Unreadable(Exception):
    """Why a sidecar cannot be read; words that go behind its name."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def _load(path: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where there is no file. Raises: _Unreadable."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIDECAR_BYTES + 1)
        if len(data) > MAX_SIDECAR_BYTES:
            raise _Unreadable(f"it is larger than {MAX_SIDECAR_BYTES} bytes")
        value = json.loads(data)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _Unreadable(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _Unreadable("it is not valid JSON") from error
    if not isinstance(value, dict):
        raise _Unreadable(f"it holds a {type(value).__name__}, not an object")
    return value


def _read_table(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        return _load(path)
    except _Unreadable as error:
        notes.append(f"{path.name} was left out: {error.reason}")
        return {}


def _read_version(path: Path, notes: list[str]) -> ModelVersion | None:
    table = _read_table(path, notes)
    if not table:
        return None
    number = table["id"] if _is_registered(table) else 0
    try:
        return parse_version(table | {"id": number})
    except ValueError as error:
        notes.append(f"{path.name} was left out: {error}")
        return None


def _rewritable(path: Path) -> dict[str, Any]:
    """What a sidecar holds, to be written again with more. Raises: OutputError when that would lose it."""
    try:
        return _load(path)
    except _Unreadable as error:
        raise OutputError(
            f"{str(path)!r} is not replaced: {error.reason}", "move it away, or mend it, and try again"
        ) from error


def _write_table(path: Path, table: Mapping[str, Any]) -> None:
    atomic_write(path, json.dumps(table, indent=4).encode() + b"\n")


def _text(table: Mapping[str, Any], key: str, path: Path, notes: list[str]) -> str:
    value = table.get(key)
    if value is None or isinstance(value, str):
        return (value or "").strip()
    notes.append(f"{path.name}: {key!r} is no text and was left out")
    return ""


def _strength(table: Mapping[str, Any], path: Path, notes: list[str]) -> float | None:
    """A1111's "preferred weight"; None where it says 0, which there means "the usual"."""
    value = table.get("preferred weight")
    if value is None or value == 0:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_STRENGTH:
        return float(value)
    notes.append(f"{path.name}: 'preferred weight' is no number up to {MAX_STRENGTH} and was left out")
    return None


def _is_registered(table: Mapping[str, Any]) -> bool:
    """Whether the registry knows the file: helpers leave the id out, or empty, where it does not."""
    return isinstance(table.get("id"), int)


def _split(text: str) -> list[str]:
    return [word for word in map(str.strip, text.split(",")) if word]
