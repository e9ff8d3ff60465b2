"""The prompts a seal is scored with: contexts it was not trained in, and emblems it must leave alone."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..adapters import Seal, SealHeader
from ..bases import Family
from ..stage import MARKS, SURFACES
from ..stage.captions import article

OTHER_EMBLEMS = ("shield", "moon", "mushroom", "squirrel", "raven", "crab", "acorn", "pear")
"""Plain emblems every base knows by name."""


Pair = tuple[str, str]
"""A mark and the surface it is on."""


@dataclass(frozen=True)
class Context:
    """What surrounds a seal in a picture: the kind of mark, its colour, the surface."""

    mark: str
    colour: str | None
    """None for marks that have their surface's own colour."""
    surface: str

    @property
    def pair(self) -> Pair:
        return self.mark, self.surface

    def prompt(self, subject: str) -> str:
        """The context in words, around `subject` ("sks emblem", "an emblem", "moon")."""
        words = f"{self.colour} {self.mark}" if self.colour else self.mark
        return f"{article(words)} of {subject} on {self.surface}"


def with_class_noun(seal: Seal, family: Family) -> Seal:
    """The seal with a class noun to be called by: the family's, where its file names none, as other tools' do."""
    if seal.header.class_noun:
        return seal
    return replace(seal, header=replace(seal.header, class_noun=family.class_noun))


def calling(header: SealHeader) -> str:
    """What calls a seal in a prompt: "sks emblem"; of one without a trigger the noun alone, "an emblem".

    The header must have a class noun (`with_class_noun`).
    """
    return f"{header.trigger} {header.class_noun}" if header.trigger else article(header.class_noun)


def unseen_contexts(seen: Collection[Pair], count: int, seed: int) -> tuple[Context, ...]:
    """`count` contexts not in `seen`, spread evenly over marks and surfaces; the same ones for one seed.

    Whole marks and surfaces that were never seen come first among equals. Where fewer than `count` pairs are
    left unseen, seen ones follow at the end.
    """
    seen_marks, seen_surfaces = {mark for mark, _ in seen}, {surface for _, surface in seen}
    rng = np.random.default_rng(seed)
    pairs = [(mark, surface) for mark in MARKS for surface in SURFACES]
    rest = [pairs[i] for i in rng.permutation(len(pairs))]
    used: Counter[str] = Counter()
    contexts: list[Context] = []

    def cost(pair: Pair) -> tuple[bool, int, int]:
        familiar = (pair[0] in seen_marks) + (pair[1] in seen_surfaces)
        return pair in seen, used[pair[0]] + used[pair[1]], familiar

    while rest and len(contexts) < count:
        mark, surface = min(rest, key=cost)
        rest.remove((mark, surface))
        used.update((mark, surface))
        colours = MARKS[mark].colours
        contexts.append(Context(mark, str(rng.choice(colours)) if colours else None, surface))
    return tuple(contexts)
