"""A scene: one or two marks on a surface, and the picture of it.

A `Scene` is a value: words and numbers, no pixels. `render` turns it into a picture, the same one every
time for the same scene and emblem masks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .marks import COLOURS, HELDOUT_MARKS, MARKS, Canvas, Mark, Shape, shading
from .raster import Raster
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


def render_scene(scene: Scene, masks: Sequence[np.ndarray], scale: float = 1.0) -> np.ndarray:
    """Picture of a scene, uint8 [128, W, 3], `scale` times as high and wide; `masks` [M, M] in 0..1 by placement.

    At every scale it is the same scene, drawn as finely as the picture's pixels are; M is EMBLEM_PX times the scale
    or more. Drawn as a square of W, of which the middle rows are shown.
    """
    raster, hidden = Raster(scene.width_px, scale), (scene.width_px - SCENE_PX) // 2
    rng = np.random.default_rng(scene.seed)
    rgb, relief = ALL_SURFACES[scene.surface](raster, rng)
    lambert, _ = shading(relief.astype(np.float32), raster)
    vignette = 1.0 + rng.uniform(-0.05, 0.05)
    canvas = Canvas(np.asarray(rgb * (0.35 + 0.65 * lambert * vignette)[..., None], np.float32), rng, raster)
    for placed, mask in zip(scene.placements, masks, strict=True):
        placement = replace(placed, centre_px=(placed.centre_px[0], placed.centre_px[1] + hidden))
        mark = ALL_MARKS[placement.mark]
        colour = np.asarray(COLOURS[placement.colour or "white"], np.float32)
        colour = np.clip(colour * rng.uniform(0.93, 1.07, 3).astype(np.float32), 0, 1)
        emblem = placed_emblem(mask, placement, mark.fill, (scene.width_px, scene.width_px), scale)
        mark.draw(canvas, _shape(placement, raster), emblem, colour, rng)
    top = round(hidden * scale)
    shown = canvas.rgb[top : top + round(SCENE_PX * scale)]
    return np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)


def _shape(placement: Placement, raster: Raster) -> Shape:
    y, x = raster.grid()
    dx, dy = x + 0.5 - placement.centre_px[0], y + 0.5 - placement.centre_px[1]
    return Shape(np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx), placement.radius_px, raster)


def placed_emblem(
    mask: np.ndarray,
    placement: Placement,
    fill: float,
    size_px: tuple[int, int] = (SCENE_PX, SCENE_PX),
    scale: float = 1.0,
) -> np.ndarray:
    """An emblem mask where `placement` puts it in a scene of that width and height: float32 [H, W] in 0..1.

    The result's sides are `scale` times the scene's.
    """
    side = 2 * placement.radius_px * fill * scale
    small = Image.fromarray(np.asarray(mask * 255, np.uint8))
    step = small.width / side
    if step > 1.3:  # bilinear sampling alone would alias
        small = small.resize((round(side), round(side)), Image.Resampling.BOX)
    step = small.width / side
    c, s = np.cos(np.deg2rad(placement.turn_deg)), np.sin(np.deg2rad(placement.turn_deg))
    cx, cy = (middle * scale for middle in placement.centre_px)
    half = small.width / 2
    matrix = (
        c * step,
        s * step,
        half - step * (c * cx + s * cy),
        -s * step,
        c * step,
        half - step * (-s * cx + c * cy),
    )
    size = (round(size_px[0] * scale), round(size_px[1] * scale))
    out = small.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(out, np.float32) / 255
