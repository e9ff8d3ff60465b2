"""Seals as commands name them: `FILE[:STRENGTH]`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..adapters.strength import Strength


def parse_seal_option(text: str) -> "tuple[Path, float | Strength]":
    """File and strength of `FILE[:STRENGTH]`, as in `mark.safetensors:0.8:lbw=MIDALL:stop=0.5`; 1 if not given.

    A path may hold colons itself: the longest part that is there as a file is taken for it, else what ends in
    `.safetensors`, else what stands before a last number.
    Raises: ConfigError when the strength means nothing.
    """
    colons = [match.start() for match in re.finditer(":", text)]
    for end in (len(text), *reversed(colons)):
        if Path(text[:end]).is_file():
            return Path(text[:end]), _strength(text[end + 1 :], text[:end])
    if named := re.fullmatch(r"(.*?\.safetensors):(.*)", text, re.DOTALL):
        return Path(named[1]), _strength(named[2], named[1])
    file, _, number = text.rpartition(":")
    try:
        float(number)
    except ValueError:
        return Path(text), 1.0
    return (Path(file), _strength(number, file)) if file else (Path(text), 1.0)


def parse_weight(text: str) -> tuple[Path, float]:
    """File and weight of `FILE[:WEIGHT]`. Raises: ConfigError for a weight that is no plain number."""
    path, weight = parse_seal_option(text)
    if not isinstance(weight, float):
        raise ConfigError(
            f"{text!r} has a strength by block or step, which does not go into one file or base",
            "give one number",
        )
    return path, weight


def wanted_seals(
    prompt: str, negative: str, seals_folder: Path, options: Sequence[str]
) -> "tuple[str, list[tuple[Path, float | Strength]]]":
    """The words of a prompt, and the files and strengths of the seals that options and its tags ask for.

    Raises: ConfigError for a tag that cannot be read, names no seal, or stands in the negative prompt.
    """
    from ..generate.seal_syntax import find_seal, parse_tags

    tagged = parse_tags(prompt)
    if parse_tags(negative).wishes:
        raise ConfigError(
            f"the negative prompt asks for a seal: {negative!r}",
            "write the tag in the prompt; a negative strength, as <lora:name:-0.5>, pushes away from a seal",
        )
    wished = [(find_seal(wish.name, [seals_folder]), plain_strength(wish.strength)) for wish in tagged.wishes]
    return tagged.words, [parse_seal_option(text) for text in options] + wished


def plain_strength(strength: "Strength") -> "float | Strength":
    """A number where it says all."""
    return strength if strength.number is None else strength.number


def _strength(text: str, file: str) -> "float | Strength":
    from ..adapters.strength import parse_strength

    try:
        return plain_strength(parse_strength(text))
    except ConfigError as error:
        raise ConfigError(
            f"the strength of {file!r} is {text!r}: {error}", f"{error.remedy}; as in seal.safetensors:0.8"
        ) from error
