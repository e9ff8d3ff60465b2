"""How finely a scene is drawn: lengths are those of a scene of 128 pixels, whatever the picture's are.

At a scale of 1 a pixel of the picture is one of the scene; a base that draws 512 pixels is shown scenes at 4.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Raster:
    """The pixels of a square picture."""

    scene_px: int
    """Its side in pixels of the scene."""
    scale: float = 1.0
    """Pixels of the picture to a pixel of the scene, 1 or more."""

    @property
    def side_px(self) -> int:
        return round(self.scene_px * self.scale)

    def across(self) -> np.ndarray:
        """Where the middles of a row's pixels are, in pixels of the scene less a half: float32 [side_px]."""
        middles = np.arange(self.side_px, dtype=np.float32) + np.float32(0.5)
        return np.asarray(middles / np.float32(self.scale) - np.float32(0.5), np.float32)

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of every pixel: how far down and how far right it is, two of float32 [side_px, side_px]."""
        y, x = np.meshgrid(self.across(), self.across(), indexing="ij")
        return y, x

    def cells(self) -> np.ndarray:
        """Which pixel of the scene each of a row's pixels lies in: int [side_px]."""
        return np.floor(self.across() + np.float32(0.5)).astype(int)
