"""Pictures of a seal while it is being learned: the same prompts from the same seeds, again and again."""

from pathlib import Path
from typing import NamedTuple

from ..bases import Base
from ..generate import Request, generate, write_picture
from .config import TrainConfig
from .schedule import is_due

FOLDER_NAME = "previews"


class Preview(NamedTuple):
    step: int
    path: Path
    prompt: str
    seed: int


def planned_previews(config: TrainConfig, folder: Path, step: int) -> list[Preview]:
    """The previews due after `step` steps, whether or not they are drawn yet. `config` must be resolved."""
    if not is_due(config.preview_every, step, config.num_steps):
        return []
    return [
        Preview(step, folder / FOLDER_NAME / f"step-{step:06d}-{number}.png", prompt, config.seed + number)
        for number, prompt in enumerate(config.preview_prompts or ())
    ]


def draw_previews(base: Base, previews: list[Preview]) -> None:
    """Draws them with whatever is attached to the base, and writes them.

    Raises: OutputError when one cannot be written.
    """
    for preview in previews:
        write_picture(generate(base, Request(preview.prompt, seed=preview.seed))[0], preview.path)
