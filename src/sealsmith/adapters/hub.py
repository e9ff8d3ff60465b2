"""A seal as a folder in the style of Hugging Face: weights, a card with a gallery, pictures.

The words of a seal's header may come from strangers: in the card's YAML they are quoted by the YAML library, in
its Markdown every character that would mean something is escaped.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import OutputError
from .files import atomic_write
from .seal import SealHeader

WEIGHTS_NAME = "pytorch_lora_weights.safetensors"
"""The file `pipeline.load_lora_weights(folder)` looks for."""
_LOADERS = {"textual-inversion": "load_textual_inversion"}
"""Method -> what a pipeline loads its files with, where that is not `load_lora_weights`."""
_OWN_METHODS = ("pivotal", "hypernetwork")
"""Whose files no stock pipeline takes whole."""
TAGS = ("text-to-image", "diffusers", "lora", "template:sd-lora")

_REPOSITORY = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$:-])")


@dataclass(frozen=True)
class GalleryPicture:
    """A picture of the gallery: the bytes of a PNG and the prompt it was made with."""

    data: bytes
    prompt: str
    negative: str = ""


def write_hub_folder(
    folder: Path, weights: bytes, header: SealHeader, pictures: Sequence[GalleryPicture] = ()
) -> list[Path]:
    """Writes the folder, which must be new or empty; the files' paths, the card last.

    `weights` are the bytes of the seal's file in diffusers' dialect.
    Raises: OutputError.
    """
    check_empty(folder)
    images = {folder / name: picture.data for name, picture in zip(_names(pictures), pictures, strict=True)}
    files = {
        folder / WEIGHTS_NAME: weights,
        **images,
        folder / "README.md": hub_card(header, pictures).encode(errors="replace"),
    }
    for path, data in files.items():
        atomic_write(path, data)
    return list(files)


def check_empty(folder: Path) -> None:
    """Refuses a folder that has something in it. Raises: OutputError."""
    try:
        taken = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise OutputError(
            f"cannot write to the folder {str(folder)!r}: {error.strerror or error}", "name a new folder"
        ) from error
    if taken:
        raise OutputError(f"the folder {str(folder)!r} is not empty", "name a new folder, or empty this one")


def hub_card(header: SealHeader, pictures: Sequence[GalleryPicture] = ()) -> str:
    """The text of README.md: YAML for machines, Markdown for people."""
    told = card_facts(header, pictures)
    # Unescaped, these are line breaks to YAML, which a reader folds to spaces.
    is_plain = not set(json.dumps(told, ensure_ascii=False)) & set("\x85\u2028\u2029")
    facts = yaml.safe_dump(told, sort_keys=False, allow_unicode=is_plain, width=10_000)
    parts = [
        f"# {_plain(header.title) or 'A seal'}",
        "<Gallery />" if pictures else "",
        _plain(header.description),
        _base_line(header),
        _trigger_section(header),
        _loading_section(header),
        _scorecard_section(header.scorecard),
    ]
    return f"---\n{facts}---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def card_facts(header: SealHeader, pictures: Sequence[GalleryPicture] = ()) -> dict[str, Any]:
    """The card's YAML as a table. `base_model` only where the base's name could be a hub's."""
    facts: dict[str, Any] = {"tags": list(dict.fromkeys((*TAGS, *filter(None, header.tags))))}
    if _REPOSITORY.fullmatch(header.base):
        facts["base_model"] = header.base
    if header.trigger:
        facts["instance_prompt"] = header.trigger
    if header.license:
        facts["license"] = header.license
    facts["library_name"] = "diffusers"
    if pictures:
        facts["widget"] = [_widget(*pair) for pair in zip(_names(pictures), pictures, strict=True)]
    return facts


def _widget(name: str, picture: GalleryPicture) -> dict[str, Any]:
    entry: dict[str, Any] = {"text": picture.prompt or "-"}
    if picture.negative:
        entry["parameters"] = {"negative_prompt": picture.negative}
    return entry | {"output": {"url": name}}


def _names(pictures: Sequence[GalleryPicture]) -> list[str]:
    return [f"images/{number:02d}.png" for number in range(1, len(pictures) + 1)]


def _base_line(header: SealHeader) -> str:
    if not header.base:
        return ""
    by = f", by {_plain(header.author)}" if header.author else ""
    return f"A {_plain(header.method)} adapter of rank {header.rank} for {_plain(header.base)}{by}."


def _trigger_section(header: SealHeader) -> str:
    if not header.trigger:
        return ""
    noun = f" before the noun {_code(header.class_noun)}" if header.class_noun else ""
    return f"## Trigger words\n\nWrite {_code(header.trigger)}{noun} in the prompt."


def _loading_section(header: SealHeader) -> str:
    if header.method in _OWN_METHODS:
        return (
            f"## Use it\n\nSealsmith draws with it; stock diffusers has no loader for a {header.method} file."
        )
    base = header.base if _REPOSITORY.fullmatch(header.base) else "the base's folder"
    prompt = " ".join(part for part in ("a", header.trigger, header.class_noun) if part)
    code = (
        "from diffusers import DiffusionPipeline\n\n"
        f"pipeline = DiffusionPipeline.from_pretrained({json.dumps(base)})\n"
        f'pipeline.{_LOADERS.get(header.method, "load_lora_weights")}("this folder"{_file(header.method)})\n'
        f"picture = pipeline({json.dumps(prompt)}).images[0]"
    )
    fence = "`" * max(3, 1 + _longest_run(code))
    return f"## Use it with diffusers\n\n{fence}python\n{code}\n{fence}"


def _file(method: str) -> str:
    """The argument that names the file, for loaders that do not look for it by themselves."""
    return f", weight_name={json.dumps(WEIGHTS_NAME)}" if method in _LOADERS else ""


def _scorecard_section(scorecard: Mapping[str, Any] | None) -> str:
    """The measured figures, as many as there are; "" where nothing was measured."""
    rows = []
    for name, entry in (scorecard or {}).items():
        figures = entry if isinstance(entry, Mapping) else {"": entry}
        for key, value in figures.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name != "settings":
                rows.append(f"| {_plain(f'{name} {key}'.strip())} | {value:.3g} |")
    if scorecard is None or not rows:
        return ""
    verdict = f"Verdict: {_plain(str(scorecard.get('verdict', 'none')))}."
    return "\n".join(["## Scorecard", "", verdict, "", "| figure | value |", "| --- | --- |", *rows])


def _plain(text: str) -> str:
    """Text as Markdown that shows it as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _code(text: str) -> str:
    """Text as inline code, whatever backticks it holds."""
    line = " ".join(text.split())
    fence = "`" * (1 + _longest_run(line))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _longest_run(text: str) -> int:
    """Length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
