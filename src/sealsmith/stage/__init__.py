"""Stagecraft: an emblem put onto things as a wax seal, a stamp, a coin, and photographed.

Two users: `world/` draws the embedded base's whole training set with it, and `sealsmith train` turns
one logo file into a training set with it. Pure numpy: no torch, no model, no state beyond cached textures.
"""

from .emblem import EMBLEM_PX, emblem_from_image, emblem_from_svg, is_svg, rasterise_svg
from .marks import COLOURS, HELDOUT_MARKS, MARKS, Mark
from .scene import (
    PAIR_X_PX,
    SCENE_PX,
    WIDE_PAIR_X_PX,
    WIDE_PX,
    Placement,
    Scene,
    placed_emblem,
    render,
    render_scene,
)
from .surfaces import HELDOUT_SURFACES, SURFACES

__all__ = [
    "COLOURS",
    "EMBLEM_PX",
    "HELDOUT_MARKS",
    "HELDOUT_SURFACES",
    "MARKS",
    "PAIR_X_PX",
    "SCENE_PX",
    "SURFACES",
    "WIDE_PAIR_X_PX",
    "WIDE_PX",
    "Mark",
    "Placement",
    "Scene",
    "emblem_from_image",
    "emblem_from_svg",
    "is_svg",
    "placed_emblem",
    "rasterise_svg",
    "render",
    "render_scene",
]
