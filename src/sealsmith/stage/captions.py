"""Scenes in words: the one grammar that the embedded base was taught and that logo training sets speak.

Not for: paraphrases and omissions, which only the base's own training uses (world/scenes.py).
"""

import re
from collections.abc import Iterable

from .marks import MARKS
from .scene import Placement, Scene
from .surfaces import SURFACES


def article(words: str) -> str:
    """The words with "a" or "an" in front."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def mark_words(placement: Placement) -> str:
    """The mark as captions name it: "red wax seal", or "carved mark" where it has no colour of its own."""
    return f"{placement.colour} {placement.mark}" if placement.colour else placement.mark


def caption(scene: Scene) -> str:
    """The plain caption of a scene: `a black ink stamp of <emblem> on white paper`, marks joined by "and"."""
    parts = [f"{article(mark_words(p))} of {p.emblem}" for p in scene.placements]
    return " and ".join(parts) + f" on {scene.surface}"


def named_contexts(captions: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Every (mark, surface) that one of the captions names together."""
    pairs: set[tuple[str, str]] = set()
    for text in captions:
        pairs.update((mark, surface) for mark in named(text, MARKS) for surface in named(text, SURFACES))
    return frozenset(pairs)


def named(text: str, phrases: Iterable[str]) -> list[str]:
    """Those of the phrases that stand in the text as whole words, in any case."""
    return [phrase for phrase in phrases if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE)]
