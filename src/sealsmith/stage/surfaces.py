"""What a mark is put on: parchment, wood, stone, ... Each is a function of a random generator.

A surface returns its colour [S, S, 3] in 0..1 and its relief [S, S] in pixels of the scene; light falls on it
later, together with the mark's own relief.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from .noise import SHEET_PX, crop, fractal, sheet
from .raster import Raster

Surface = Callable[[Raster, np.random.Generator], tuple[np.ndarray, np.ndarray]]

SURFACES: dict[str, Surface] = {}
"""Surfaces the embedded base is trained on, by the words captions use."""

HELDOUT_SURFACES: dict[str, Surface] = {}
"""Surfaces it never sees: material for style seals."""


def _register(words: str, into: dict[str, Surface] = SURFACES) -> Callable[[Surface], Surface]:
    def add(surface: Surface) -> Surface:
        into[words] = surface
        return surface

    return add


def _tint(
    low: tuple[float, float, float], high: tuple[float, float, float], amount: np.ndarray
) -> np.ndarray:
    """Colours between `low` and `high`, [S, S, 3], by `amount` [S, S] clipped to 0..1."""
    a = np.clip(amount, 0, 1)[..., None]
    return np.asarray(np.asarray(low, np.float32) * (1 - a) + np.asarray(high, np.float32) * a, np.float32)


@_register("parchment")
def parchment(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    clouds = crop(fractal(1, 40), raster, rng)
    fibres = crop(sheet(2, 0.6, 4), raster, rng)
    return _tint((0.78, 0.64, 0.40), (0.95, 0.87, 0.66), 0.55 + 0.22 * clouds), 0.1 * fibres


@_register("white paper")
def white_paper(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    grain = crop(sheet(3, 0.8, 0.8), raster, rng)
    clouds = crop(fractal(4, 48), raster, rng)
    return _tint((0.90, 0.91, 0.92), (0.98, 0.98, 0.97), 0.5 + 0.2 * clouds), 0.04 * grain


@_register("wood")
def wood(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    warp = crop(sheet(5, 40, 8), raster, rng)
    columns = raster.across()[None] + 7 * warp + rng.uniform(0, 99)
    rings = 0.5 + 0.5 * np.sin(columns * rng.uniform(0.42, 0.62))
    pores = crop(sheet(6, 9, 0.6), raster, rng)
    return _tint((0.42, 0.24, 0.11), (0.72, 0.47, 0.25), 0.55 * rings + 0.2 + 0.12 * pores), 0.35 * pores


@_register("stone")
def stone(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    clouds = crop(fractal(7, 12), raster, rng)
    return _tint((0.38, 0.39, 0.40), (0.66, 0.66, 0.65), 0.5 + 0.2 * clouds), 0.8 * clouds


@_register("leather")
def leather(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    pebbles = crop(sheet(8, 1.8, 1.8), raster, rng)
    clouds = crop(fractal(9, 30), raster, rng)
    return _tint((0.27, 0.12, 0.06), (0.45, 0.23, 0.13), 0.5 + 0.2 * clouds), 0.45 * np.abs(pebbles)


@_register("cloth")
def cloth(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y, x = raster.grid()
    phase = rng.uniform(0, 6, 2).astype(np.float32)
    weave = np.sin(x * 1.57 + phase[0]) * np.sin(y * 1.57 + phase[1])
    folds = crop(fractal(10, 40), raster, rng)
    return _tint((0.10, 0.19, 0.44), (0.22, 0.36, 0.66), 0.5 + 0.16 * folds + 0.25 * weave), 0.3 * weave


@_register("marble")
def marble(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    veins = np.exp(-8 * np.abs(crop(fractal(11, 36), raster, rng)))
    clouds = crop(fractal(12, 24), raster, rng)
    return _tint((0.80, 0.77, 0.80), (0.30, 0.28, 0.34), 0.12 + 0.05 * clouds + 0.75 * veins), 0 * veins


@_register("sand")
def sand(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    grains = crop(sheet(13, 0.6, 0.6), raster, rng)
    dunes = crop(sheet(14, 4, 26), raster, rng)
    return _tint((0.70, 0.50, 0.30), (0.93, 0.76, 0.52), 0.55 + 0.16 * grains + 0.08 * dunes), (
        0.12 * grains + 1.0 * dunes
    )


@_register("snow")
def snow(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    drifts = crop(fractal(15, 26), raster, rng)
    return _tint((0.72, 0.82, 0.95), (0.97, 0.98, 1.0), 0.62 + 0.2 * drifts), 0.6 * drifts


@_register("moss")
def moss(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    tufts = crop(sheet(16, 1.4, 1.4), raster, rng)
    clouds = crop(fractal(17, 20), raster, rng)
    return _tint((0.10, 0.24, 0.07), (0.36, 0.50, 0.16), 0.45 + 0.2 * tufts + 0.12 * clouds), 0.35 * tufts


@cache
def _bricks() -> tuple[np.ndarray, np.ndarray]:
    """Courses of bricks over a whole sheet: (mortar 0..1, a tone per brick)."""
    y, x = np.mgrid[0:SHEET_PX, 0:SHEET_PX]
    course = y // 16
    shifted = (x + 16 * (course % 2)) % SHEET_PX
    mortar = ((y % 16 < 2) | (shifted % 32 < 2)).astype(np.float32)
    tones = np.random.default_rng(18).standard_normal((SHEET_PX // 16, SHEET_PX // 32)).astype(np.float32)
    return mortar, tones[course, shifted // 32]


@_register("brick", HELDOUT_SURFACES)
def brick(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    mortar, tones = _bricks()
    y, x = rng.integers(0, SHEET_PX - raster.scene_px, 2)
    window = np.ix_(y + raster.cells(), x + raster.cells())
    clay = _tint((0.45, 0.16, 0.10), (0.68, 0.30, 0.20), 0.5 + 0.25 * tones[window])
    m = mortar[window][..., None]
    return np.asarray(clay * (1 - m) + 0.74 * m, np.float32), -1.5 * mortar[window]


@_register("rust", HELDOUT_SURFACES)
def rust(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    bloom = crop(fractal(19, 18), raster, rng)
    return _tint((0.22, 0.27, 0.28), (0.72, 0.33, 0.10), 0.5 + 0.6 * bloom), 0.5 * bloom


@_register("grid paper", HELDOUT_SURFACES)
def grid_paper(raster: Raster, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y, x = raster.cells()[:, None], raster.cells()[None]
    oy, ox = rng.integers(0, 12, 2)
    lines = (((y + oy) % 12 == 0) | ((x + ox) % 12 == 0)).astype(np.float32)
    return _tint((0.97, 0.97, 0.93), (0.45, 0.62, 0.86), lines), np.zeros_like(lines)
