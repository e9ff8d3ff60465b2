"""How an emblem is put on a surface: pressed into wax, stamped, carved, struck, stitched, lit.

Each mark is one function `(canvas, shape, emblem, colour, rng)` that changes the canvas. Geometry comes in
as masks already placed in the picture, so a mark knows nothing about positions except its centre and radius.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter

from .noise import crop, fractal, sheet
from .raster import Raster

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.72, 0.10, 0.10),
    "blue": (0.12, 0.25, 0.72),
    "green": (0.10, 0.47, 0.22),
    "purple": (0.44, 0.16, 0.58),
    "orange": (0.90, 0.46, 0.10),
    "black": (0.10, 0.10, 0.11),
    "white": (0.93, 0.92, 0.90),
    "gold": (0.85, 0.66, 0.24),
    "silver": (0.74, 0.76, 0.79),
    "copper": (0.72, 0.41, 0.26),
}

LIGHT = np.array([-0.52, -0.62, 0.59], np.float32)
"""Direction to the lamp: upper left, in front (x right, y down, z towards the viewer)."""

_HALF = (LIGHT + np.array([0, 0, 1], np.float32)) / np.linalg.norm(LIGHT + np.array([0, 0, 1], np.float32))


@dataclass
class Canvas:
    """A picture while it is being drawn."""

    rgb: np.ndarray
    """[S, S, 3] in 0..1, already lit."""
    rng: np.random.Generator
    raster: Raster


@dataclass(frozen=True)
class Shape:
    """Where a mark sits: distance and angle of every pixel from its centre, in pixels of the scene."""

    distance: np.ndarray
    angle: np.ndarray
    radius_px: float
    raster: Raster

    def disc(self, fraction: float) -> np.ndarray:
        """Coverage 0..1 of a disc of `fraction` of the radius, with a soft edge of one pixel."""
        return self.inside(self.radius_px * fraction - self.distance)

    def inside(self, depth: np.ndarray) -> np.ndarray:
        """Coverage 0..1 of what is at least 0 deep, in pixels of the scene, with a soft edge of one pixel."""
        return np.clip(depth * self.raster.scale + 0.5, 0, 1)

    def ring(self, outer: float, inner: float) -> np.ndarray:
        return self.disc(outer) - self.disc(inner)


Draw = Callable[[Canvas, Shape, np.ndarray, np.ndarray, np.random.Generator], None]


@dataclass(frozen=True)
class Mark:
    """A kind of mark: its drawing, the colours it comes in, how much of its radius the emblem may fill."""

    draw: Draw
    colours: tuple[str, ...] = field(default=())
    fill: float = 0.72


MARKS: dict[str, Mark] = {}
"""Marks the embedded base is trained on, by the words captions use."""

HELDOUT_MARKS: dict[str, Mark] = {}
"""A mark it never sees: material for style seals."""


def _register(
    words: str, colours: tuple[str, ...] = (), fill: float = 0.72, into: dict[str, Mark] = MARKS
) -> Callable[[Draw], Draw]:
    def add(draw: Draw) -> Draw:
        into[words] = Mark(draw, colours, fill)
        return draw

    return add


def shading(height: np.ndarray, raster: Raster, gloss: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Lambert term (1 on flat ground) and specular term (0 on dull ground) of a relief [S, S].

    Units: `height` in pixels of the scene.
    """
    dy, dx = np.gradient(height, 1 / raster.scale)
    norm = 1 / np.sqrt(dx * dx + dy * dy + 1)
    lambert = np.clip((-LIGHT[0] * dx - LIGHT[1] * dy + LIGHT[2]) * norm, 0, None) / LIGHT[2]
    if not gloss:
        return lambert, np.zeros_like(lambert)
    half = np.clip((-_HALF[0] * dx - _HALF[1] * dy + _HALF[2]) * norm, 0, 1)
    return lambert, gloss * half**24


def _blend(canvas: Canvas, rgb: np.ndarray, coverage: np.ndarray) -> None:
    canvas.rgb += (rgb - canvas.rgb) * coverage[..., None]


def _blur(picture: np.ndarray, sigma_px: float, raster: Raster) -> np.ndarray:
    """The picture [S, S] blurred by `sigma_px` pixels of the scene."""
    return np.asarray(gaussian_filter(picture, sigma_px * raster.scale))


def _shadow(canvas: Canvas, coverage: np.ndarray, offset_px: int = 3, depth: float = 0.5) -> None:
    offset = round(offset_px * canvas.raster.scale)
    soft = _blur(np.roll(coverage, (offset, offset), (0, 1)), 2.0, canvas.raster)
    canvas.rgb *= (1 - depth * soft * (1 - coverage))[..., None]


def _contrast(colour: np.ndarray) -> np.ndarray:
    """White on dark colours, near-black on light ones."""
    light = float(colour @ np.array([0.3, 0.59, 0.11]))
    return np.array([0.12, 0.12, 0.13] if light > 0.6 else [0.95, 0.94, 0.90], np.float32)


