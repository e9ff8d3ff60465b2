"""From what a request says to what the engine is asked for: tags out of the prompt, names into files.

The three dialects meet here: each makes an `Asked` of its request. Not for: drawing it (orders.py).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..adapters.strength import dump_strength, parse_strength
from ..engine.messages import Draw, SealAt
from ..errors import ConfigError
from ..generate.seal_syntax import parse_tags
from .library import Caller, Library
from .limits import MAX_SEALS, MAX_SEED


@dataclass(frozen=True)
class AskedSeal:
    """A seal as a request names it."""

    name: str
    """Or its digest."""
    strength: str = "1"


@dataclass(frozen=True)
class Asked:
    """Pictures as a request asks for them. What is None, the base decides; of the seed, chance."""

    prompt: str
    """With tags, `<lora:name:strength>`, or without."""
    negative: str = ""
    seals: Sequence[AskedSeal] = ()
    num_pictures: int = 1
    seed: int | None = None
    num_steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    width: int | None = None
    height: int | None = None
    use_trigger: bool = True
    long_prompts: str = "chunks"
    mix: str = "auto"
    preview_every: int = 0
    begin_within_s: float | None = None


@dataclass(frozen=True)
class Wish:
    """Pictures whose seals were found, and may be used by who asks."""

    tenant: str
    first: Draw
    """The first picture, without an id of its own."""
    num_pictures: int
    names: dict[str, str] = field(default_factory=dict)
    """What the caller calls each seal, by digest."""


@dataclass(frozen=True)
class Chosen:
    """A prompt and its seals."""

    words: str
    """Without tags."""
    seals: tuple[SealAt, ...]
    names: dict[str, str]
    """What the caller calls each, by digest."""


async def wish_of(library: Library, caller: Caller, asked: Asked) -> Wish:
    """What is asked for, with every seal looked up on the caller's behalf.

    Raises: ConfigError for a tag or strength that means nothing; SealMissingError; what `use_seal` raises.
    """
    if parse_tags(asked.negative).wishes:
        raise ConfigError(
            f"the negative prompt asks for a seal: {asked.negative[:200]!r}",
            "write the tag in the prompt; a negative strength, as <lora:name:-0.5>, pushes away from a seal",
        )
    chosen = await chosen_seals(library, caller, asked.prompt, asked.seals)
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    if seed + asked.num_pictures - 1 > MAX_SEED:
        raise ConfigError(
            f"the last picture's seed is {seed + asked.num_pictures - 1}", f"stay below {MAX_SEED}"
        )
    draw = Draw(
        id="",
        prompt=chosen.words,
        tenant=caller.tenant,
        negative=asked.negative,
        seals=chosen.seals,
        seed=seed,
        num_steps=asked.num_steps,
        guidance=asked.guidance,
        sampler=asked.sampler,
        width=asked.width,
        height=asked.height,
        use_trigger=asked.use_trigger,
        long_prompts=asked.long_prompts,
        mix=asked.mix,
        preview_every=asked.preview_every,
        begin_within_s=asked.begin_within_s,
    )
    return Wish(caller.tenant, draw, asked.num_pictures, chosen.names)


async def chosen_seals(
    library: Library, caller: Caller, prompt: str, others: Sequence[AskedSeal], most: int = MAX_SEALS
) -> Chosen:
    """The prompt without its tags, and the seals they and `others` ask for, looked up on the caller's behalf.

    Raises: ConfigError for a tag or strength that means nothing, or more than `most`; what `use_seal` raises.
    """
    tagged = parse_tags(prompt)
    wished = [AskedSeal(wish.name, dump_strength(wish.strength)) for wish in tagged.wishes]
    asked = [*others, *wished]
    if len(asked) > most:
        raise ConfigError(f"{len(asked)} seals are asked for", f"give at most {most}")
    seals, names = [], {}
    for seal in asked:
        parse_strength(seal.strength)
        found = await library.use_seal(caller, seal.name)
        seals.append(SealAt(found.digest, seal.strength))
        names[found.digest] = found.name
    return Chosen(tagged.words, tuple(seals), names)
