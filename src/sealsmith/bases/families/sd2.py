"""`sd2`: Stable Diffusion 2.x, which works as 1.x does with another text encoder and linear projections."""

from dataclasses import replace

from ..family import register
from .sd1 import SD1

SD2 = register(
    replace(
        SD1,
        name="sd2",
        architecture="stable-diffusion-v2-768-v",
        kohya_version="sd_v2",
        resolution_px=768,
        text_width=1024,
    )
)