@_register("wax seal", ("red", "blue", "green", "purple", "black", "white", "gold"), 0.68)
def wax_seal(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    wobble = np.zeros_like(shape.angle)
    for lobes, size in ((2, 0.03), (3, 0.03), (5, 0.028), (7, 0.018)):
        wobble += size * rng.uniform(0.3, 1) * np.sin(lobes * shape.angle + rng.uniform(0, 6.3))
    edge = shape.radius_px * (1.0 + wobble) - shape.distance
    blob = shape.inside(edge)
    dome = 5 * np.sqrt(np.clip(edge, 0, 9) / 9)
    well = 1 / (1 + np.exp(np.clip((shape.distance - shape.radius_px * 0.76) * 1.1, -20, 20)))
    height = dome - 3.2 * well + 2.8 * _blur(emblem, 0.8, canvas.raster)
    lambert, shine = shading(_blur(height, 0.6, canvas.raster), canvas.raster, 0.6)
    _shadow(canvas, blob)
    groove = 1 - 0.28 * well * (1 - emblem)
    _blend(canvas, colour * (lambert * groove)[..., None] + shine[..., None], blob)


@_register("ink stamp", ("red", "blue", "green", "purple", "orange", "black"), 0.72)
def ink_stamp(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    print_ = np.maximum(emblem, shape.ring(0.98, 0.88))
    worn = crop(fractal(31, 10), canvas.raster, rng)
    grain = crop(sheet(32, 0.7, 0.7), canvas.raster, rng)
    cover = print_ * np.clip(1.25 + 0.18 * worn + 0.22 * grain, 0, 1) * 0.93
    _blend(canvas, colour * (0.8 + 0.2 * canvas.rgb), cover)


@_register("embossed mark", fill=0.92)
def embossed_mark(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    lambert, _ = shading(3.6 * _blur(emblem, 1.0, canvas.raster), canvas.raster)
    canvas.rgb *= (np.clip(lambert, 0.25, 1.9) * (1 + 0.10 * emblem))[..., None]


@_register("carved mark", fill=0.92)
def carved_mark(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    lambert, _ = shading(-3.2 * _blur(emblem, 0.9, canvas.raster), canvas.raster)
    canvas.rgb *= (np.clip(lambert, 0.2, 1.7) * (1 - 0.52 * emblem))[..., None]


@_register("metal coin", ("gold", "silver", "copper", "black"), 0.74)
def metal_coin(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    disc = shape.disc(0.98)
    height = 3.0 * shape.ring(0.97, 0.86) + 2.6 * emblem
    lambert, shine = shading(_blur(height, 0.9, canvas.raster), canvas.raster, 0.25)
    sweep = 0.12 * np.sin(2 * shape.angle + rng.uniform(-0.6, 0.6))
    tone = np.clip(lambert, 0.25, 1.7) * (0.95 + sweep + 0.18 * emblem) - 0.12 * (1 - emblem)
    _shadow(canvas, disc)
    _blend(canvas, colour * tone[..., None] + shine[..., None], disc)


@_register("embroidered patch", ("red", "blue", "green", "purple", "orange", "black", "white"), 0.70)
def embroidered_patch(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    y, x = canvas.raster.grid()
    twill = 0.5 + 0.5 * np.sin((x + y) * 1.6)
    thread = 0.5 + 0.5 * np.sin((x - y) * 1.9)
    disc = shape.disc(0.98)
    felt = colour * (0.86 + 0.2 * twill)[..., None]
    yarn = _contrast(colour) * (0.80 + 0.2 * thread)[..., None]
    border = shape.ring(0.98, 0.87)
    stitch = 0.62 + 0.5 * (0.5 + 0.5 * np.sin(shape.angle * 46))
    face = felt + (yarn - felt) * emblem[..., None]
    face = face + (colour * 0.85 * stitch[..., None] + 0.08 - face) * border[..., None]
    _shadow(canvas, disc, 2, 0.45)
    _blend(canvas, face, disc)


@_register("neon sign", ("red", "blue", "green", "purple", "orange", "white"), 0.90)
def neon_sign(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    glow = _blur(emblem, 6.0, canvas.raster)
    bright = np.clip(colour / colour.max(), 0.12, 1)
    night = canvas.rgb * (0.24 + 0.55 * glow[..., None] * bright) + 0.75 * glow[..., None] * bright
    canvas.rgb[:] = night
    core = _blur(emblem, 1.3, canvas.raster)[..., None]
    _blend(canvas, 0.72 * bright + 0.34 * core, np.clip(emblem * 1.1, 0, 1))


@_register("sticker", ("red", "blue", "green", "purple", "orange", "black", "white", "gold"), 0.72)
def sticker(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    disc = shape.disc(0.98)
    face = colour + (np.array([0.97, 0.97, 0.96], np.float32) - colour) * shape.ring(1.2, 0.89)[..., None]
    face = face + (_contrast(colour) - face) * emblem[..., None]
    sheen = 1.03 - 0.05 * (shape.distance / shape.radius_px) * np.sin(shape.angle + 0.8)
    _shadow(canvas, disc, 2, 0.4)
    _blend(canvas, face * sheen[..., None], disc)


@_register("chalk drawing", ("white", "red", "blue", "orange"), 0.90, into=HELDOUT_MARKS)
def chalk_drawing(
    canvas: Canvas, shape: Shape, emblem: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> None:
    grain = crop(sheet(33, 0.8, 0.8), canvas.raster, rng)
    inside = _blur(emblem, 2.2, canvas.raster)
    outline = emblem * np.clip(1.6 - 1.5 * inside, 0.35, 1)
    _blend(canvas, 0.25 + 0.75 * colour, np.clip(outline * (0.75 + 0.35 * grain), 0, 1))
