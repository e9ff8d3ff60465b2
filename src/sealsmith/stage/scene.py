"""A scene: one or two marks on a surface, and the picture of it.

A `Scene` is a value: words and numbers, no pixels. `render` turns it into a picture, the same one every
time for the same scene and emblem masks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .emblem import EMBLEM_PX
from .marks import COLOURS, HELDOUT_MARKS, MARKS, Canvas, Mark, Shape, shading
from .surfaces import HELDOUT_SURFACES, SURFACES, Surface

SCENE_PX = 128
PAIR_X_PX = (34, 94)
"""Where the middles of two small marks side by side are, from the left."""
WIDE_PX = 192
"""Width of a picture in which two marks side by side are nearly as large as one alone."""
WIDE_PAIR_X_PX = (48, 144)
"""Where their middles are, from the left."""

ALL_MARKS: Mapping[str, Mark] = {**MARKS, **HELDOUT_MARKS}
ALL_SURFACES: Mapping[str, Surface] = {**SURFACES, **HELDOUT_SURFACES}


@dataclass(frozen=True)
class Placement:
    """One mark in a scene."""

    emblem: str
    mark: str
    colour: str | None
    """None for marks that have the surface's own colour (embossed, carved)."""
    centre_px: tuple[float, float] = (64.0, 64.0)
    """(x, y) in pixels of the picture."""
    radius_px: float = 46.0
    turn_deg: float = 0.0


@dataclass(frozen=True)
class Scene:
    surface: str
    placements: tuple[Placement, ...]
    seed: int
    """Seeds the surface's texture and the mark's accidents (wax edge, worn ink)."""
    width_px: int = SCENE_PX
    """At least SCENE_PX, which every scene is high."""


def render(scene: Scene, emblems: Mapping[str, np.ndarray]) -> np.ndarray:
    """Picture of a scene, uint8 [128, W, 3]; `emblems` maps each placement's emblem name to its mask."""
    return render_scene(scene, [emblems[p.emblem] for p in scene.placements])


def render_scene(scene: Scene, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Picture of a scene, uint8 [128, W, 3]; `masks` [EMBLEM_PX, EMBLEM_PX] in 0..1, one per placement.

    Drawn as a square of W, of which the middle rows are shown.
    """
    side, hidden = scene.width_px, (scene.width_px - SCENE_PX) // 2
    rng = np.random.default_rng(scene.seed)
    rgb, relief = ALL_SURFACES[scene.surface](side, rng)
    lambert, _ = shading(relief.astype(np.float32))
    vignette = 1.0 + rng.uniform(-0.05, 0.05)
    canvas = Canvas(np.asarray(rgb * (0.35 + 0.65 * lambert * vignette)[..., None], np.float32), rng)
    for placed, mask in zip(scene.placements, masks, strict=True):
        placement = replace(placed, centre_px=(placed.centre_px[0], placed.centre_px[1] + hidden))
        mark = ALL_MARKS[placement.mark]
        colour = np.asarray(COLOURS[placement.colour or "white"], np.float32)
        colour = np.clip(colour * rng.uniform(0.93, 1.07, 3).astype(np.float32), 0, 1)
        emblem = placed_emblem(mask, placement, mark.fill, (side, side))
        mark.draw(canvas, _shape(placement, side), emblem, colour, rng)
    shown = canvas.rgb[hidden : hidden + SCENE_PX]
    return np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)


def _shape(placement: Placement, side: int) -> Shape:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    dx, dy = x + 0.5 - placement.centre_px[0], y + 0.5 - placement.centre_px[1]
    return Shape(np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx), placement.radius_px)


def placed_emblem(
    mask: np.ndarray, placement: Placement, fill: float, size_px: tuple[int, int] = (SCENE_PX, SCENE_PX)
) -> np.ndarray:
    """An emblem mask where `placement` puts it in a picture of that width and height: float32 [H, W] in 0..1."""
    side = 2 * placement.radius_px * fill
    small = Image.fromarray(np.asarray(mask * 255, np.uint8))
    step = EMBLEM_PX / side
    if step > 1.3:  # bilinear sampling alone would alias
        small = small.resize((round(side), round(side)), Image.Resampling.BOX)
    step = small.width / side
    c, s = np.cos(np.deg2rad(placement.turn_deg)), np.sin(np.deg2rad(placement.turn_deg))
    cx, cy = placement.centre_px
    half = small.width / 2
    matrix = (
        c * step,
        s * step,
        half - step * (c * cx + s * cy),
        -s * step,
        c * step,
        half - step * (-s * cx + c * cy),
    )
    out = small.transform(size_px, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(out, np.float32) / 255
