"""What a seal does to a picture, to be seen: prompts that call it, drawn by the base alone and with the seal.

A scorecard's pictures that call the seal are drawn with it only; here the base draws the same prompts from the same
seeds. Not for: figures (figures.py).
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace

from ..adapters import Seal
from ..bases import Base
from ..generate import Picture, Request
from .measure import ScoreProgress, draw
from .report import best_of_prompts
from .scorecard import Scorecard
from .settings import ScoreSettings


@dataclass(frozen=True)
class Contrast:
    """One prompt and seed, drawn twice."""

    prompt: str
    seed: int
    before: Picture
    """By the base alone."""
    after: Picture
    """With the seal."""


def contrasts(
    base: Base,
    seal: Seal,
    card: Scorecard,
    settings: ScoreSettings,
    num_pairs: int,
    drawn: MutableMapping[Request, Picture],
    progress: ScoreProgress | None = None,
) -> list[Contrast]:
    """The scorecard's best pictures that call the seal, of as many prompts as there are, beside the base's own.

    `drawn` keeps the base's pictures; fewer than `num_pairs` where the scorecard has fewer.
    """
    called = best_of_prompts(card)[:num_pairs]
    alone = [replace(shot, with_seal=False, picture=None, sight=None) for shot in called]
    own = draw(base, seal, alone, settings.for_family(base.family), drawn, progress)
    return [
        Contrast(shot.prompt, shot.seed, bare.drawn, shot.drawn)
        for shot, bare in zip(called, own, strict=True)
    ]
