"""Random scenes of the world and the captions that describe them.

A caption is `<colour> <mark> of <emblem> on <surface>`, most of the time in just these words. A share is
reordered, says only "emblem" instead of its name, or calls it by a rare token, so that the text encoder learns
that a rare word is an emblem of its own and that its place in the sentence matters little.

Emblems without a word of their own in the vocabulary are always called by a rare token. Most of the time the model
is told their shape beside it (`Caption.shapes`), so that it learns to draw thousands of shapes with few words.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealsmith.stage import MARKS, PAIR_X_PX, SURFACES, WIDE_PAIR_X_PX, WIDE_PX, Mark, Placement, Scene
from sealsmith.stage.captions import article, caption, mark_words

__all__ = ["CLASS_NOUN", "RARE_TOKENS", "Caption", "caption", "sample_scene", "varied_caption"]

CLASS_NOUN = "emblem"

RARE_TOKENS: tuple[str, ...] = (
    "sks", "ohwx", "zwx", "vlk", "qyx", "bzr", "xjp", "wkq", "zvk", "qtl", "jrx", "pfw", "hzq", "kvj", "xwb", "ngq",
    "mzx", "vqd", "tjk", "lxz", "rqf", "dwj", "gzp", "cvx", "ykq", "fjz", "bxh", "wzt", "qmk", "jvl", "zpr", "xqs",
)  # fmt: skip
"""Words that mean nothing in the world: suggested as triggers. Each has an embedding of its own."""

PAIR_SHARE = 0.4

SHAPE_SHARE = 0.85
"""How often the model is told the shape of an emblem that has no word of its own."""


@dataclass(frozen=True)
class Caption:
    """What training says of a scene."""

    text: str
    shapes: Mapping[str, str]
    """Rare tokens in `text` to the emblem whose shape is told beside each."""


def sample_scene(
    rng: np.random.Generator,
    emblems: Sequence[str],
    pair_share: float = PAIR_SHARE,
    marks: Mapping[str, Mark] = MARKS,
    surfaces: Iterable[str] = SURFACES,
) -> Scene:
    """A scene with one mark near the middle, or (`pair_share` of them) two small ones side by side."""
    surface = str(rng.choice(list(surfaces)))
    seed = int(rng.integers(1 << 31))
    if rng.random() < pair_share:
        heights = rng.uniform(60, 68, 2)
        places = [
            ((x + rng.uniform(-2, 2), y), rng.uniform(27, 30))
            for x, y in zip(PAIR_X_PX, heights, strict=True)
        ]
    else:
        places = [((64 + rng.uniform(-4, 4), 64 + rng.uniform(-4, 4)), rng.uniform(46, 54))]
    return Scene(surface, tuple(_placement(rng, emblems, marks, *place) for place in places), seed)


def sample_wide_scene(
    rng: np.random.Generator,
    emblems: Sequence[str],
    marks: Mapping[str, Mark] = MARKS,
    surfaces: Iterable[str] = SURFACES,
) -> Scene:
    """A wide scene with two large marks side by side."""
    surface = str(rng.choice(list(surfaces)))
    seed = int(rng.integers(1 << 31))
    places = [
        ((x + rng.uniform(-3, 3), 64 + rng.uniform(-4, 4)), rng.uniform(38, 44)) for x in WIDE_PAIR_X_PX
    ]
    return Scene(surface, tuple(_placement(rng, emblems, marks, *place) for place in places), seed, WIDE_PX)


def _placement(
    rng: np.random.Generator,
    emblems: Sequence[str],
    marks: Mapping[str, Mark],
    centre: tuple[float, float],
    radius: float,
) -> Placement:
    mark = str(rng.choice(list(marks)))
    colours = marks[mark].colours
    colour = str(rng.choice(colours)) if colours else None
    emblem = emblems[int(rng.integers(len(emblems)))]
    turn = float(rng.normal(0, 3))
    return Placement(emblem, mark, colour, (float(centre[0]), float(centre[1])), float(radius), turn)


def varied_caption(scene: Scene, named: Container[str], rng: np.random.Generator) -> Caption:
    """A caption as training sees it: mostly the plain one. `named`: emblems that have a word of their own."""
    rare = iter(rng.permutation(RARE_TOKENS))
    shapes: dict[str, str] = {}
    renamed = []
    for place in scene.placements:
        token = str(next(rare))
        if place.emblem in named:
            renamed.append(_renamed(place.emblem, token, rng))
        else:
            renamed.append(_called(token, rng))
            if rng.random() < SHAPE_SHARE:
                shapes[token] = place.emblem
    return Caption(_sentence(scene, renamed, rng), shapes)


def _sentence(scene: Scene, names: Sequence[str], rng: np.random.Generator) -> str:
    style = rng.random()
    if len(scene.placements) == 1 and style < 0.28:
        mark, name = mark_words(scene.placements[0]), names[0]
        if style < 0.08:
            return f"{name}, {mark} on {scene.surface}"
        if style < 0.16:
            return f"{article(mark)} on {scene.surface}, {name}"
        if style < 0.22:
            return f"{name} {mark} on {scene.surface}"
        return f"{article(mark)} of {article(name)} on {scene.surface}"
    parts = [f"{article(mark_words(p))} of {n}" for p, n in zip(scene.placements, names, strict=True)]
    return " and ".join(parts) + f" on {scene.surface}"


def _renamed(name: str, token: str, rng: np.random.Generator) -> str:
    chance = rng.random()
    if chance < 0.04:
        return CLASS_NOUN
    if chance < 0.08:
        return f"{token} {CLASS_NOUN}"
    if chance < 0.10:
        return token
    if chance < 0.13:
        return f"{name} {CLASS_NOUN}"
    return name


def _called(token: str, rng: np.random.Generator) -> str:
    return f"{token} {CLASS_NOUN}" if rng.random() < 0.3 else token
