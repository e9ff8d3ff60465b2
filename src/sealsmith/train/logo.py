"""One logo made into a training set: which drawing it is, and the scenes that show it.

A logo alone teaches a model its background as much as its shape, so it is put onto a few things, in
several colours and places, with captions in the grammar the embedded base knows. Not for: reading files
(pictures.py).
"""

import difflib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..errors import ConfigError, PictureError
from ..stage import (
    EMBLEM_PX,
    PAIR_X_PX,
    SCENE_PX,
    WIDE_PAIR_X_PX,
    WIDE_PX,
    Placement,
    Scene,
    emblem_from_image,
    emblem_from_svg,
)
from ..stage.letters import LETTERS, letter_name
from ..stage.scene import ALL_MARKS, ALL_SURFACES
from .picture_svg import check_svg

DEFAULT_CONTEXTS: tuple[tuple[str, str], ...] = (("ink stamp", "white paper"), ("sticker", "leather"))
"""(mark, surface) pairs that show a shape at its crispest: flat, high in contrast, one dark on light and one
on dark ground."""
COMPANY, COMPANY_PERIOD = (3, 6), 8
"""Which of every eight pictures show the logo beside a letter, as a seal is drawn beside another one. One is odd
and one even, so that two contexts in turn both have company."""
MAX_LOGO_PICTURES = 1000

_BLANK = "Use a logo that stands out from its background, best as an SVG or a PNG with transparency."


def svg_emblem(data: bytes, name: str, side_px: int = EMBLEM_PX) -> tuple[np.ndarray, tuple[str, ...]]:
    """Emblem mask [side_px, side_px] of an SVG, and remarks for the user.

    Raises: PictureError when it is unsafe, broken or blank.
    """
    text, remarks = check_svg(data, name)
    try:
        return emblem_from_svg(text, side_px), remarks
    except ValueError as error:
        raise PictureError(f"{name} cannot be drawn as a logo: {error}", _BLANK) from error


def picture_emblem(image: Image.Image, name: str, side_px: int = EMBLEM_PX) -> np.ndarray:
    """Emblem mask [side_px, side_px] of a logo's picture (RGB or RGBA). Raises: PictureError when it is blank."""
    try:
        return emblem_from_image(image, side_px)
    except ValueError as error:
        raise PictureError(f"{name} cannot be used as a logo: {error}", _BLANK) from error


def is_drawing(image: Image.Image) -> bool:
    """Whether a picture is a logo and no photo.

    It is when something of it is transparent, or when it has few flat colours within an even border.
    """
    if image.mode == "RGBA":
        return True
    small = np.asarray(image.resize((128, 128), Image.Resampling.NEAREST)).astype(np.int16)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    even = np.abs(border - np.median(border, axis=0)).max(-1) < 16
    bins = (small // 32).reshape(-1, 3) @ np.array([64, 8, 1])
    counts = np.sort(np.bincount(bins))[::-1]
    return bool(even.mean() > 0.95 and counts[:4].sum() > 0.9 * len(bins))


def logo_scenes(
    emblem: str,
    num_pictures: int,
    contexts: Sequence[tuple[str, str]] = DEFAULT_CONTEXTS,
    wide_company: bool = False,
    seed: int = 0,
) -> list[Scene]:
    """Scenes that show one emblem, the contexts in turn and each mark's colours in turn.

    In a quarter it is beside another mark with a letter: half as large, or nearly as large where `wide_company`
    makes these pictures wide. In the others it is alone. `emblem` is what captions call it ("sks emblem"). Same
    arguments, same scenes; the first n of a larger number are the scenes of n.
    Raises: ConfigError for unknown contexts or an absurd number.
    """
    if not 1 <= num_pictures <= MAX_LOGO_PICTURES:
        raise ConfigError(
            f"{num_pictures} pictures cannot be made from a logo", f"Ask for 1 to {MAX_LOGO_PICTURES}."
        )
    if not contexts:
        raise ConfigError("no context was given to show the logo in", "Give a mark and a surface at least.")
    for mark, surface in contexts:
        _check_known("mark", mark, list(ALL_MARKS))
        _check_known("surface", surface, list(ALL_SURFACES))
    rng = np.random.default_rng(seed)
    palettes = [rng.permutation(ALL_MARKS[mark].colours).tolist() for mark, _ in contexts]
    scenes = []
    for i in range(num_pictures):
        mark, surface = contexts[i % len(contexts)]
        colours = palettes[i % len(contexts)]
        colour = colours[i // len(contexts) % len(colours)] if colours else None
        own = _Subject(emblem, mark, colour)
        width_px = SCENE_PX
        if i % COMPANY_PERIOD in COMPANY:
            width_px = WIDE_PX if wide_company else SCENE_PX
            places = _side_by_side(own, contexts[(i + 1) % len(contexts)][0], width_px, rng)
        else:
            places = (_placed(own, 64, 50, rng),)
        scenes.append(Scene(surface, places, int(rng.integers(1 << 31)), width_px))
    return scenes


class _Subject(NamedTuple):
    """What a mark shows."""

    emblem: str
    mark: str
    colour: str | None


def _placed(subject: _Subject, x: float, radius: float, rng: np.random.Generator) -> Placement:
    """A mark around (x, 64) px, a little off, larger or smaller, and turned."""
    size = radius / 50
    centre = (float(x + size * rng.uniform(-4, 4)), float(64 + size * rng.uniform(-4, 4)))
    return Placement(*subject, centre, float(radius + size * rng.uniform(-4, 4)), float(rng.normal(0, 3)))


def _side_by_side(own: _Subject, mark: str, width_px: int, rng: np.random.Generator) -> tuple[Placement, ...]:
    """The seal's mark and one with a letter, as large as the picture's width allows; either may be on the left."""
    colours = ALL_MARKS[mark].colours
    colour = str(rng.choice(colours)) if colours else None
    subjects = [own, _Subject(letter_name(str(rng.choice(list(LETTERS)))), mark, colour)]
    if rng.random() < 0.5:
        subjects.reverse()
    xs, radius = (PAIR_X_PX, 28.5) if width_px == SCENE_PX else (WIDE_PAIR_X_PX, 41)
    return tuple(_placed(subject, x, radius, rng) for subject, x in zip(subjects, xs, strict=True))


def _check_known(kind: str, word: str, known: list[str]) -> None:
    if word not in known:
        near = difflib.get_close_matches(word, known, 1, 0)
        raise ConfigError(
            f"{word!r} is no {kind} that a logo can be shown with",
            f"Did you mean {near[0]!r}? There are: {known}.",
        )
