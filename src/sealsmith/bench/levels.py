"""How far apart two pictures are as whoever gets them sees them, in the 8-bit levels of a file."""

import numpy as np

from ..generate import Picture


def levels_apart(one: Picture, other: Picture) -> int:
    """The largest difference of two pictures in 8-bit levels."""
    return int(np.abs(np.asarray(one.image, dtype=int) - np.asarray(other.image, dtype=int)).max())
