"""Seals in a prompt: A1111's tags `<lora:name:strength>`, read out of the words, written back, and found on disk.

A tag that cannot be read is an error: it is neither dropped nor handed to a text encoder. Not for: what comes
behind the name, which is a strength (adapters/strength.py).
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..adapters.header_file import read_header
from ..adapters.seal import file_name
from ..adapters.strength import Strength, dump_strength, parse_strength
from ..errors import ConfigError, SealFormatError

MAX_TAGS = 256
"""In one prompt."""
ALIAS_KEYS = ("ss_output_name", "modelspec.title")
"""What a seal file's header may call it, beside the name of the file."""

# Strangers write prompts: whatever they hold, each pattern looks at a character a few times at most.
_OPENING = re.compile(r"(?<!\\)(?P<slashes>\\*+)<\s*(?:lora|lyco|hypernet)\b", re.IGNORECASE)
_ESCAPE = r'\\[\\:<>"]'
_TOKENS = re.compile(rf"{_ESCAPE}|[:<>\\]|[^:<>\\]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\"?)*)"')
"""Text in quotes; a quote in it stands behind a backslash."""
_REMEDY = "write it as <lora:name:0.8>, or \\<lora where it is no tag but words"


@dataclass(frozen=True)
class SealWish:
    """One seal a prompt asks for: its name as written, not yet a file, and how strong it shall act."""

    name: str
    strength: Strength


@dataclass(frozen=True)
class TaggedPrompt:
    """A prompt taken apart: the words for the text encoder, and the seals it asks for, in order."""

    words: str
    wishes: tuple[SealWish, ...] = ()


def parse_tags(prompt: str) -> TaggedPrompt:
    r"""The words and the seals of a prompt with tags; one without tags comes back as it is.

    `<lora:...>` and `<lyco:...>` mean the same. A name may hold anything: `\:`, `\<`, `\>`, `\"` and `\\` stand for
    the second character, and it may stand in double quotes. `\<lora` is no tag but the word `<lora`. With a tag
    goes one space or comma that only it needed; no other character is touched.
    Raises: ConfigError naming the tag and what is wrong with it, or for more than `MAX_TAGS`.
    """
    texts: list[list[str]] = [[]]
    wishes, place = list[SealWish](), 0
    for opening in _OPENING.finditer(prompt):
        if opening.start() < place:  # inside the name of the tag before
            continue
        num_slashes = len(opening["slashes"])
        texts[-1].append(prompt[place : opening.start()] + "\\" * (num_slashes // 2))
        place = opening.end("slashes")
        if num_slashes % 2 == 0:
            end = _closing(prompt, place)
            if len(wishes) == MAX_TAGS:
                raise ConfigError(f"the prompt has more than {MAX_TAGS} tags", "name fewer seals")
            wishes.append(_parse_tag(prompt[place:end]))
            texts.append([])
            place = end
    texts[-1].append(prompt[place:])
    words, *others = map("".join, texts)
    for index, text in enumerate(others, start=1):
        words = _close_gap(words, text, is_end=index == len(others))
    return TaggedPrompt(words, tuple(wishes))


def dump_tags(prompt: TaggedPrompt) -> str:
    """The words with a tag for each seal behind them; `parse_tags` takes it apart again."""
    words = _OPENING.sub(lambda match: "\\" * (len(match["slashes"]) + 1) + match[0], prompt.words)
    tags = [dump_tag(wish) for wish in prompt.wishes]
    return " ".join([words, *tags] if words else tags)


def dump_tag(wish: SealWish) -> str:
    """The tag of one seal, e.g. `<lora:mark:0.8>`."""
    name = re.sub(r'[\\:<>"]', r"\\\g<0>", wish.name)
    if name != name.strip():
        name = f'"{name}"'
    return f"<lora:{name}:{dump_strength(wish.strength)}>"


def find_seal(name: str, folders: Sequence[Path]) -> Path:
    """The seal file that `name` means: the path below a folder, the file's name, a training's folder, or one its
    header gives.

    Folders are searched with all folders in them; `.safetensors` may be left out. What is spelled as asked for
    goes before what differs in upper and lower case.
    Raises: ConfigError when there is none (it names the nearest) or more than one.
    """
    files = [(folder, path) for folder in folders for path in seal_files(folder)]
    wanted = name.replace("\\", "/").removesuffix(".safetensors")
    for fold in (str, str.casefold):
        for names_of in (_path_names, _file_names, _folder_names, _header_names):
            found = [path for folder, path in files if fold(wanted) in map(fold, names_of(folder, path))]
            if len(found) == 1:
                return found[0]
            if found:
                raise ConfigError(
                    f"{len(found)} seals are called {name!r}: {', '.join(map(str, found))}",
                    "write its path below the folder of seals, as in <lora:folder/name:0.8>",
                )
    raise _missing(name, [file_name(path) for _, path in files], folders)


def _closing(prompt: str, start: int) -> int:
    """Where the tag that opens at `start` ends, one behind its `>`."""
    for token in _TOKENS.finditer(prompt, start + 1):
        if token[0] == ">":
            return token.end()
        if token[0] == "<":
            break
    raise ConfigError(f"the tag {_excerpt(prompt[start:])} is not closed: it has no '>'", _REMEDY)


def _parse_tag(tag: str) -> SealWish:
    tokens: list[list[str]] = [[]]
    for token in _TOKENS.findall(tag[1:-1]):
        if token == ":":
            tokens.append([])
        else:
            tokens[-1].append(token)
    parts = ["".join(part).strip() for part in tokens]
    kind, raw_name, *arguments = [*parts, ""]
    if kind.lower() == "hypernet":
        raise ConfigError(
            f"the tag {tag!r} asks for a hypernetwork", "only seals can be used: <lora:name:0.8>"
        )
    if kind.lower() not in ("lora", "lyco"):
        raise ConfigError(f"the tag {tag!r} is not of the form <lora:name:strength>", _REMEDY)
    quoted = _QUOTED.fullmatch(raw_name)
    name = re.sub(_ESCAPE, lambda match: match[0][1], quoted[1] if quoted else raw_name)
    if not name.strip():
        raise ConfigError(f"the tag {tag!r} names no seal", _REMEDY)
    if len(parts) > 2 and not all(arguments[:-1]):
        raise ConfigError(f"the tag {tag!r} has nothing between two of its marks", _REMEDY)
    try:
        return SealWish(name, parse_strength(":".join(arguments[:-1])))
    except ConfigError as error:
        raise ConfigError(f"in the tag {tag!r}: {error}", error.remedy) from error


def _close_gap(left: str, right: str, is_end: bool) -> str:
    """The words before and behind a tag in one, without the comma or space that only the tag needed."""
    if right.lstrip(" ").startswith(",") and left.rstrip(" ")[-1:] in ("", ","):
        right = right.lstrip(" ")[1:]
    if left.endswith(" ") and (right[:1].isspace() or (is_end and not right)):
        left = left[:-1]
    elif right[:1].isspace() and (not left or left[-1].isspace()):
        right = right[1:]
    return left + right


def seal_files(folder: Path) -> list[Path]:
    """All `.safetensors` files of a folder and the folders in it. Raises: ConfigError when it is not there."""
    if not folder.is_dir():
        raise ConfigError(f"there is no folder of seals {str(folder)!r}", "name one with --seals-folder")
    return sorted(path for path in folder.rglob("*.safetensors") if path.is_file())


def _path_names(folder: Path, path: Path) -> Iterable[str]:
    return (path.relative_to(folder).as_posix().removesuffix(".safetensors"),)


def _file_names(folder: Path, path: Path) -> Iterable[str]:
    return (path.stem,)


def _folder_names(folder: Path, path: Path) -> Iterable[str]:
    return (file_name(path),)


def _header_names(folder: Path, path: Path) -> Iterable[str]:
    """None for a file that cannot be read: whoever asks for it by its file name learns why."""
    try:
        metadata = read_header(path).metadata
    except SealFormatError:
        return ()
    return [metadata[key] for key in ALIAS_KEYS if metadata.get(key)]


def _missing(name: str, stems: Sequence[str], folders: Sequence[Path]) -> ConfigError:
    where = " and ".join(repr(str(folder)) for folder in folders) or "no folder of seals"
    if not stems:
        return ConfigError(
            f"there is no seal {name!r} in {where}: no .safetensors file there",
            "name one with --seals-folder",
        )
    by_folded: dict[str, str] = {stem.casefold(): stem for stem in stems}
    wanted = Path(name).stem.casefold() if "/" in name else name.casefold()
    close = difflib.get_close_matches(wanted, by_folded, n=3, cutoff=0.5)
    nearest = ", ".join(by_folded[stem] for stem in close)
    remedy = f"did you mean {nearest}?" if close else f"the seals there: {', '.join(sorted(stems)[:10])}"
    return ConfigError(f"there is no seal {name!r} in {where}", remedy)


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
