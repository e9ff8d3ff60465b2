"""Letters as emblems: the plain company that a seal is shown in."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .emblem import EMBLEM_PX, emblem_from_image

LETTERS = "bcdefghjkmnprstuvwxyz"
"""Those that are no word by themselves and nobody mixes up with a stroke."""


def letter_name(letter: str) -> str:
    """What captions call a letter's emblem."""
    return f"letter {letter}"


@cache
def letter_emblem(letter: str, side_px: int = EMBLEM_PX) -> np.ndarray:
    """The capital of `letter`, bold, as float32 [side_px, side_px] in 0..1; read it, do not write to it."""
    image = Image.new("RGBA", (2 * side_px, 2 * side_px), (0, 0, 0, 0))
    font = ImageFont.load_default(1.3 * side_px)
    middle = (side_px, side_px)
    weight = side_px // 16
    ImageDraw.Draw(image).text(
        middle,
        letter.upper(),
        (0, 0, 0, 255),
        font=font,
        anchor="mm",
        stroke_width=weight,
        stroke_fill=(0, 0, 0, 255),
    )
    return emblem_from_image(image, side_px)
