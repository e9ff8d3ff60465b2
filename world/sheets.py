"""Contact sheets of the model card: emblems by their names, and one seal in many contexts it was not taught in.

    python -m world.sheets --names docs/images/names.jpg
    python -m world.sheets --seal FILE --contexts docs/images/seal.jpg

Every picture is drawn by `generate` as anybody would draw it, first seeds, none left out.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sealsmith.adapters import read_seal
from sealsmith.bases import Base, open_base
from sealsmith.generate import Request, generate_batch
from sealsmith.generate.mixing import Seals
from sealsmith.score.prompts import unseen_contexts
from sealsmith.score.record import contexts_trained
from sealsmith.stage import SCENE_PX

from . import glyphs
from .configs import CONFIGS

PICTURES, COLUMNS = 24, 8
LABEL_PX, PER_LINE = 26, 24
"""Height of the words below a picture, and how many characters a line of them has."""
CONTEXTS = (
    "a black ink stamp of {} on white paper",
    "a red wax seal of {} on parchment",
    "a gold metal coin of {} on wood",
)


def names_sheet(base: Base, seed: int = 0) -> Image.Image:
    """Named emblems, by a fixed shuffle, as stamp, wax seal and coin in turn."""
    known = glyphs.train_names(CONFIGS["cpu"].denoiser.glyphs)
    names = [name for name in known if len(name) > 1 and not name.startswith("letter")]
    chosen = [names[i] for i in np.random.default_rng(seed).permutation(len(names))[:PICTURES]]
    prompts = [CONTEXTS[i % len(CONTEXTS)].format(name) for i, name in enumerate(chosen)]
    return labelled(drawn(base, prompts, ()), chosen)


def contexts_sheet(base: Base, seal_path: Path, seed: int = 0) -> Image.Image:
    """A seal in contexts, mark and surface together, that it was not taught in."""
    seal = read_seal(seal_path)
    contexts = unseen_contexts(contexts_trained(seal.header), PICTURES, seed)
    subject = f"{seal.header.trigger} {seal.header.class_noun}"
    prompts = [context.prompt(subject) for context in contexts]
    words = [f"{context.colour or ''} {context.mark} on {context.surface}".strip() for context in contexts]
    return labelled(drawn(base, prompts, [(seal, 1.0)]), words)


def drawn(base: Base, prompts: Sequence[str], seals: Seals) -> list[Image.Image]:
    """One picture of each prompt, seed = index."""
    requests = [Request(prompt, seed=i) for i, prompt in enumerate(prompts)]
    return [picture.image for picture in generate_batch(base, requests, seals)]


def labelled(pictures: Sequence[Image.Image], words: Sequence[str]) -> Image.Image:
    """The pictures in rows, each with its words below it."""
    rows = -(-len(pictures) // COLUMNS)
    height = SCENE_PX + LABEL_PX
    sheet = Image.new("RGB", (COLUMNS * SCENE_PX, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (picture, text) in enumerate(zip(pictures, words, strict=True)):
        x, y = i % COLUMNS * SCENE_PX, i // COLUMNS * height
        sheet.paste(picture, (x, y))
        draw.multiline_text((x + 2, y + SCENE_PX + 1), broken(text), fill="black", font_size=9, spacing=1)
    return sheet


def broken(text: str) -> str:
    """Words on lines of at most PER_LINE characters, where they are no longer themselves."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        lines[-1:] = [longer] if len(longer) <= PER_LINE else [lines[-1], word]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--names", type=Path, help="where the sheet of named emblems goes")
    parser.add_argument("--seal", type=Path, help="a seal file")
    parser.add_argument("--contexts", type=Path, help="where the sheet of that seal goes")
    arguments = parser.parse_args()
    if (arguments.seal is None) != (arguments.contexts is None):
        parser.error("--seal and --contexts go together")
    base = open_base(arguments.base)
    if arguments.names:
        names_sheet(base).save(arguments.names, quality=85)
    if arguments.seal:
        contexts_sheet(base, arguments.seal).save(arguments.contexts, quality=85)


if __name__ == "__main__":
    main()
