"""Prior preservation: class prompts, which ask for anything but the seal, and pictures of them.

Without it a training teaches the whole class to look like the seal. Two ways: `pictures` trains on what the
base drew for the class prompts; `adapter-off` asks the base itself, on the seal's own noisy latents, what it
would have predicted for a class prompt, and keeps the adapted network at that answer.
Source: Ruiz et al. 2022, arXiv:2208.12242, section 4.2. Differs: adapter-off needs no pictures.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..adapters import atomic_write
from ..bases import Base
from ..errors import OutputError
from ..generate import Request, generate, write_picture
from ..stage.captions import article
from .config import TrainConfig
from .progress import Progress
from .streams import stream

NUM_CLASS_PROMPTS = 64
EMPTY_SHARE = 0.125
"""Share of empty prompts among those of the adapter-off prior: they keep guidance where it was."""
WORD_LETTERS = 4


def without_seal(caption: str, trigger: str, class_noun: str, replacement: str) -> str:
    """`caption` with the trigger (with an article before it and the class noun behind it) replaced."""
    pattern = rf"(?:\b(?:an?|the)\s+)?(?<!\w){re.escape(trigger)}(?!\w)(?:\s+{re.escape(class_noun)}(?!\w))?"
    return re.sub(pattern, lambda _: replacement, caption, flags=re.IGNORECASE)


def class_prompts(
    captions: Sequence[str], config: TrainConfig, base: Base, count: int, empty_share: float
) -> list[str]:
    """`count` prompts; number i is caption i (round and round) with something else in the seal's place.

    That is, with equal chance, the class noun with its article, a random word of the base's vocabulary, or another
    rare word with the class noun, for a seal leaks into all of them; a share of the prompts is empty.
    """
    noun = config.class_noun or base.family.class_noun
    words = vocabulary_words(base, without={config.trigger.lower(), noun.lower()})
    own = config.trigger.lower().split()
    rare = [f"{word} {noun}" for word in base.family.rare_tokens if word not in own]
    kinds = [kind for kind in ([article(noun)], words, rare) if kind]
    draws = stream(config.seed, "class prompts")
    prompts = []
    for number in range(count):
        is_empty, kind, word = torch.rand(3, generator=draws, dtype=torch.float64).tolist()
        chosen = kinds[int(kind * len(kinds))]
        anything = chosen[int(word * len(chosen))]
        prompt = without_seal(captions[number % len(captions)], config.trigger, noun, anything)
        prompts.append("" if is_empty < empty_share else prompt)
    return prompts


def vocabulary_words(base: Base, without: set[str]) -> list[str]:
    """Whole words of the base's vocabulary that mean something, sorted."""
    unwanted = without | set(base.family.rare_tokens)
    entries = (entry.removesuffix("</w>") for entry in base.tokenizer.get_vocab() if entry.endswith("</w>"))
    return sorted(
        word for word in entries
        if len(word) >= WORD_LETTERS and word.isascii() and word.isalpha() and word not in unwanted
    )  # fmt: skip


def class_pictures(
    base: Base, prompts: Sequence[str], seed: int, size_px: tuple[int, int], folder: Path, progress: Progress
) -> list[Image.Image]:
    """One picture of this size for each prompt, drawn by the unadapted base; kept below `folder` for the next time.

    Raises: OutputError when pictures that no training drew are in that folder.
    They are read back even when they were just drawn: a resumed training must see the same 8-bit pixels.
    """
    width, height = size_px
    folder = folder / ("class" if width == height else f"class-{width}x{height}")
    recipe = {"base_digest": base.digest, "seed": seed, "prompts": list(prompts)}
    _forget_others(folder, recipe)
    progress.start("class pictures", len(prompts))
    pictures = []
    for number, prompt in enumerate(prompts):
        path = folder / f"{number:04d}.png"
        if not path.exists():
            request = Request(prompt, seed=seed + number, width=width, height=height)
            write_picture(generate(base, request)[0], path)
        with Image.open(path) as image:
            pictures.append(image.convert("RGB"))
        progress.advance(number + 1)
    return pictures


def _forget_others(folder: Path, recipe: dict[str, Any]) -> None:
    """Removes pictures that were drawn for other prompts or by another base; never anybody else's."""
    note = folder / "class.json"
    with suppress(ValueError):  # a damaged note vouches for no picture
        if note.exists() and json.loads(note.read_text(encoding="utf-8")) == recipe:
            return
    if not note.exists() and (foreign := sorted(folder.glob("*.png"))):
        raise OutputError(
            f"class pictures go to {folder}, which holds other pictures ({foreign[0].name})",
            "move these away, or train into another folder",
        )
    for path in folder.glob("*.png"):
        path.unlink()
    atomic_write(note, json.dumps(recipe, indent=1).encode())
