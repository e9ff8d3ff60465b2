"""Textures made of noise: large sheets computed once and cropped anywhere, so that a picture costs little."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

SHEET_PX = 512


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


def crop(texture: np.ndarray, side_px: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of a sheet, wrapped at its edges, mirrored at random."""
    y, x = rng.integers(0, SHEET_PX, 2)
    rows = (y + np.arange(side_px)) % SHEET_PX
    columns = (x + np.arange(side_px)) % SHEET_PX
    out = texture[np.ix_(rows, columns)]
    if rng.random() < 0.5:
        out = out[:, ::-1]
    return out
