"""Textures made of noise: large sheets computed once and cropped anywhere, so that a picture costs little."""

from functools import cache

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from .raster import Raster

SHEET_PX = 512
FINE_PX = 1.5
"""What a blur by so much takes away is a texture's finest detail, of which pictures of more pixels show more."""
PAD_PX = 3
"""Neighbours that enlarging looks at."""


@cache
def sheet(seed: int, sigma_y: float, sigma_x: float) -> np.ndarray:
    """Tileable noise [SHEET_PX, SHEET_PX], float32, mean 0, deviation 1, blurred by the two sigmas (pixels)."""
    white = np.random.default_rng(seed).standard_normal((SHEET_PX, SHEET_PX)).astype(np.float32)
    out = gaussian_filter(white, (sigma_y, sigma_x), mode="wrap")
    return np.asarray((out - out.mean()) / out.std(), np.float32)


@cache
def fractal(seed: int, top: float = 32.0) -> np.ndarray:
    """Sum of octaves of isotropic noise, the coarsest blurred by `top` pixels; mean 0, deviation 1."""
    total = np.zeros((SHEET_PX, SHEET_PX), np.float32)
    sigma, weight = top, 1.0
    while sigma >= 0.7:
        total += weight * sheet(seed + int(sigma * 10), sigma, sigma)
        sigma, weight = sigma / 2, weight * 0.62
    return np.asarray((total - total.mean()) / total.std(), np.float32)


def crop(texture: np.ndarray, raster: Raster, rng: np.random.Generator) -> np.ndarray:
    """A random square of a sheet, wrapped at its edges, mirrored at random: [S, S].

    At any scale it is the same square. Where a picture has room for more than the sheet holds, the sheet's finest
    detail goes on, each octave half as strong.
    """
    y, x = rng.integers(0, SHEET_PX, 2)
    out = _window(texture, (y, x), raster.scene_px, raster.side_px)
    if raster.scale > 1:
        detail = texture - gaussian_filter(texture, FINE_PX, mode="wrap")
        octave = 2
        while octave <= raster.scale:
            place = (y * octave, x * octave)
            out = out + _window(detail, place, raster.scene_px * octave, raster.side_px) / octave
            octave *= 2
    if rng.random() < 0.5:
        out = out[:, ::-1]
    return out


def _window(texture: np.ndarray, place: tuple[int, int], num_px: int, side_px: int) -> np.ndarray:
    """The square of `num_px` from `place` on, wrapped at the sheet's edges, in `side_px` pixels (bicubic)."""
    pad = PAD_PX if num_px != side_px else 0
    rows, columns = ((start - pad + np.arange(num_px + 2 * pad)) % SHEET_PX for start in place)
    square = texture[np.ix_(rows, columns)]
    if not pad:
        return square
    size, box = (side_px, side_px), (pad, pad, pad + num_px, pad + num_px)
    return np.asarray(Image.fromarray(square).resize(size, Image.Resampling.BICUBIC, box), np.float32)
