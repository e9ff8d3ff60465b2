"""Numbers of one map: how spread out a word's attention is, and how much of it lies where the seal is.

Pure functions of arrays. A *region* is a mask of the places where the seal made the picture another one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import gaussian_filter, label

from ..errors import PictureError

BLUR = 1 / 24
"""Standard deviation of the blur over a difference, as a share of the picture's shorter side."""
LEAST_DIFFERENCE = 4 / 255
"""Blurred differences below this are invisible, whatever the threshold says."""
SPECK = 0.1
"""Pieces of a region smaller than this share of its largest piece are chance."""
LEVELS = 256


@dataclass(frozen=True)
class Figures:
    """What one map says. Where there is no region, what needs one is None."""

    entropy: float
    """0: all mass at one place; 1: spread evenly over the picture."""
    level: float
    """Mean of the map: where places read words, the share of their attention that this word gets."""
    share: float | None
    """Of the word's attention mass, the part inside the region."""
    region_level: float | None
    """The same inside the region."""
    overlap: float | None
    """Intersection over union of the region and the hottest places, as many as the region has."""


def figures(heat: np.ndarray, region: np.ndarray | None) -> Figures:
    """The figures of a map [H, W] of attention, which is never negative.

    An empty region, and one that is all of the picture, says nothing: it counts as none.
    """
    if region is None or not region.any() or region.all():
        return Figures(entropy(heat), float(heat.mean()), None, None, None)
    return Figures(
        entropy(heat),
        float(heat.mean()),
        mass_share(heat, region),
        float(heat[region].mean()),
        overlap(heat, region),
    )


def entropy(heat: np.ndarray) -> float:
    """Entropy of a map's mass as a share of the largest possible: -sum m log m / log(number of places)."""
    total = heat.sum(dtype=np.float64)
    if total <= 0 or heat.size < 2:
        return 1.0
    mass = heat.astype(np.float64).ravel() / total
    mass = mass[mass > 0]
    return float(-(mass * np.log(mass)).sum() / np.log(heat.size))


def mass_share(heat: np.ndarray, region: np.ndarray) -> float:
    """The part of a map's mass that lies inside the region; the region's own area where there is no mass."""
    total = heat.sum(dtype=np.float64)
    return float(heat[region].sum(dtype=np.float64) / total) if total > 0 else float(region.mean())


def overlap(heat: np.ndarray, region: np.ndarray) -> float:
    """Intersection over union of the region and the map's hottest places, as many as the region has.

    So the threshold is a quantile of the map itself, and the figure is 1 for a map that ranks all of the region
    above all else, and about a / (2 - a) for one that knows nothing of a region of area a.
    Ties go to the places that come first.
    """
    num_hot = int(region.sum())
    hottest = np.argsort(-heat.ravel(), kind="stable")[:num_hot]
    num_both = int(region.ravel()[hottest].sum())
    return num_both / (2 * num_hot - num_both)


def changed_region(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Mask [H, W] of where two pictures [H, W, 3] of 0..1 differ: blurred, above Otsu's threshold, without specks.

    Two pictures of one seed share their scene, so the seal is what differs. Nothing is in the mask of pictures
    that look the same.
    Source: Otsu 1979, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9(1).
    """
    difference = np.abs(after.astype(np.float32) - before.astype(np.float32)).mean(-1)
    blurred = gaussian_filter(difference, min(difference.shape) * BLUR, mode="nearest")
    return without_specks(blurred >= max(otsu(blurred), LEAST_DIFFERENCE))


def without_specks(mask: np.ndarray) -> np.ndarray:
    """The mask without its pieces smaller than SPECK of the largest one."""
    pieces, num_pieces = label(mask)
    if num_pieces == 0:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: np.ndarray = (sizes >= SPECK * sizes.max())[pieces] & mask
    return kept


def otsu(values: np.ndarray) -> float:
    """The threshold that best parts values into two classes: the largest variance between them."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return high
    counts, edges = np.histogram(values, bins=LEVELS, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()[:-1]
    above = counts.sum() - below
    sums = (counts * centres).cumsum()
    mean_below, mean_above = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * (mean_above - mean_below) ** 2)])


def read_region(path: Path, size_px: tuple[int, int]) -> np.ndarray:
    """A mask from a picture file, fitted to width and height; bright is inside.

    Raises: PictureError for a file that is no picture, or a mask with nothing or everything inside.
    """
    try:
        with Image.open(path) as opened:
            mask = np.asarray(opened.convert("L").resize(size_px, Image.Resampling.NEAREST)) >= 128
    except (OSError, UnidentifiedImageError) as error:
        raise PictureError(
            f"the region {str(path)!r} cannot be read as a picture", "give a PNG, white inside the region"
        ) from error
    if not mask.any() or mask.all():
        raise PictureError(
            f"the region {str(path)!r} is {'empty' if not mask.any() else 'the whole picture'}",
            "paint the region white and all else black",
        )
    return mask
