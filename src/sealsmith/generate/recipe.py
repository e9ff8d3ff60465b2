"""Everything needed to make a picture again, as JSON of our own and as the `parameters` text of A1111.

The JSON is complete. The text is what other people's tools read, with a tag for every seal in the prompt; from it
come back the prompts, the numbers, the base and the seals' names, strengths and short hashes, but not the prompt as
it was typed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ..adapters.hashes import hash_file
from ..adapters.strength import Strength, constant, dump_strength, parse_strength
from ..errors import ConfigError, PictureError
from .seal_syntax import MAX_TAGS, SealWish, TaggedPrompt, dump_tags, parse_tags

if TYPE_CHECKING:
    from ..adapters import Seal

NEGATIVE = "Negative prompt:"
# Strangers write pictures: whatever their texts hold, each pattern looks at a character a few times at most.
_PAIR = re.compile(r'(?<![\w \-/])[ \-/]*+(\w[\w \-/]++):\s*+("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_SEAL_HASH = re.compile(r": ([0-9a-f]{8,64})(?:, |$)")
"""What stands behind a seal's name, which may hold anything."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_REMEDY = "give a PNG as it was written; editors damage the recipe"


@dataclass(frozen=True)
class SealUse:
    """One seal in a picture."""

    name: str
    strength: float = 1.0
    """Where `how` says more: the denoiser's strength where it is furthest from 0."""
    trigger: str = ""
    file_hash: str = ""
    """SHA-256 of the seal's file, 64 hex digits; empty, as `tensor_hash`, for a seal that never was in a file."""
    tensor_hash: str = ""
    """SHA-256 of the tensors alone: the same after the file got a new title or scorecard."""
    how: str = ""
    """The whole strength as `parse_strength` reads it; empty where one number says it all."""

    @property
    def whole_strength(self) -> Strength:
        """The strength to make the picture again with. Raises: ConfigError when `how` means nothing."""
        return parse_strength(self.how) if self.how else constant(self.strength)


def seal_use(seal: "Seal", strength: float | Strength) -> SealUse:
    """What a recipe says of a seal at a strength."""
    hashes = hash_file(seal.path) if seal.path is not None else None
    whole, tensors = (hashes.sha256, hashes.tensors) if hashes else ("", "")
    return SealUse(seal.name, float(strength), seal.header.trigger, whole, tensors, strength_text(strength))


def strength_text(strength: float | Strength) -> str:
    """`SealUse.how` for a strength."""
    return dump_strength(strength) if isinstance(strength, Strength) and strength.number is None else ""


@dataclass(frozen=True)
class Recipe:
    """How a picture was made."""

    prompt: str
    """As it was sent to the text encoder, triggers included."""
    prompt_typed: str
    negative: str
    seed: int
    num_steps: int
    guidance: float
    sampler: str
    width: int
    height: int
    base: str
    base_digest: str
    seals: tuple[SealUse, ...] = ()
    version: str = ""
    """`sealsmith <version>`, or the name of whatever wrote the picture."""
    long_prompts: str = "chunks"
    """What was done with words beyond the text encoder's limit: "chunks" or "cut"."""
    precision: str = "fp32"
    """What the base computed with."""
    mix: str = "sum"
    """How several seals acted together, one of `mixing.MIXES`."""
    quantised: str = ""
    """What the base was quantised to with the seals in it, e.g. "int8"; empty: not at all."""

    @property
    def is_ours(self) -> bool:
        """Whether Sealsmith wrote it; another tool leaves things out, which are 0, empty or a default here."""
        return self.version.startswith("sealsmith ")


_RECIPE = TypeAdapter(Recipe)


def dump_json(recipe: Recipe) -> str:
    """The whole recipe as JSON; `parse_json` gives it back."""
    return _RECIPE.dump_json(recipe).decode()


def parse_json(text: str) -> Recipe:
    """The recipe in a JSON text. Raises: PictureError."""
    try:
        recipe = _RECIPE.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "recipe"
        raise PictureError(f"the picture's recipe is damaged: {where}: {first['msg']}", _REMEDY) from error
    _check_num_seals(len(recipe.seals))
    return recipe


def dump_parameters(recipe: Recipe) -> str:
    """The recipe as A1111's text: prompt, negative prompt, and one line of settings."""
    pairs = {
        "Steps": str(recipe.num_steps),
        "Sampler": recipe.sampler,
        "CFG scale": _number(recipe.guidance),
        "Seed": str(recipe.seed),
        "Size": f"{recipe.width}x{recipe.height}",
        "Model hash": recipe.base_digest,
        "Model": recipe.base,
    }
    if recipe.mix != "sum":
        pairs["Lora mix"] = recipe.mix
    if recipe.long_prompts != "chunks":
        pairs["Long prompts"] = recipe.long_prompts
    if hashes := [f"{seal.name}: {seal.tensor_hash[:12]}" for seal in recipe.seals if seal.tensor_hash]:
        pairs["Lora hashes"] = ", ".join(hashes)
    pairs["Version"] = recipe.version
    wishes = tuple(SealWish(seal.name, seal.whole_strength) for seal in recipe.seals)
    lines = [dump_tags(TaggedPrompt(recipe.prompt, wishes))]
    # A prompt with such a line of its own needs ours behind it, for the last one is the one that counts.
    if recipe.negative or NEGATIVE in recipe.prompt:
        lines.append(f"{NEGATIVE} {recipe.negative}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in pairs.items()))
    return "\n".join(lines)


def parse_parameters(text: str) -> Recipe:
    """The recipe in an A1111 `parameters` text, ours or another tool's; what it does not say is 0 or empty.

    Long prompts are drawn in chunks where it does not say otherwise, as A1111 draws them.
    Differs: where several lines begin with "Negative prompt:", A1111 takes the first for the beginning of the
    negative prompt, we take the last.
    Raises: PictureError when the last line holds no settings, one of them cannot be read, or there are more than
    `MAX_TAGS` seals.
    """
    body, _, last = text.rpartition("\n")
    pairs = {match[1]: _unquoted(match[2]) for match in _PAIR.finditer(last)}
    if len(pairs) < 3:
        raise PictureError(
            f"no settings in the last line of the picture's parameters: {last[:100]!r}", _REMEDY
        )
    prompt, negative = body, ""
    start = 0 if body.startswith(NEGATIVE) else -1
    start = max(start, body.rfind(f"\n{NEGATIVE}"))
    if start >= 0:
        prompt, negative = (
            body[:start],
            body[start:].removeprefix("\n").removeprefix(NEGATIVE).removeprefix(" "),
        )
    width, _, height = pairs.get("Size", "0x0").partition("x")
    words, wishes = _taken_apart(prompt)
    try:
        return Recipe(
            words, words, negative, int(pairs.get("Seed", 0)), int(pairs.get("Steps", 0)),
            float(pairs.get("CFG scale", 0)), pairs.get("Sampler", ""), int(width), int(height),
            pairs.get("Model", ""), pairs.get("Model hash", ""), _seals(wishes, pairs.get("Lora hashes", "")),
            pairs.get("Version", ""), pairs.get("Long prompts", "chunks"), mix=pairs.get("Lora mix", "sum"),
        )  # fmt: skip
    except ValueError as error:
        problem = f"a setting in the picture's parameters is no number: {str(error)[:200]}"
        raise PictureError(problem, _REMEDY) from error


def _taken_apart(prompt: str) -> tuple[str, Sequence[SealWish]]:
    """Words and seals of a prompt; with a tag in it that cannot be read, it is all words."""
    try:
        tagged = parse_tags(prompt)
    except ConfigError:
        return prompt, ()
    return tagged.words, tagged.wishes


def _seals(wishes: Sequence[SealWish], hashes: str) -> tuple[SealUse, ...]:
    """A use for each wish, with its hash if there is one, and for each hash that nobody wished for."""
    named = _named_hashes(hashes)
    uses = []
    for wish in wishes:
        index = next((index for index, (name, _) in enumerate(named) if name == wish.name), None)
        short_hash = "" if index is None else named.pop(index)[1]
        text = strength_text(wish.strength)
        uses.append(SealUse(wish.name, float(wish.strength), tensor_hash=short_hash, how=text))
    return (*uses, *(SealUse(name, tensor_hash=short_hash) for name, short_hash in named))


def _named_hashes(hashes: str) -> list[tuple[str, str]]:
    """Name and hash of each seal in "name: hash, name: hash"; a name has one character at least."""
    named, place = [], 0
    while (found := _SEAL_HASH.search(hashes, place + 1)) is not None:
        named.append((hashes[place : found.start()], found[1]))
        place = found.end()
        _check_num_seals(len(named))
    return named


def _check_num_seals(num_seals: int) -> None:
    if num_seals > MAX_TAGS:
        raise PictureError(f"the picture's recipe names more than {MAX_TAGS} seals", _REMEDY)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _quoted(value: str) -> str:
    plain = value == value.strip() and value.isprintable() and not any(mark in value for mark in ',:"')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    try:
        text = str(json.loads(value))
    except ValueError:
        return value
    if not _SURROGATE.search(text):
        return text
    raise PictureError("a setting in the picture's parameters holds half a character", _REMEDY)
